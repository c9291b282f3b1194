"""Files on which a common reader gives something wrong without a word.

Each test shows what SimpleITK or pynrrd makes of the file, and that it is refused
here. One that fails after an update of theirs says that they mended it.
"""

import nrrd
import numpy as np
import pytest
import SimpleITK
from support.nrrd_files import VOXELS, nrrd_bytes, write
from support.refused_twins import REFUSED
from support.twins import write_files

from system.errors import DataError
from volumes.formats.files import read_volume

RAW = VOXELS.tobytes(order="F")


def by_simpleitk(path):
    image = SimpleITK.ReadImage(str(path))
    return SimpleITK.GetArrayFromImage(image).T, image


def test_simpleitk_takes_the_header_of_a_nifti_for_voxels(tmp_path):
    files, message = REFUSED["inside a NIfTI without a skip"]
    path = write_files(tmp_path, files)

    array, _ = by_simpleitk(path)

    assert array.flat[0] == 348  # the size of a NIfTI header, its first field
    with pytest.raises(DataError, match=message):
        read_volume(path)


@pytest.mark.parametrize(
    ("word", "theirs"),
    [("40000", 40000 - 2**16), ("1.5", 1)],  # into 16 bits
)
def test_simpleitk_forces_a_number_into_a_type_that_cannot_hold_it(
    tmp_path, word, theirs
):
    data = f"{word} {'0 ' * 23}".encode()
    path = write(tmp_path, nrrd_bytes(data, encoding="ascii"))

    array, _ = by_simpleitk(path)

    assert array[0, 0, 0] == theirs
    with pytest.raises(DataError, match="field 'type' must fit every number"):
        read_volume(path)


def test_pynrrd_wraps_a_number_that_the_type_cannot_hold(tmp_path):
    data = f"40000 {'0 ' * 23}".encode()
    path = write(tmp_path, nrrd_bytes(data, encoding="ascii"))

    assert nrrd.read(str(path))[0][0, 0, 0] == 40000 - 2**16
    with pytest.raises(DataError, match="field 'type' must fit every number"):
        read_volume(path)


@pytest.mark.parametrize(
    ("spacings", "theirs"),
    [("0.5 nan 2", (0.5, 1.0, 2.0)), ("0.5 -3 2", (0.5, 3.0, 2.0))],
)
def test_simpleitk_makes_up_a_spacing(tmp_path, spacings, theirs):
    bare = {"space": None, "space_origin": None, "space_directions": None}
    path = write(tmp_path, nrrd_bytes(spacings=spacings, **bare))

    _, image = by_simpleitk(path)

    assert image.GetSpacing() == theirs
    with pytest.raises(DataError, match="field 'spacings' must hold three positive"):
        read_volume(path)


def test_pynrrd_hands_on_axes_that_span_no_space(tmp_path):
    directions = "(1,0,0) (2,0,0) (0,0,1)"
    path = write(tmp_path, nrrd_bytes(space_directions=directions))

    _, header = nrrd.read(str(path))

    assert np.linalg.det(header["space directions"]) == 0
    with pytest.raises(DataError, match="field 'space directions' must span space"):
        read_volume(path)


def test_simpleitk_leaves_data_unread_that_the_header_does_not_promise(tmp_path):
    path = write(tmp_path, nrrd_bytes(RAW + RAW))

    array, _ = by_simpleitk(path)

    np.testing.assert_array_equal(array, VOXELS)
    with pytest.raises(DataError, match=r"48 bytes.*Received: 96 bytes"):
        read_volume(path)


def test_pynrrd_obeys_a_pair_that_bears_the_name_of_a_field(tmp_path):
    # Twelve bytes of two rows too many: what is skipped is not what was meant.
    data = RAW[:12] + RAW
    write(tmp_path, data, "voxels.raw")
    content = nrrd_bytes(b"", data_file="voxels.raw", pairs=["byte skip:=12"])
    path = write(tmp_path, content, "scan.nhdr")

    np.testing.assert_array_equal(nrrd.read(str(path))[0], VOXELS)
    with pytest.raises(DataError, match=r"48 bytes.*Received: 60 bytes"):
        read_volume(path)


def test_pynrrd_drops_letters_beyond_ascii(tmp_path):
    path = write(tmp_path, nrrd_bytes(pairs=["Ärztin:=Müller"]))

    assert nrrd.read(str(path))[1]["rztin"] == "Mller"
    assert read_volume(path).header["Ärztin"] == "Müller"


@pytest.mark.parametrize(
    "read", [lambda path: by_simpleitk(path)[0], lambda path: nrrd.read(str(path))[0]]
)
def test_both_read_any_file_of_the_disk_that_a_header_names(tmp_path, read):
    (tmp_path / "inside").mkdir()
    secret = write(tmp_path, RAW, "secret.raw")
    content = nrrd_bytes(b"", data_file=str(secret))
    path = write(tmp_path / "inside", content, "scan.nhdr")

    np.testing.assert_array_equal(read(path), VOXELS)
    with pytest.raises(DataError, match="field 'data file' must name a file in"):
        read_volume(path)
