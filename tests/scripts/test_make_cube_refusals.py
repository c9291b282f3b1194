import h5py
import numpy as np
import pytest
from support.scans import (
    DIRECTION,
    GRID,
    NAMES,
    beside_the_scans,
    build,
    write_list,
    write_scan,
    write_scans,
)

from cube import resources
from cube.reader import Cube
from volumes.formats.files import write_image
from volumes.geometry import Grid, affine_from

SMALL = ("--copies", 0, "--spacing", 3)


@pytest.fixture
def scans(tmp_path):
    return write_scans(tmp_path)


def write_other_cube(path):
    """Write an HDF5 file, as any cube is."""
    with h5py.File(path, "w") as file:
        file["precious"] = 1


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--rotation", "-3"], "--rotation must be 0 or more, or none. Received: -3"),
        (["--noise", "nan"], "--noise must be 0 or more, or none. Received: nan"),
        (["--blur", "inf"], "--blur must be 0 or more, or none. Received: inf"),
        (["--elastic", "big"], "--elastic must be 0 or more, or none. Received: big"),
        (["--rotation", "1e308"], "--rotation must be 0 to 360. Received: 1e+308"),
        (["--blur", "1e6"], "--blur must be 0 to 100. Received: 1e+06"),
        (["--bias-field", "1e10"], "--bias-field must be 0 to 10. Received: 1e+10"),
        (["--gamma", "1e-4", "1"], "--gamma must be 0.001 to 1000. Received: 0.0001 1"),
        (["--rescaling", "0.9"], "--rescaling takes two positive values"),
        (["--rescaling", "0", "1"], "--rescaling takes two positive values"),
        (["--contrast", "0.8"], "--contrast takes two positive values"),
        (["--contrast", "0", "1.2"], "--contrast takes two positive values"),
        (["--contrast", "1", "2", "3"], "or none. Received: 1 2 3"),
        (["--gamma", "none", "2"], "or none. Received: none 2"),
        (["--shift", "-3"], "--shift must be 0 or more, or none. Received: -3"),
        (["--spacing", "1", "2"], "--spacing takes one or three positive values"),
        (["--spacing", "0"], "--spacing takes one or three positive values"),
        (["--spacing", "1", "nan", "1"], "--spacing takes one or three positive"),
        (["--spacing", "inf"], "in mm. Received: [inf]"),
        (["--spacing", "1", "--side", "9"], "--spacing and --side must not be given"),
        (["--side", "0"], "--side must be 1 or more. Received: 0"),
        (["--shape", "8", "0", "8"], "--shape must be positive. Received: [8, 0, 8]"),
        (["--copies", "-1"], "--copies must be 0 or more. Received: -1"),
        (["--seed", "-1"], "--seed must be 0 or more. Received: -1"),
        (["--workers", "0"], "--workers must be 1 or more. Received: 0"),
        (["--max-voxels", "0"], "--max-voxels must be 1 or more. Received: 0"),
        (["--validation", "1.1"], "--validation must be in [0, 1]. Received: 1.1"),
        (["--test", "-0.1"], "--test must be in [0, 1]. Received: -0.1"),
        (["--test", "nan"], "--test must be in [0, 1]. Received: nan"),
        (["--intensity", "ct"], "--intensity takes auto, zscore, or window LOW HIGH"),
        (["--intensity", "window", "3"], "HIGH. Received: window 3"),
        (["--intensity", "window", "3", "3"], "--intensity takes auto, zscore, or"),
        (["--intensity", "window", "0", "1e-320"], "must be 1e-06 wide or more"),
        (["--intensity", "window", "0", "inf"], "--intensity takes auto, zscore, or"),
        (["--intensity", "window", "nan", "3"], "--intensity takes auto, zscore, or"),
    ],
    ids=" ".join,
)
def test_wrong_values_are_refused_by_the_name_of_the_flag(
    tmp_path, capsys, flags, message
):
    with pytest.raises(SystemExit, match="2"):
        build(tmp_path, *flags)

    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--elastic", 13], "Elastic displacement must be at most 12.9 mm"),
        (["--flip", 1.5], "probability of flip must lie in [0, 1]. Received: p=1.5"),
        (["--low-resolution", 0.5], "factor must be 1 or more. Received: 0.5"),
        (["--gamma", 1.5, 0.7], "Gamma exponents must be positive and in order"),
        (["--rescaling", 2, 1], "Rescaling factors must be positive and in order"),
        (["--contrast", 1.2, 0.8], "order. Received: low=1.2, high=0.8"),
        (["--labels", 20, 99], "must occur in the label maps"),
        (["--copies", 10**6], "must have at most 1048576 rows. Received: 4 scans and"),
        (["--copies", 2, "--shift", 900], "of the scan. Received: an empty copy; use"),
        (["--labels", "L1"], "need label maps whose values have names"),
        (["--labels", "T11=99"], "At least one class must occur in the label maps"),
        (["--validation", 0.7, "--test", 0.7], "must be left to train on"),
    ],
)
def test_values_that_do_not_fit_exit_with_2(scans, capsys, flags, message):
    assert build(scans, *flags) == 2

    assert message in capsys.readouterr().err
    assert beside_the_scans(scans) == []


