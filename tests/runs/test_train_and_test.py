import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
from support.cubes import clean_rows, write_cube
from support.small_runs import CASES, names_in, read_rows, training_options, write_run

from cube.reader import Cube
from models.keeping import store_keep
from models.model_file import load_model, read_metadata
from models.train_run import TrainingResult
from models.training_loop import HISTORY_COLUMNS
from runs import train_and_test
from runs.gathering import read_runs
from runs.testing import EvaluationResult
from runs.train_and_test import write_results
from volumes.formats.files import read_label_map

TESTED = [name for name, split in CASES.items() if split == "test"]


def test_run_folder_holds_what_it_should(small_run):
    # Pictures of the training depend on how long it took.
    timed = {"progress", "progress.png"}
    assert [name for name in names_in(small_run) if name not in timed] == [
        "architecture.png",
        "checkpoint",
        "config.json",
        "curves.png",
        "history.csv",
        "model.keras",
        "overlays",
        "predictions",
        "report.html",
        "scores.csv",
        "splits.json",
        "summary.json",
        "summary.md",
        "tensorboard",
    ]
    assert names_in(small_run / "predictions") == [f"{n}.seg.nrrd" for n in TESTED]
    assert names_in(small_run / "overlays") == [f"{name}.png" for name in TESTED]
    assert names_in(small_run / "checkpoint") == ["state.npz"]
    assert len(names_in(small_run / "tensorboard")) == 1


def test_keep_of_a_resumed_run_is_stored_though_no_epoch_was_better(
    small_run, tmp_path, monkeypatch
):
    network, metadata = load_model(small_run / "model.keras")
    assert metadata.keep == "all"
    store_keep(tmp_path / "model.keras", network, replace(metadata, keep="spine"))
    for name in ("draw_architecture", "predict_test_cases", "write_results"):
        monkeypatch.setattr(train_and_test, name, lambda *given: None)

    train_and_test.test_network(
        training_options(keep="all", resume=True),
        SimpleNamespace(cube=None),
        tmp_path,
        TrainingResult(network, [], 1.0, 1.0),
        metadata,
    )

    assert read_metadata(tmp_path / "model.keras").keep == "all"


@pytest.mark.parametrize(
    ("augment", "epochs", "class_name", "is_warned"),
    [
        ("online", 1, "psoas left", True),
        ("online", 1, "psoas", False),
        ("online", 0, "psoas left", False),
        ("stored", 1, "psoas left", False),
    ],
)
def test_mirroring_of_one_side_during_the_training_is_warned_of_in_one_line(
    tmp_path, capsys, augment, epochs, class_name, is_warned
):
    names, arguments = ["background", class_name, "L1"], {"seed": 0, "flip": 0.5}
    path = tmp_path / "c.h5"
    write_cube(path, clean_rows(), class_names=names, arguments=arguments)

    with Cube(path) as cube:
        options = training_options(augment=augment, epochs=epochs)
        train_and_test.warn_of_mirroring(options, cube)

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == is_warned
    assert all(": psoas left; build" in line for line in lines)


def test_all_warnings_are_in_the_summary_and_three_are_printed(tmp_path, capsys):
    run = tmp_path / "run"
    write_run(run, {"ann": 0.5})
    warnings = [f"case{number}: odd" for number in range(4)]
    test = EvaluationResult(read_runs([run])[0].scores, 1.0, (), warnings)
    (run / "instances.csv").touch()  # of an earlier version, before --resume

    write_results(run, "UNet-2D", {"peak_memory_mib": 1.0}, test)

    text = (run / "summary.md").read_text()
    assert text.endswith("- case2: odd.\n- case3: odd.\n")
    assert not (run / "instances.csv").exists()
    assert capsys.readouterr().out.splitlines()[2:4] == [
        "Warning: case2: odd.",
        f"And 1 more warning: see {run / 'summary.md'}",
    ]


def test_tables_have_a_row_per_epoch_and_per_case_and_class(small_run):
    history = read_rows(small_run / "history.csv")
    scores = read_rows(small_run / "scores.csv")

    assert tuple(history[0]) == HISTORY_COLUMNS
    assert [(row["epoch"], row["step"]) for row in history] == [("1", "2"), ("2", "4")]
    assert [(row["case_id"], row["class_name"]) for row in scores] == [
        (name, class_name) for name in TESTED for class_name in ("L1", "L2")
    ]


def test_vertebrae_of_every_test_case_are_scored_as_instances(small_run):
    rows = read_rows(small_run / "scores.csv")
    summary = json.loads((small_run / "summary.json").read_text())

    # L1 and L2, counted in the first row of each case.
    assert [row["num_reference"] for row in rows] == ["2", "", "2", ""]
    assert summary["scores"]["instances"]["num_reference"] == 4


def test_config_and_summary_describe_the_run(small_cube, small_run):
    config = json.loads((small_run / "config.json").read_text())
    summary = json.loads((small_run / "summary.json").read_text())

    arguments = config["arguments"]
    assert (arguments["cube"], arguments["epochs"]) == (str(small_cube), 2)
    assert len(config["cube_checksum"]) == 64
    assert config["versions"]["tensorflow"]
    assert summary["scores"]["num_cases"] == 2
    # 2D, depth 1, 2 filters, 3 classes, instance norm (2 figures a filter):
    # (18 + 4) + (36 + 4); (72 + 8) + (144 + 8); 4 * 2 * 4 + 2; (72 + 4) + (36 + 4);
    # 2 * 3 + 3.
    assert summary["costs"]["parameters"] == 62 + 232 + 34 + 116 + 9
    assert summary["costs"]["seconds_per_scan"] > 0


def test_scores_are_those_of_the_files(small_cube, small_run):
    rows = read_rows(small_run / "scores.csv")
    for row in rows:
        value = {"L1": 20, "L2": 21}[row["class_name"]]
        reference = small_cube.parent / f"{row['case_id']}_reference.seg.nrrd"
        prediction = small_run / "predictions" / f"{row['case_id']}.seg.nrrd"
        a, b = (read_label_map(path).array == value for path in (reference, prediction))

        assert float(row["dice"]) == pytest.approx(
            2 * (a & b).sum() / (a.sum() + b.sum()), abs=1e-12
        )
