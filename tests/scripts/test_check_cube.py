import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image
from support.cubes import clean_rows, make_label, make_row, write_cube

import checkCube
from volumes.palette import outline_color

SCRIPT = Path(checkCube.__file__)


@pytest.fixture
def cube(tmp_path):
    return write_cube(tmp_path / "cube.h5", clean_rows())


def pixels_of(path):
    with Image.open(path) as picture:
        return np.asarray(picture)


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_clean_cube_has_no_findings_and_a_picture_per_case(cube, tmp_path, capsys):
    code = checkCube.main([str(cube), "--output", str(tmp_path / "new" / "pictures")])

    printed = capsys.readouterr().out
    assert code == 0
    count, page = printed.splitlines()[-2:]
    assert count == "0 faults, 0 notes"
    assert page.startswith(f"Open {tmp_path / 'new' / 'pictures' / 'index.html'}: ")
    assert names_in(tmp_path / "new" / "pictures") == [
        "ann.png",
        "ben.png",
        "cid.png",
        "classes.csv",
        "index.html",
        "overview.png",
        "thumbnails",
    ]


def test_findings_are_printed_one_per_line_with_their_count(tmp_path, capsys):
    rows = clean_rows()
    rows[2] = replace(rows[2], label=np.zeros_like(make_label()))
    image = rows[3].image.copy()
    image[0, 0, 0] = np.nan
    rows[3] = replace(rows[3], image=image)
    cube = write_cube(tmp_path / "cube.h5", rows)

    code = checkCube.main([str(cube), "--no-pictures"])

    assert code == 1
    assert capsys.readouterr().out.splitlines() == [
        "fault  ben: no foreground: no voxel is labelled",
        "fault  cid: intensity not finite: 1 voxel (0.21 %) NaN or infinite",
        "2 faults, 0 notes",
    ]
    assert names_in(tmp_path) == ["cube.h5"]