def test_cube_that_does_not_fit_into_memory_is_refused(scans, capsys, monkeypatch):
    monkeypatch.setattr(resources, "available_memory", lambda: 10**4)

    assert build(scans) == 2

    assert "of memory, but 0 MB are free" in capsys.readouterr().err
    assert beside_the_scans(scans) == []


def test_scan_of_more_voxels_than_allowed_is_refused(scans, capsys):
    # 14 * 11 * 6 = 924.
    assert build(scans, "--max-voxels", 923) == 1

    error = capsys.readouterr().err.splitlines()
    assert len(error) == len(NAMES)
    assert "ann.nrrd: field 'sizes' must be positive and at most 923 voxels" in error[0]
    assert build(scans, "--max-voxels", 924, "--copies", 0) == 0


def test_two_contrasts_of_a_person_are_refused_or_settled(scans, capsys):
    for name in NAMES[1:]:
        label = np.zeros(GRID.shape, np.uint8)
        label[2:6, 3:8, 2:4] = 1 + NAMES.index(name)
        write_scan(scans, name, label=label)
    for source, target in (("ann", "1_t1"), ("ben", "1_t2")):
        (scans / f"{source}.nrrd").rename(scans / f"{target}.nrrd")
    lines = ["1_t1.nrrd,ann_label.nrrd", "1_t2.nrrd,ben_label.nrrd"]
    others = [f"{name}.nrrd,{name}_label.nrrd" for name in NAMES[2:]]
    flags = ("--copies", 0, "--spacing", 3)

    write_list(scans, [*lines, *others])
    assert build(scans, *flags) == 1
    error = capsys.readouterr().err
    assert "'1_t1' and '1_t2' (1_t1.nrrd and 1_t2.nrrd differ only in" in error
    assert not (scans / "cube.h5").exists()

    assert build(scans, *flags, "--allow-same-person") == 0
    assert "taken for different persons: '1_t1' and '1_t2'" in capsys.readouterr().out
    write_list(scans, [*(line + ",p1" for line in lines), *others])
    assert build(scans, *flags, "--force") == 0
    assert "persons" not in capsys.readouterr().out


def test_swapped_pair_is_refused_and_accepted_only_by_the_flag(scans, capsys):
    lines = [f"{name}.nrrd,{name}_label.nrrd" for name in NAMES]
    lines[2] = "cid_label.nrrd,cid.nrrd"
    (scans / "pairs.txt").write_text("\n".join(lines))

    assert build(scans, *SMALL) == 1
    fault = capsys.readouterr().err
    assert "The label map of case 'cid_label' cannot be one: it has " in fault
    assert "values, and the image only 3; image and label map may be swapped" in fault
    assert "line 3 of the pair list, or use --allow-unlikely" in fault
    flags = ("--allow-unlikely", "--allow-same-person", "--labels", 20, 21)
    assert build(scans, *SMALL, *flags) == 0


def test_swapped_pair_of_a_ct_is_told_by_its_image(scans, capsys):
    write_scan(scans, "cid", image=np.full(GRID.shape, -5, np.int16))
    lines = [f"{name}.nrrd,{name}_label.nrrd" for name in NAMES]
    lines[2] = "cid_label.nrrd,cid.nrrd"
    (scans / "pairs.txt").write_text("\n".join(lines))

    assert build(scans, *SMALL) == 1
    fault = capsys.readouterr().err
    assert "integers from 0 to 65535. Received: -5; the image" in fault
    assert "the two may be swapped in line 3 of the pair list." in fault


def test_cube_of_a_scan_with_a_wrong_spacing_is_refused(scans, capsys):
    kilometres = Grid(GRID.shape, affine_from((1e6, 1e6, 1e6)))
    for name in ("ann", "ann_label"):
        write_image(scans / f"{name}.nrrd", np.ones(GRID.shape, np.uint8), kilometres)

    assert build(scans, "--spacing", 1) == 2

    assert "GB free. A coarser --spacing" in capsys.readouterr().err
    assert beside_the_scans(scans) == []


def test_existing_cube_is_replaced_only_with_force(scans, capsys):
    cube = scans / "cube.h5"
    write_other_cube(cube)

    assert build(scans) == 2
    assert f"{cube} exists; --force replaces it" in capsys.readouterr().err
    assert h5py.is_hdf5(cube)

    assert build(scans, "--force", "--copies", 0) == 0
    with Cube(cube) as replaced:
        assert len(replaced) == 4


