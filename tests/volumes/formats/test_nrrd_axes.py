import numpy as np
import pytest
import SimpleITK
from support.nrrd_files import VOXELS, nrrd_bytes, write

from system.errors import DataError
from volumes.formats.files import read_volume, write_label_map

VECTORS = ["(0.5,0,0)", "(0,1,0)", "(0,0,2)"]
PLAIN = {"dimension": "4", "sizes": "2 3 4 1"}
FOUR = {
    "a list of one": (
        {"kinds": "list domain domain domain", "sizes": "1 2 3 4"},
        "none (0.5,0,0) (0,1,0) (0,0,2)",
        "axis 1 of",
    ),
    "a series of one": (
        {"kinds": "domain domain domain time", "sizes": "2 3 4 1"},
        "(0.5,0,0) (0,1,0) (0,0,2) none",
        "axis 4 of",
    ),
    "an axis in between": (
        {"kinds": "domain domain vector domain", "sizes": "2 3 1 4"},
        "(0.5,0,0) (0,1,0) none (0,0,2)",
        "axis 3 of",
    ),
    "no kinds": (
        {"kinds": None, "sizes": "1 2 3 4"},
        "none (0.5,0,0) (0,1,0) (0,0,2)",
        "axis 1 of",
    ),
    "a last axis with a direction": (
        {"kinds": None, "sizes": "2 3 4 1"},
        "(0.5,0,0) (0,1,0) (0,0,2) (7,0,0)",
        "axis 4 of",
    ),
    "two such axes": (
        {
            "kinds": "list domain domain domain time",
            "sizes": "1 2 3 4 1",
            "dimension": "5",
        },
        "none (0.5,0,0) (0,1,0) (0,0,2) none",
        "axis 1 and 5 of",
    ),
}


@pytest.mark.parametrize("name", FOUR)
def test_axes_of_length_one_are_dropped_and_said(tmp_path, name):
    changes, directions, note = FOUR[name]
    changes = {**PLAIN, **changes, "space_directions": directions}

    volume = read_volume(write(tmp_path, nrrd_bytes(**changes)))

    np.testing.assert_array_equal(volume.array, VOXELS)
    expected = read_volume(write(tmp_path, nrrd_bytes(), "plain.nrrd"))
    np.testing.assert_array_equal(volume.grid.affine, expected.grid.affine)
    assert [text for text in volume.notes if note in text]


def test_label_map_of_such_a_scan_is_three_dimensional(tmp_path):
    changes, directions, _ = FOUR["a list of one"]
    changes = {**PLAIN, **changes, "space_directions": directions}
    volume = read_volume(write(tmp_path, nrrd_bytes(**changes)))

    write_label_map(tmp_path / "label.nrrd", VOXELS.astype(np.uint16), like=volume)

    image = SimpleITK.ReadImage(str(tmp_path / "label.nrrd"))
    assert image.GetSize() == (2, 3, 4)
    np.testing.assert_allclose(image.GetSpacing(), (0.5, 1, 2))
    np.testing.assert_allclose(image.GetOrigin(), (10, 20, 30))


def test_single_slice_keeps_its_axis(tmp_path):
    # Two axes of length 1: the time is dropped, the slice is not.
    content = nrrd_bytes(
        VOXELS[:, :, :1].tobytes(order="F"),
        dimension="4",
        sizes="1 2 3 1",
        kinds="time domain domain domain",
        space_directions="none (0.5,0,0) (0,1,0) (0,0,2)",
    )

    volume = read_volume(write(tmp_path, content))

    np.testing.assert_array_equal(volume.array, VOXELS[:, :, :1])
    np.testing.assert_allclose(volume.grid.spacing, (0.5, 1, 2))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sizes": "2 3 4 5"}, r"Axis 4 has length 5: .* only axes of length 1"),
        (
            {"sizes": "2 3 4 1", "kinds": "list domain domain domain"},
            "2 layers",  # three axes would be left, but not of a volume
        ),
        (
            {"sizes": "3 2 4 1", "kinds": "RGB-color domain domain domain"},
            r"4-D data .*RGB-color.*Axis 1 has length 3",
        ),
        ({"sizes": "2 3 4 1", "kinds": "domain domain domain"}, "dimension = 4 words"),
    ],
)
def test_more_than_one_volume_is_refused_with_its_axis(tmp_path, changes, message):
    changes = {**PLAIN, "kinds": None, "space_directions": None, **changes}

    with pytest.raises(DataError, match=message):
        read_volume(write(tmp_path, nrrd_bytes(**changes)))
