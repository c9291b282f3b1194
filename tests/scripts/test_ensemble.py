"""Several networks together: predict.py and train.py, from flag to file."""

from dataclasses import replace

import keras
import nrrd
import numpy as np
import pytest
from support.small_runs import read_rows, write_scan

import compareRuns
import predict
import train
from cube.reader import Cube
from models.model_file import build_network, read_metadata, save_model
from runs.folder import read_json
from volumes.formats.files import read_volume


@pytest.fixture(scope="module")
def others(small_run, tmp_path_factory):
    """Networks with random weights: of finer spacing, and of other classes."""
    folder = tmp_path_factory.mktemp("others")
    metadata = read_metadata(small_run / "model.keras")
    kinds = {
        "finer": {"spacing": (2.0, 1.5, 1.5), "seen": ()},
        "other": {"class_names": ("background", "L1", "sacrum")},
    }
    for seed, (name, changed) in enumerate(kinds.items()):
        keras.utils.set_random_seed(seed)
        changed = replace(metadata, **changed)
        save_model(folder / f"{name}.keras", build_network(changed), changed)
    return folder


def run_predict(scan, output, *models, flags=()):
    words = [str(scan), "--model", *map(str, models), "--output", str(output)]
    return predict.main([*words, *flags])


def test_scans_of_a_folder_are_labelled_by_two_networks(
    small_run, others, tmp_path, capsys
):
    write_scan(tmp_path, "eve", seed=9)
    scan, _ = write_scan(tmp_path, "fay", seed=8)
    models = [small_run, others / "finer.keras"]

    flags = ["--probabilities"]
    assert run_predict(tmp_path, tmp_path / "a", *models, flags=flags) == 0

    rows = read_rows(tmp_path / "a" / "labels.csv")
    begin = tmp_path.name
    assert [(row["label_map"], row["class"]) for row in rows] == [
        (f"{begin}_{name}_label.seg.nrrd", structure)
        for name in ("eve", "fay")
        for structure in ("L1", "L2")
    ]
    assert all(0 <= float(row["disagreement"]) <= 1 for row in rows)
    assert (tmp_path / "a" / f"{begin}_eve_overlay.png").is_file()
    path = tmp_path / "a" / f"{begin}_fay_probability_L2.nrrd"
    probability, image = read_volume(path), read_volume(scan)
    assert probability.array.dtype == np.uint8
    np.testing.assert_allclose(probability.grid.affine, image.grid.affine, atol=1e-6)
    label_map, _ = nrrd.read(str(tmp_path / "a" / rows[2]["label_map"]))
    # A voxel of L2 is likelier L2 than background and L1: a third at least.
    assert probability.array[label_map == 21].min(initial=255) >= 85
    printed = capsys.readouterr().out
    assert f"averaging 2 models: {small_run / 'model.keras'}, {models[1]}" in printed
    assert f"(disagreement {float(rows[0]['disagreement']):.3f})" in printed


def test_networks_of_other_classes_end_with_two(small_run, others, tmp_path, capsys):
    scan, _ = write_scan(tmp_path, "eve", seed=9)

    assert run_predict(scan, tmp_path / "a", small_run, others / "other.keras") == 2

    error = capsys.readouterr().err
    assert error.startswith("Networks that predict together must have the same classes")
    assert error.count("\n") == 1
    assert not (tmp_path / "a").exists()


