"""File locations: unusual names, read-only folders, files in the place of folders."""

import os

import numpy as np
import pytest
from support.scans import GRID, beside_the_scans, build, write_scans
from support.small_runs import TINY

import checkCube
import makeCube
import predict
import train
from cube.reader import Cube
from volumes.formats.files import read_label_map, write_image

UNUSUAL_NAMES = (
    "with space",
    "Größe ß é",
    'it\'s "quoted"',
    "山 ключ",
    "50 % $HOME; {x} & *",
    "comma, (bracket)",
)


@pytest.fixture(scope="module")
def read_only_folder(tmp_path_factory):
    """A read-only folder."""
    folder = tmp_path_factory.mktemp("closed")
    folder.chmod(0o555)
    if os.access(folder, os.W_OK):  # root may write anywhere
        folder.chmod(0o755)
        pytest.skip("this user may write anywhere")
    yield folder
    folder.chmod(0o755)


def write_unusual_scans(folder, name):
    """Write two scans and their pair list, all with an unusual name."""
    folder = folder / name
    folder.mkdir()
    lines = []
    for number in range(2):
        image = np.random.default_rng(number).integers(0, 900, GRID.shape)
        label = np.zeros(GRID.shape, np.uint8)
        label[2:11, 3:8, 2:4] = 1
        paths = [folder / f"{name} {number}{end}.nrrd" for end in ("", "_label")]
        write_image(paths[0], image.astype(np.int16), GRID)
        write_image(paths[1], label, GRID)
        lines.append(",".join('"' + p.name.replace('"', '""') + '"' for p in paths))
    (folder / f"{name}.txt").write_text("\n".join(lines), encoding="utf-8")
    return folder


@pytest.mark.parametrize("name", UNUSUAL_NAMES)
def test_cube_is_built_and_checked_under_unusual_names(tmp_path, name):
    folder = write_unusual_scans(tmp_path, name)
    cube = folder / f"{name}.h5"
    flags = ["--copies", "1", "--validation", "0", "--workers", "1"]

    code = makeCube.main([str(folder / f"{name}.txt"), "--output", str(cube), *flags])

    assert code == 0
    with Cube(cube) as built:
        assert sorted(set(built.case_ids)) == [f"{name} 0", f"{name} 1"]
        assert built.sources[0]["image"] == str(folder / f"{name} 0.nrrd")
    pictures = folder / f"{name} pictures"
    checkCube.main([str(cube), "--output", str(pictures)])
    assert (pictures / "overview.png").is_file()


@pytest.mark.slow
def test_network_is_trained_and_used_under_unusual_names(
    small_cube, small_run, tmp_path, capfd
):
    name = 'it\'s "ä" % {x}'
    folder = tmp_path / name
    folder.mkdir()
    model, scan = folder / f"{name}.keras", folder / f"{name}.nrrd"
    model.write_bytes((small_run / "model.keras").read_bytes())
    scan.write_bytes((small_cube.parent / "cid.nrrd").read_bytes())
    flags = ["--model", "unet2d", "--epochs", "1", *TINY]

    assert train.main([str(small_cube), "--output", str(folder / "run"), *flags]) == 0
    code = predict.main(
        [str(scan), "--model", str(model), "--output", str(folder / "labels")]
    )

    assert code == 0
    label_map = read_label_map(folder / "labels" / f"{name}_{name}_label.seg.nrrd")
    assert label_map.array.shape == (8, 10, 7)
    assert (folder / "run" / "checkpoint" / "state.npz").is_file()


def test_cube_in_a_read_only_folder_is_refused_at_once(read_only_folder, capsys):
    words = ["no such list.txt", "--output", str(read_only_folder / "new" / "cube.h5")]

    assert makeCube.main(words) == 2

    error = capsys.readouterr().err
    assert f"no permission to write in {read_only_folder}." in error


def test_label_maps_in_a_read_only_folder_are_refused_at_once(read_only_folder, capsys):
    flags = ["--model", "no such model", "--output", str(read_only_folder)]

    assert predict.main(["scan.nrrd", *flags]) == 2

    assert f"no permission to write in {read_only_folder}." in capsys.readouterr().err


def test_run_in_a_read_only_folder_is_refused_at_once(
    small_cube, read_only_folder, capsys
):
    code = train.main([str(small_cube), "--output", str(read_only_folder / "run")])

    assert code == 2
    error = capsys.readouterr().err
    assert str(read_only_folder / "run") in error
    assert error.count("\n") == 1


def test_file_in_the_place_of_a_folder_is_refused_at_once(tmp_path, capsys):
    scans = write_scans(tmp_path)
    (scans / "file").touch()

    words = [str(scans / "pairs.txt"), "--output", str(scans / "file" / "cube.h5")]
    assert makeCube.main(words) == 2
    assert f"{scans / 'file'} is a file." in capsys.readouterr().err

    flags = ["--model", "no such model", "--output", str(scans / "file")]
    assert predict.main([str(scans / "ann.nrrd"), *flags]) == 2
    assert f"{scans / 'file'} is a file." in capsys.readouterr().err


def test_file_in_the_place_of_the_finished_cases_is_refused(tmp_path, capsys):
    scans = write_scans(tmp_path)
    (scans / "cube.h5.parts").write_text("mine")

    assert build(scans, "--copies", 0) == 1

    assert "cube.h5.parts: could not be written: File exists" in capsys.readouterr().err
    assert beside_the_scans(scans) == ["cube.h5.parts"]


def test_folder_in_the_place_of_a_file_is_refused(tmp_path, capsys):
    folder = str(tmp_path)

    assert makeCube.main([folder, "--output", str(tmp_path / "cube.h5")]) == 1
    assert "could not be read: Is a directory" in capsys.readouterr().err
    assert checkCube.main([folder, "--no-pictures"]) == 1
    assert f"{folder}: no such cube" in capsys.readouterr().err
    assert train.main([folder, "--output", str(tmp_path / "run")]) == 1
    assert f"{folder}: no such cube" in capsys.readouterr().err
    labels = str(tmp_path / "labels")
    assert predict.main(["a.nrrd", "--model", folder, "--output", labels]) == 1
    assert f"{folder}: no such model" in capsys.readouterr().err