@pytest.mark.parametrize("flag", ["--force", "--resume"])
def test_file_that_is_no_cube_is_never_replaced(scans, flag, capsys):
    (scans / "model.keras").write_bytes(b"precious")

    assert build(scans, "--output", scans / "model.keras", flag) == 2

    assert "--force replaces cubes only. Received: " in capsys.readouterr().err
    assert (scans / "model.keras").read_bytes() == b"precious"


@pytest.mark.parametrize("name", ["pairs.txt", "ann.nrrd"])
def test_inputs_are_not_replaced_even_with_force(scans, name, capsys):
    before = (scans / name).read_bytes()

    assert build(scans, "--output", scans / name, "--force") == 2

    assert "is an input of the cube" in capsys.readouterr().err
    assert (scans / name).read_bytes() == before


@pytest.mark.parametrize(
    "flags", [("--spacing", 1e-8), ("--spacing", 1e8), ("--side", 10**10)]
)
def test_impossible_voxel_sizes_exit_with_2(scans, flags, capsys):
    assert build(scans, *flags) == 2
    assert (
        "The voxels of a cube must measure 1e-06 to 1e+06 mm" in capsys.readouterr().err
    )


def test_cube_much_coarser_than_a_scan_exits_with_2(scans, capsys):
    assert build(scans, "--spacing", 5000) == 2
    assert "1000 times coarser than a scan's" in capsys.readouterr().err


def test_folder_is_not_replaced_even_with_force(scans, capsys):
    (scans / "cube.h5").mkdir()

    assert build(scans, "--force") == 2

    assert "is a folder" in capsys.readouterr().err


def test_every_broken_pair_is_named_before_anything_is_written(scans, capsys):
    shifted = Grid(GRID.shape, affine_from((0.9, 1.1, 3), (-70, 12, 805), DIRECTION))
    write_scan(scans, "ben", label_grid=shifted)
    write_scan(scans, "cid", label=np.full(GRID.shape, 0.5, np.float32))

    assert build(scans) == 1

    error = capsys.readouterr().err
    assert "case 'ben' are on different grids" in error
    assert "corners are up to 5.000 mm apart" in error
    assert "cid_label.nrrd: the values of a label map must be integers" in error
    assert beside_the_scans(scans) == []


def test_scan_that_is_not_finite_leaves_no_half_cube(scans, capsys):
    image = np.ones(GRID.shape, np.float32)
    image[0, 0, :2] = np.nan
    write_scan(scans, "cid", image=image)

    assert build(scans) == 1

    error = capsys.readouterr().err
    assert "cid.nrrd must hold finite values. Received: 2 NaN" in error
    assert "Traceback" not in error
    assert beside_the_scans(scans) == []


def test_failure_with_force_keeps_the_existing_cube(scans):
    write_other_cube(scans / "cube.h5")
    before = (scans / "cube.h5").read_bytes()
    write_scan(scans, "dan", image=np.full(GRID.shape, np.inf, np.float32))

    assert build(scans, "--force") == 1

    assert (scans / "cube.h5").read_bytes() == before
    assert beside_the_scans(scans) == ["cube.h5"]


def test_scan_listed_under_two_names_is_refused_unless_allowed(scans, capsys):
    (scans / "dan.nrrd").write_bytes((scans / "ben.nrrd").read_bytes())

    assert build(scans) == 1
    assert "these are the same: ben and dan" in capsys.readouterr().err

    assert build(scans, "--allow-duplicates", "--copies", 0) == 0


def test_label_maps_without_any_structure_are_refused(scans, capsys):
    for name in NAMES:
        write_scan(scans, name, label=np.zeros(GRID.shape, np.uint8))

    assert build(scans) == 1

    assert "at least one value above 0" in capsys.readouterr().err


def test_subject_that_may_be_a_split_is_noted_before_the_scans_are_read(scans, capsys):
    (scans / "cid.nrrd").write_text("damaged")
    (scans / "pairs.txt").write_text("cid.nrrd,cid_label.seg.nrrd,validaton\n")
    (scans / "cid_label.seg.nrrd").touch()

    assert build(scans) == 1

    error = capsys.readouterr().err
    assert "pairs.txt: line 1: 'validaton' was taken for a subject. Did you" in error


def test_missing_list_and_missing_scan_are_refused(scans, capsys):
    (scans / "cid.nrrd").unlink()
    assert build(scans) == 1
    assert "cid.nrrd does not exist" in capsys.readouterr().err

    (scans / "pairs.txt").unlink()
    assert build(scans) == 1
    assert "pairs.txt: could not be read" in capsys.readouterr().err
