import csv
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image
from support.box_spines import box_spine

import labelVertebrae
from spine.picture import PLATE_COLOR
from volumes.formats.files import read_label_map, write_image, write_label_map
from volumes.geometry import Grid
from volumes.palette import outline_color
from volumes.volume import Segment, Volume

SCRIPT = Path(labelVertebrae.__file__)


def write(folder, label_map, grid, name="eve.nrrd"):
    folder.mkdir(parents=True, exist_ok=True)
    write_image(folder / name, label_map, grid)
    return str(folder / name)


def rows_of(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def boxes(tmp_path):
    label_map, grid = box_spine()
    return write(tmp_path / "ann", (label_map > 0).astype(np.uint8), grid)


def test_each_vertebra_is_a_segment_with_a_row_and_in_the_picture(
    boxes, tmp_path, capsys
):
    code = labelVertebrae.main([boxes, "--output", str(tmp_path / "out")])

    expected, _ = box_spine()
    found = read_label_map(tmp_path / "out" / "ann_eve_vertebrae.seg.nrrd")
    assert code == 0
    np.testing.assert_array_equal(found.array, expected)
    names = [(segment.value, segment.name) for segment in found.segments]
    assert names == [(number, f"V{number}") for number in range(1, 6)]
    rows = rows_of(tmp_path / "out" / "vertebrae.csv")
    assert [(row["scan"], row["name"]) for row in rows] == [
        ("ann_eve", f"V{number}") for number in range(1, 6)
    ]
    heights = [float(row["height_middle_mm"]) for row in rows]
    np.testing.assert_allclose(heights, 24, atol=0.5)
    (spine,) = rows_of(tmp_path / "out" / "spines.csv")
    assert (spine["scan"], spine["dropped_ml"]) == ("ann_eve", "0.0")
    assert "5 vertebrae, V1 to V5, dropped 0.0 ml" in capsys.readouterr().out
    with Image.open(tmp_path / "out" / "ann_eve_vertebrae.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))
    for color in (PLATE_COLOR, *(outline_color(number) for number in range(1, 6))):
        assert np.all(pixels == color, axis=2).sum() > 50


def test_the_lowest_names_all_and_values_are_those_of_verse(boxes, tmp_path):
    flags = ["--output", str(tmp_path / "out"), "--lowest", "L5"]

    assert labelVertebrae.main([boxes, *flags]) == 0

    found = read_label_map(tmp_path / "out" / "ann_eve_vertebrae.seg.nrrd")
    names = {segment.value: segment.name for segment in found.segments}
    assert names == {24: "L5", 23: "L4", 22: "L3", 21: "L2", 20: "L1"}
    rows = rows_of(tmp_path / "out" / "vertebrae.csv")
    assert [row["name_source"] for row in rows] == ["lowest"] * 5
    (spine,) = rows_of(tmp_path / "out" / "spines.csv")
    assert abs(float(spine["lordosis_L1_L5_deg"])) < 1


def test_levels_of_a_scheme_keep_their_names_in_the_format_of_the_input(tmp_path):
    label_map, grid = box_spine()
    verse = np.array([0, 24, 23, 22, 21, 20], np.uint8)[label_map]
    verse[0, 0, 0] = 26  # a sacrum
    (tmp_path / "bob").mkdir()
    nib.save(nib.Nifti1Image(verse, grid.affine), tmp_path / "bob" / "fay.nii.gz")

    code = labelVertebrae.main(
        [
            *[str(tmp_path / "bob" / "fay.nii.gz"), "--scheme", "verse"],
            *["--format", "input", "--output", str(tmp_path / "out")],
        ]
    )

    verse[0, 0, 0] = 0
    found = nib.load(tmp_path / "out" / "bob_fay_vertebrae.nii.gz")
    assert code == 0
    np.testing.assert_array_equal(np.asarray(found.dataobj), verse)
    rows = rows_of(tmp_path / "out" / "vertebrae.csv")
    assert [(row["name"], row["label_value"]) for row in rows] == [
        *[("L5", "24"), ("L4", "23"), ("L3", "22"), ("L2", "21"), ("L1", "20")]
    ]


def test_a_scheme_that_names_all_values_is_suggested_and_doubted_else(tmp_path, capsys):
    label_map, grid = box_spine()
    values = np.array([0, 26, 24, 23, 22, 21], np.uint8)  # the sacrum and L5 to L2
    path = write(tmp_path / "ann", values[label_map], grid)
    flags = [path, "--output", str(tmp_path / "out"), "--force"]

    assert labelVertebrae.main(flags) == 0
    hint = "no value has a name; `--scheme verse` takes 21 for L2 and 26 for sacrum"
    assert f"\n  {hint}\n  the values 21, 22" in capsys.readouterr().out

    assert labelVertebrae.main([*flags, "--scheme", "totalsegmentator"]) == 1
    doubt = (
        "totalsegmentator does not name 4 of the 5 values, so the scheme may be "
        "another: `--scheme verse` or `--scheme FILE.csv`"
    )
    assert f"Received: S1; {doubt}" in capsys.readouterr().err

    assert labelVertebrae.main([*flags, "--scheme", "verse"]) == 0
    assert "--scheme" not in "".join(capsys.readouterr())


def test_a_wrong_scheme_is_doubted_where_it_names_a_vertebra(tmp_path, capsys):
    label_map, grid = box_spine()
    # L5 to L1 of TotalSegmentator; 28 is T13 in VerSe.
    path = write(tmp_path / "ann", np.where(label_map, label_map + 26, 0), grid)

    labelVertebrae.main([path, "--output", str(tmp_path), "--scheme", "verse"])

    lines = capsys.readouterr().out.splitlines()
    assert "1 vertebra, T13" in lines[1]
    assert lines[2] == (
        "  verse does not name 3 of the 5 values, so the scheme may be another: "
        "`--scheme totalsegmentator` or `--scheme FILE.csv`"
    )


def test_a_misspelt_scheme_is_wrong_use(boxes, tmp_path, capsys):
    flags = ["--output", str(tmp_path / "out"), "--scheme", "vers"]

    assert labelVertebrae.main([boxes, *flags]) == 2

    assert "vers. Did you mean verse?" in capsys.readouterr().err


def test_a_scan_is_no_label_map(tmp_path, capsys):
    label_map, grid = box_spine()
    shades = np.arange(label_map.size).reshape(label_map.shape) % 256
    scan = write(tmp_path, shades.astype(np.uint8), grid, "scan.nrrd")

    assert labelVertebrae.main([scan, "--output", str(tmp_path / "out")]) == 1

    assert (
        "scan.nrrd must be a label map of at most 200 values" in capsys.readouterr().err
    )


def test_the_picture_shows_the_scan_of_which_the_label_map_is_a_box(boxes, tmp_path):
    label_map, grid = box_spine()
    # Two voxels of 2 mm more on all sides.
    affine = grid.affine.copy()
    affine[:3, 3] -= 4
    larger = Grid([side + 4 for side in grid.shape], affine)
    image = 100 + np.pad(label_map, 2).astype(np.int16)
    scan = write(tmp_path, image, larger, "scan.nrrd")
    flags = ["--scans", scan, "--output", str(tmp_path / "out")]

    assert labelVertebrae.main([boxes, *flags]) == 0

    with Image.open(tmp_path / "out" / "ann_eve_vertebrae.png") as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    # Only the labels are coloured: grey and colour together make light pixels.
    assert (pixels.min(axis=2) > 120).sum() > 1000


@pytest.mark.parametrize(("shift", "more"), [(0.5, 0), (999, 0), (0, 9)])
def test_a_scan_on_another_grid_is_refused(boxes, tmp_path, shift, more, capsys):
    label_map, grid = box_spine()
    # Files without a position begin at 0: one of another person is larger, or smaller.
    image = np.pad(label_map, ((0, more), (0, more), (0, 0)))
    affine = grid.affine.copy()
    affine[0, 3] += shift
    scan = write(tmp_path, image, Grid(image.shape, affine), "scan.nrrd")
    flags = ["--scans", scan, "--output", str(tmp_path / "out")]

    assert labelVertebrae.main([boxes, *flags]) == 1

    error = capsys.readouterr().err
    assert error.startswith(f"{boxes} must lie on the grid of its scan")
    assert f"origin (0, 0, 0) mm, orientation {grid.orientation}" in error
    assert f"and {scan}: shape" in error
    assert f"origin ({shift}, 0, 0) mm" in error
    assert not list(tmp_path.glob("out/*"))


def test_a_label_map_without_a_chain_fails_and_the_others_go_on(
    boxes, tmp_path, capsys
):
    _, grid = box_spine()
    empty = write(tmp_path, np.zeros(grid.shape, np.uint8), grid, "empty.nrrd")
    one = np.zeros(grid.shape, np.uint8)
    one[5, 5, 5] = 1
    single = write(tmp_path, one, grid, "one.nrrd")
    out = tmp_path / "out"

    code = labelVertebrae.main([empty, boxes, single, "--output", str(out)])

    assert code == 1
    assert sorted(path.name for path in out.iterdir()) == [
        "ann_eve_vertebrae.png",
        "ann_eve_vertebrae.seg.nrrd",
        "spines.csv",
        "vertebrae.csv",
    ]
    errors = capsys.readouterr().err
    assert "_one: a chain of at least 2 vertebrae must be found" in errors
    assert "2 of 3 label maps failed." in errors


def test_vertebrae_of_an_earlier_label_map_are_gone_if_force_finds_none(
    boxes, tmp_path
):
    label_map, grid = box_spine()
    other = write(tmp_path / "ann", (label_map > 0).astype(np.uint8), grid, "fay.nrrd")
    out = tmp_path / "out"
    flags = ["--output", str(out), "--force"]
    assert labelVertebrae.main([boxes, other, *flags]) == 0
    write(tmp_path / "ann", np.zeros(grid.shape, np.uint8), grid)

    assert labelVertebrae.main([boxes, *flags]) == 1

    assert sorted(path.name for path in out.iterdir()) == [
        "ann_fay_vertebrae.png",
        "ann_fay_vertebrae.seg.nrrd",
        "spines.csv",
        "vertebrae.csv",
    ]
    assert {row["scan"] for row in rows_of(out / "vertebrae.csv")} == {"ann_fay"}
    assert [row["scan"] for row in rows_of(out / "spines.csv")] == ["ann_fay"]


def test_label_map_that_cannot_be_read_leaves_the_earlier_vertebrae(boxes, tmp_path):
    out = tmp_path / "out"
    flags = [boxes, "--output", str(out), "--force"]
    assert labelVertebrae.main(flags) == 0
    Path(boxes).unlink()

    assert labelVertebrae.main(flags) == 1

    assert len(list(out.iterdir())) == 4
    assert len(rows_of(out / "vertebrae.csv")) == 5


def test_a_label_map_without_a_word_fails_and_the_others_go_on(boxes, tmp_path, capsys):
    label_map, grid = box_spine()
    other = write(tmp_path, label_map, grid, "levels.nrrd")
    empty = write(tmp_path, label_map * (label_map == 5), grid, "one.nrrd")
    out = ["--output", str(tmp_path / "out"), "--labels", "5", "4"]

    assert labelVertebrae.main([boxes, other, *out]) == 1

    errors = capsys.readouterr().err
    assert errors.startswith("ann_eve: --labels must name structures of the label map")
    assert errors.endswith("1 of 2 label maps failed.\n")
    assert len(rows_of(tmp_path / "out" / "vertebrae.csv")) == 2
    # 5 is in a label map, though it is no chain there; 6 is in none.
    assert labelVertebrae.main([boxes, empty, *out[:2], "--labels", "5"]) == 1
    assert labelVertebrae.main([boxes, empty, *out[:2], "--labels", "6"]) == 2


def test_what_had_to_be_assumed_of_a_label_map_is_printed(tmp_path, capsys):
    label_map, grid = box_spine()
    path = tmp_path / "twice.seg.nrrd"
    segments = [Segment(1, "L5", (1, 0, 0)), Segment(1, "L4", (0, 1, 0))]
    like = Volume(label_map, grid, path)
    write_label_map(
        path, (label_map > 0).astype(np.uint8), like=like, segments=segments
    )

    labelVertebrae.main([str(path), "--output", str(tmp_path / "out")])

    note = "\n  the label map calls value 1 'L5' and 'L4'; taken for 'L5'\n"
    assert note in capsys.readouterr().out


def test_wrong_use_is_refused_before_anything_is_written(boxes, tmp_path, capsys):
    out = ["--output", str(tmp_path / "out")]

    assert labelVertebrae.main([boxes, *out, "--lowest", "sacrum"]) == 2
    assert labelVertebrae.main([boxes, *out, "--labels", "rib"]) == 2
    assert labelVertebrae.main([boxes, boxes, *out]) == 2
    with pytest.raises(SystemExit, match="2"):
        labelVertebrae.main([boxes, *out, "--scans", boxes, boxes])

    errors = capsys.readouterr().err
    assert "--lowest must be a vertebra" in errors
    assert "--labels must name structures of the label map. Received: 'rib'" in errors
    assert "Label maps must be given once each" in errors
    assert not (tmp_path / "out").exists()


def test_files_of_a_scan_are_kept_without_force(boxes, tmp_path, capsys):
    out = tmp_path / "out"
    flags = [boxes, "--output", str(out)]
    assert labelVertebrae.main(flags) == 0
    (out / "ann_eve_vertebrae.seg.nrrd").unlink()

    assert labelVertebrae.main(flags) == 2
    error = capsys.readouterr().err
    assert "--force replaces them" in error
    assert error.endswith("Received: " + str(out / "ann_eve_vertebrae.png") + "\n")
    (out / "ann_eve_vertebrae.nii.gz").touch()  # of an earlier --format
    assert labelVertebrae.main([*flags, "--force"]) == 0
    assert sorted(path.name for path in out.glob("ann*")) == [
        "ann_eve_vertebrae.png",
        "ann_eve_vertebrae.seg.nrrd",
    ]


def test_tables_keep_the_rows_of_other_scans(boxes, tmp_path):
    label_map, grid = box_spine()
    mask = (label_map > 0).astype(np.uint8)
    other = write(tmp_path / "ann", mask * (label_map < 4), grid, "fay.nrrd")
    out = ["--output", str(tmp_path / "out")]

    assert labelVertebrae.main([boxes, *out]) == 0
    assert labelVertebrae.main([other, *out, "--lowest", "L5"]) == 0
    assert labelVertebrae.main([boxes, *out, "--lowest", "L4", "--force"]) == 0

    rows = rows_of(tmp_path / "out" / "vertebrae.csv")
    assert [(row["scan"], row["name"]) for row in rows] == [
        *(("ann_fay", name) for name in ("L5", "L4", "L3")),
        *(("ann_eve", name) for name in ("L4", "L3", "L2", "L1", "T12")),
    ]
    spines = rows_of(tmp_path / "out" / "spines.csv")
    assert [row["scan"] for row in spines] == ["ann_fay", "ann_eve"]


@pytest.mark.parametrize("name", ["vertebrae.csv", "spines.csv"])
def test_a_table_of_another_program_is_left_alone(boxes, tmp_path, name, capsys):
    (tmp_path / "out").mkdir()
    (table := tmp_path / "out" / name).write_text("mine")

    assert labelVertebrae.main([boxes, "--output", str(tmp_path / "out"), "--force"])

    assert [path.name for path in (tmp_path / "out").iterdir()] == [name]
    assert table.read_text() == "mine"
    assert f"{table} must be a table that was written" in capsys.readouterr().err


def test_a_header_with_nan_spacing_is_refused(boxes, tmp_path, capsys):
    data = Path(boxes).read_bytes()
    (broken := tmp_path / "nan.nrrd").write_bytes(
        data.replace(b"(-2,0,0)", b"(nan,0,0)").replace(b"(2,0,0)", b"(nan,0,0)")
    )

    assert labelVertebrae.main([str(broken), "--output", str(tmp_path / "out")]) == 1
    assert "nan.nrrd" in capsys.readouterr().err


@pytest.mark.slow
def test_script_runs_from_another_folder(boxes, tmp_path):
    command = [sys.executable, str(SCRIPT), boxes, "--output", "out"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (0, "")
    assert "5 vertebrae, V1 to V5" in done.stdout
