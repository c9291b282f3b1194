import numpy as np
import pytest
import SimpleITK
from support.nrrd_files import SHAPE, VOXELS, nrrd_bytes, write

from volumes.formats.files import read_volume, write_image
from volumes.geometry import Grid, affine_from

ROTATION = np.array(  # 30 degrees about z, then axes permuted and one flipped
    [[0, 0.5, np.cos(np.pi / 6)], [0, np.cos(np.pi / 6), -0.5], [-1, 0, 0]]
)


@pytest.mark.parametrize(
    "space",
    [
        "LPS",
        "RAS",
        "LAS",
        "left-posterior-superior",
        "right-anterior-superior",
        "left-anterior-superior",
        None,
    ],
)
@pytest.mark.parametrize("direction", [np.eye(3), ROTATION])
def test_a_landmark_lies_where_simpleitk_puts_it(tmp_path, space, direction):
    columns = direction * (0.5, 1.25, 3.0)
    rows = " ".join(f"({','.join(repr(float(x)) for x in row)})" for row in columns.T)
    extra = {"space_dimension": "3"} if space is None else {}
    content = nrrd_bytes(
        space=space, space_directions=rows, space_origin="(-70.5,12.25,800)", **extra
    )
    if space is None:  # `space dimension` has to stand before the vectors
        content = content.replace(b"space dimension: 3\n", b"", 1).replace(
            b"sizes:", b"space dimension: 3\nsizes:"
        )
    path = write(tmp_path, content)

    volume = read_volume(path)

    image = SimpleITK.ReadImage(str(path))
    left, posterior, superior = image.TransformIndexToPhysicalPoint((1, 2, 3))
    np.testing.assert_allclose(
        volume.grid.to_world((1, 2, 3)), (-left, -posterior, superior), atol=1e-6
    )
    np.testing.assert_allclose(volume.grid.spacing, image.GetSpacing(), rtol=1e-6)
    assert image.GetPixel(1, 2, 3) == volume.array[1, 2, 3] == 123
    assert len(volume.notes) == (space is None)


@pytest.mark.parametrize(
    ("space", "world"),
    [("LPS", (-11, -22, 36)), ("RAS", (11, 22, 36)), ("LAS", (-11, 22, 36))],
)
def test_a_landmark_is_turned_into_ras_by_hand(tmp_path, space, world):
    # Origin (10, 20, 30) + (2 * 0.5, 2 * 1, 3 * 2), then signs.
    path = write(tmp_path, nrrd_bytes(space=space))

    np.testing.assert_array_equal(read_volume(path).grid.to_world((2, 2, 3)), world)


def test_rows_of_space_directions_are_axis_vectors(tmp_path):
    directions = "(0,0,0.5) (1,0,0) (0,2,0)"  # I -> z, J -> x, K -> y
    path = write(tmp_path, nrrd_bytes(space="RAS", space_directions=directions))

    # (10 + 1, 20 + 2, 30 + 0.5)
    grid = read_volume(path).grid
    np.testing.assert_array_equal(grid.to_world((1, 1, 1)), (11, 22, 30.5))


def test_a_bare_header_says_all_that_was_assumed(tmp_path):
    content = nrrd_bytes(space=None, space_directions=None, space_origin=None)
    path = write(tmp_path, content)

    volume = read_volume(path)

    for word in ("no space:", "no spacing", "no space directions", "no space origin"):
        assert sum(word in note for note in volume.notes) == 1
    # 1 mm along left, posterior, superior.
    np.testing.assert_array_equal(volume.grid.to_world((1, 2, 3)), (-1, -2, 3))


@pytest.mark.parametrize("directions", [None, "none none none"])
def test_plain_spacings_are_honoured_as_simpleitk_does(tmp_path, directions):
    content = nrrd_bytes(
        space=None,
        space_origin=None,
        space_directions=directions,
        spacings="0.5 1.25 3",
    )
    if directions:
        content = content.replace(b"sizes:", b"space dimension: 3\nsizes:")
    path = write(tmp_path, content)

    volume = read_volume(path)

    assert volume.grid.spacing == (0.5, 1.25, 3.0)
    assert not any("no spacing" in note for note in volume.notes)
    if directions is None:
        image = SimpleITK.ReadImage(str(path))
        left, posterior, superior = image.TransformIndexToPhysicalPoint((1, 2, 3))
        np.testing.assert_allclose(
            volume.grid.to_world((1, 2, 3)), (-left, -posterior, superior)
        )


def test_other_units_and_spaces_are_noted(tmp_path):
    content = nrrd_bytes(space="scanner-xyz", space_units='"microns" "microns" "mm"')

    notes = read_volume(write(tmp_path, content)).notes

    assert "scanner-xyz does not tell left from right" in notes[0]
    assert "lengths in microns, mm" in notes[1].replace("mm, microns", "microns, mm")


def test_a_written_grid_is_read_back_to_the_last_bit(tmp_path):
    grid = Grid(SHAPE, affine_from((0.1, 1 / 3, 2.0), (1e-17, -0.7, 1e6)))
    write_image(tmp_path / "image.nrrd", VOXELS, grid, space="RAS")

    np.testing.assert_array_equal(
        read_volume(tmp_path / "image.nrrd").grid.affine, grid.affine
    )