def test_notes_follow_the_faults_and_alone_end_with_zero(tmp_path, capsys):
    rows = clean_rows()
    rows[0] = replace(rows[0], source=rows[0].source | {"orientation": "RAS"})
    noted = write_cube(tmp_path / "noted.h5", rows)
    rows[2] = replace(rows[2], label=np.zeros_like(make_label()))
    faulty = write_cube(tmp_path / "faulty.h5", rows)

    assert checkCube.main([str(noted), "--no-pictures"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2].startswith("note   ann: unusual orientation: stored as RAS")
    assert checkCube.main([str(faulty), "--no-pictures"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "fault  ben: no foreground: no voxel is labelled"
    assert lines[-1].startswith("1 fault, ")


def test_sheet_has_every_class_of_the_scan_and_its_copy(cube, tmp_path):
    checkCube.main([str(cube), "--output", str(tmp_path / "pictures")])

    sheet = pixels_of(tmp_path / "pictures" / "ann.png")
    alone = pixels_of(tmp_path / "pictures" / "ben.png")
    for label in (1, 2):
        with_copy, without = (
            (pixels == outline_color(label)).all(axis=2).sum()
            for pixels in (sheet, alone)
        )
        assert min(with_copy, without) > 13 * 13  # more than the legend's swatch


def test_case_id_that_is_not_a_file_name_is_made_safe(tmp_path):
    row = replace(clean_rows()[0], case_id="../a/b")
    cube = write_cube(tmp_path / "cube.h5", [row])

    assert checkCube.main([str(cube), "--output", str(tmp_path / "pictures")]) == 0
    assert names_in(tmp_path) == ["cube.h5", "pictures"]
    names = ["__a_b.png", "classes.csv", "index.html", "overview.png", "thumbnails"]
    assert names_in(tmp_path / "pictures") == names
    assert names_in(tmp_path / "pictures" / "thumbnails") == ["__a_b.jpg"]


@pytest.mark.parametrize(
    "name", ["mine.png", "index.html", "classes.csv", "thumbnails/mine.jpg"]
)
def test_folder_with_files_of_its_kind_is_refused(name, cube, tmp_path, capsys):
    path = tmp_path / "earlier" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"precious")

    code = checkCube.main([str(cube), "--output", str(tmp_path / "earlier")])

    assert code == 2
    assert f"Received: {name} and 0 more" in capsys.readouterr().err
    assert path.read_bytes() == b"precious"
    assert len(list((tmp_path / "earlier").iterdir())) == 1


def test_force_overwrites_pictures_and_leaves_the_others(cube, tmp_path):
    (tmp_path / "ann.png").write_bytes(b"old")
    (tmp_path / "mine.png").write_bytes(b"precious")

    assert checkCube.main([str(cube), "--output", str(tmp_path), "--force"]) == 0
    assert pixels_of(tmp_path / "ann.png").shape[0] > 300
    assert (tmp_path / "mine.png").read_bytes() == b"precious"


def test_force_removes_what_was_drawn_of_cases_of_another_cube(cube, tmp_path):
    output, (ann, _, ben, _) = tmp_path / "check", clean_rows()
    other = write_cube(tmp_path / "other.h5", [ann, replace(ben, case_id="bob")])
    assert checkCube.main([str(other), "--output", str(output)]) == 0
    (output / "thumbnails" / "mine.jpg").write_bytes(b"without a sheet")

    assert checkCube.main([str(cube), "--output", str(output), "--force"]) == 0

    sheets = ["ann.png", "ben.png", "cid.png"]
    others = ["classes.csv", "index.html", "overview.png", "thumbnails"]
    assert names_in(output) == [*sheets, *others]
    thumbnails = ["ann.jpg", "ben.jpg", "cid.jpg", "mine.jpg"]
    assert names_in(output / "thumbnails") == thumbnails


def test_affine_that_is_none_is_refused(cube, capsys):
    with h5py.File(cube, "r+") as file:
        file["affine"][3] = np.nan

    assert checkCube.main([str(cube), "--no-pictures"]) == 1
    assert "must hold a grid in `affine` of row 3" in capsys.readouterr().err


def test_subject_cannot_forge_a_line_of_findings(tmp_path, capsys):
    forged = "ann\u2028fault  ben: forged\x9b2J"  # also a line break and a sequence
    rows = [make_row("a", subject=forged), make_row("b", subject=forged, split="test")]
    cube = write_cube(tmp_path / "cube.h5", rows)

    assert checkCube.main([str(cube), "--no-pictures"]) == 1
    printed = capsys.readouterr().out
    assert "subject ann fault  ben: forged 2J is in train" in printed
    assert not {"\u2028", "\x9b"} & set(printed)


def test_output_that_is_a_file_is_refused(cube, capsys):
    assert checkCube.main([str(cube), "--output", str(cube)]) == 2
    assert "must be a folder. Received: a file" in capsys.readouterr().err


@pytest.mark.parametrize("flags", [[], ["--output", "pictures", "--no-pictures"]])
def test_output_and_no_pictures_exclude_each_other(cube, flags, capsys):
    with pytest.raises(SystemExit, match="2"):
        checkCube.main([str(cube), *flags])

    assert "Either --output DIR or --no-pictures" in capsys.readouterr().err


def test_missing_cube_is_refused_without_a_traceback(tmp_path, capsys):
    code = checkCube.main([str(tmp_path / "none.h5"), "--no-pictures"])

    assert code == 1
    assert "none.h5" in capsys.readouterr().err


def test_file_that_is_not_a_cube_is_refused(tmp_path, capsys):
    (tmp_path / "cube.h5").write_text("not HDF5")

    code = checkCube.main([str(tmp_path / "cube.h5"), "--no-pictures"])

    assert code == 1
    assert "cube.h5 is not a cube of makeCube.py" in capsys.readouterr().err


def test_script_runs_from_a_shell(cube, tmp_path):
    command = [sys.executable, str(SCRIPT), str(cube), "--output", "pictures"]

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("0 faults, 0 notes\nOpen pictures")
    assert (tmp_path / "pictures" / "overview.png").is_file()


def test_script_does_not_import_keras_nor_its_help_numpy(cube):
    code = (
        "import sys, checkCube\n"
        "early = {'numpy', 'h5py', 'PIL', 'scipy'} & set(sys.modules)\n"
        f"checkCube.main([{str(cube)!r}, '--no-pictures'])\n"
        "late = {'keras', 'tensorflow', 'numba', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(str(early | late) if early | late else 0)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=SCRIPT.parent, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