@pytest.mark.slow
def test_ensemble_is_tested_on_cases_that_no_member_has_seen(
    small_cube, small_run, others, tmp_path, capsys
):
    models = [str(small_run), str(others / "finer.keras")]
    flags = ["--epochs", "0", "--output", str(tmp_path / "run"), "--weights", *models]

    assert train.main([str(small_cube), *flags]) == 0

    rows = read_rows(tmp_path / "run" / "scores.csv")
    assert [row["case_id"] for row in rows] == ["cid", "cid", "dan", "dan"]
    assert all(0 <= float(row["disagreement"]) <= 1 for row in rows)
    summary = read_json(tmp_path / "run" / "summary.json")
    assert summary["scores"]["doubt"]["num_values"] == 4
    page = (tmp_path / "run" / "summary.md").read_text(encoding="utf-8")
    assert "disagreement with the Dice" in page
    assert train.main(["--resume", "--output", str(tmp_path / "run")]) == 0
    assert read_rows(tmp_path / "run" / "scores.csv") == rows
    flags = ["--ensemble", str(small_cube), "--output", str(tmp_path / "both")]
    assert compareRuns.main([*models, *flags]) == 0
    assert read_rows(tmp_path / "both" / "ensemble" / "scores.csv") == rows
    assert read_rows(tmp_path / "both" / "scores.csv") == rows
    page = ["--output", str(tmp_path / "page")]
    assert compareRuns.main([str(small_run), str(tmp_path / "run"), *page]) == 0
    assert "Ensemble" in (tmp_path / "page" / "comparison.md").read_text()


def test_member_that_has_seen_a_test_case_is_named(
    small_cube, small_run, others, tmp_path, capsys
):
    models = [str(others / "finer.keras"), str(small_run / "model.keras")]
    flags = ["--epochs", "0", "--output", str(tmp_path / "run"), "--weights", *models]
    metadata = read_metadata(small_run / "model.keras")
    seen = tmp_path / "seen.keras"
    with Cube(small_cube) as cube:
        row = cube.case_ids.index("cid")
        checksum = cube.sources[row]["content_checksum"]
    metadata = replace(metadata, seen=(checksum,))
    save_model(seen, build_network(metadata), metadata)

    assert train.main([str(small_cube), *flags, str(seen)]) == 2

    error = capsys.readouterr().err
    assert f"{seen} must not have been trained or validated on the test cases" in error
    assert error.endswith("Received: cid\n")


@pytest.mark.parametrize(
    ("flags", "shown"),
    [
        (["--epochs", "1"], "Several --weights are only tested together; --epochs 0"),
        (
            ["--epochs", "0", "--model", "unet2d"],
            "--model and --patch-size must not be",
        ),
    ],
)
def test_several_weights_with_other_flags_end_with_two(
    small_cube, small_run, others, tmp_path, capsys, flags, shown
):
    models = [str(others / "finer.keras"), str(small_run)]
    flags = [*flags, "--output", str(tmp_path / "run"), "--weights", *models]

    assert train.main([str(small_cube), *flags]) == 2

    assert shown in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_ensemble_of_one_network_or_of_other_classes_is_refused(
    small_cube, small_run, others, tmp_path, capsys
):
    page = tmp_path / "page"
    flags = ["--ensemble", str(small_cube), "--output", str(page)]

    assert compareRuns.main([str(small_run), *flags]) == 2
    assert "--ensemble needs the runs of two networks" in capsys.readouterr().err
    assert not page.exists()
    other = str(others / "other.keras")
    assert compareRuns.main([str(small_run), other, *flags]) == 2
    assert "must have the same classes" in capsys.readouterr().err
    assert list(page.iterdir()) == []


def test_cases_that_the_cube_does_not_test_are_refused_before_it_is_predicted(
    small_cube, small_run, tmp_path, monkeypatch, capsys
):
    monkeypatch.delattr("runs.ensemble_test.score_runs")
    flags = ["--ensemble", str(small_cube), "--output", str(tmp_path / "page")]

    assert compareRuns.main([str(small_run), *flags, "--cases", "d*", "ann"]) == 2

    error = capsys.readouterr().err
    assert error.endswith("Received: 'ann'; the test cases are cid, dan\n")
    assert not (tmp_path / "page").exists()


@pytest.mark.parametrize(
    ("flags", "shown"),
    [
        (["--ensemble", "c.h5", "--against", "b"], "--against must not be given with"),
        (["--scans", "scans"], "--scans needs --ensemble"),
    ],
)
def test_flags_that_do_not_suit_an_ensemble_end_with_two(capsys, flags, shown):
    with pytest.raises(SystemExit, match="2"):
        compareRuns.main(["a", "--output", "page", *flags])

    assert shown in capsys.readouterr().err
