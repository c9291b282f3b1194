import json
from pathlib import Path

import pytest
from support.small_runs import TINY, write_scan

from benchmarks import record
from cube.pairs import Pair

SOURCES = ("one", "two")


def test_source_is_the_first_folder_below_the_one_of_all_scans():
    images = ["/x/one/a/image.nrrd", "/x/two/b.nrrd", "/x/pairs/../one/c/image.nrrd"]
    pairs = [Pair(Path(image), Path("l"), image, "s", None, 1) for image in images]

    sources = record.list_sources(pairs)

    assert sources == {"one": [pairs[0], pairs[2]], "two": [pairs[1]]}


def test_cases_of_a_source_have_one_pattern_unless_others_match_it():
    ids = ["VB1_2", "VB1_3", "VB2_2", "V[1"]
    pairs = [Pair(Path("i"), Path("l"), case_id, "s", None, 1) for case_id in ids]

    assert record.list_patterns(pairs[:2], pairs) == ["VB1_*"]
    assert record.list_patterns(pairs[::3], pairs) == ["VB1_2", "V[[]1"]


@pytest.mark.slow
def test_record_holds_every_fold_and_resumes(tmp_path, capsys):
    lines = []
    for seed in range(6):
        folder = tmp_path / "scans" / SOURCES[seed % 2]
        folder.mkdir(parents=True, exist_ok=True)
        paths = write_scan(folder, f"{SOURCES[seed % 2]}_{seed}", seed)
        lines.append(",".join(f"{folder.name}/{path.name}" for path in paths))
    pairs, output = tmp_path / "scans" / "pairs.txt", tmp_path / "record"
    pairs.write_text("\n".join(lines))
    given = ["--pairs", str(pairs), "--output", str(output), "--folds", "3"]
    given += ["--epochs-2d", "1", "--epochs-3d", "2", "--copies", "1", *TINY]
    given += ["--only", "folds"]  # the transfers would take as long again

    assert record.main([*given, "--jobs", "2"]) == 0

    printed = capsys.readouterr().out
    assert printed.startswith("one: 3 scans of 3 subjects\ntwo: 3 scans of 3 subjects")
    pages = {
        path.parent.name: json.loads(path.read_text())
        for path in output.glob("pages/*/comparison.json")
    }
    cases = {
        page: {case["case_id"][:3] for case in content["cases"]}
        for page, content in pages.items()
    }
    assert cases == {
        "all": {"one", "two"},
        "one": {"one"},
        "two": {"two"},
    }
    assert [pages[page]["num_cases"] for page in ("all", "one")] == [6, 3]
    epochs = {
        model: len((output / f"folds/fold2/{model}/history.csv").read_text().split())
        for model in record.NETWORKS
    }
    assert epochs == {"unet2d": 1 + 1, "unet3d": 1 + 2}  # and the heads
    (output / "folds/fold1/unet3d/scores.csv").unlink()
    assert record.main(given) == 0
    assert "folds/fold1/unet3d  " in capsys.readouterr().out
