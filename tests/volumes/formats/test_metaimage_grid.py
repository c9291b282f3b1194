import numpy as np
import pytest
import SimpleITK
from support.itk import GRIDS, TO_LPS, itk_image
from support.metaimage_files import RAW, metaimage_bytes
from support.nrrd_files import SHAPE, VOXELS, write

from system.errors import DataError
from volumes.formats.metaimage import read_metaimage, write_metaimage


def itk_affine(image):
    """The affine that SimpleITK has, turned into RAS+."""
    dimension = image.GetDimension()
    direction = np.reshape(image.GetDirection(), (dimension, dimension))[:3, :3]
    affine = np.eye(4)
    affine[:3, :3] = TO_LPS @ (direction * image.GetSpacing()[:3])
    affine[:3, 3] = TO_LPS @ image.GetOrigin()[:3]
    return affine


@pytest.mark.parametrize("name", GRIDS)
def test_the_grid_of_a_file_of_simpleitk_is_exact(tmp_path, name):
    grid = GRIDS[name][0]
    image = itk_image(np.zeros(grid.shape, np.uint8), grid)
    SimpleITK.WriteImage(image, str(tmp_path / "scan.mha"))

    volume = read_metaimage(tmp_path / "scan.mha")

    np.testing.assert_array_equal(volume.grid.affine, itk_affine(image))
    assert volume.grid.shape == grid.shape
    assert volume.notes == ()  # AnatomicalOrientation, too, agrees


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"TransformMatrix": "0 1 0 0 0 1 1 0 0", "AnatomicalOrientation": "AIR"},
        {"TransformMatrix": "2 0 0 0 1 0 0 0 1"},  # spacing (1, 1, 2)
        {"TransformMatrix": "1 0 0 0.5 1 0 0 0 1"},  # sheared
        {"TransformMatrix": None, "Rotation": "0 1 0 0 0 1 -1 0 0"},
        {"TransformMatrix": None, "Orientation": "0 1 0 0 0 1 -1 0 0"},
        {"Offset": None, "Position": "1e1 -.5 +3."},
        {"Offset": None, "Origin": "1 2 3"},
        {"Offset": None, "ImagePosition": "1 2 3"},
        {"Position": "10.0 20 3e1"},  # that of Offset again
        {"ElementSpacing": None, "ElementSize": "3 4 5"},
        {"ElementSize": "3 4 5"},
        {"ElementSpacing": None},
        {"TransformMatrix": None},
        {"Offset": None},
        {"CenterOfRotation": "5 6 7", "TransformMatrix": "0 1 0 0 0 1 1 0 0"},
        {"AnatomicalOrientation": "SRA", "DistanceUnits": "cm"},
        {"Modality": "MET_MOD_CT", "0010|0010": "somebody : = x", "Comment": "a = b"},
    ],
)
def test_a_grid_is_that_of_simpleitk(tmp_path, changes):
    path = write(tmp_path, metaimage_bytes(**changes), "scan.mha")

    affine = read_metaimage(path).grid.affine

    expected = itk_affine(SimpleITK.ReadImage(str(path)))
    np.testing.assert_array_equal(affine, expected)


def test_a_row_of_the_matrix_is_the_direction_of_an_axis(tmp_path):
    # I runs to posterior by 0.5, J to superior by 1, K to left by 2.
    content = metaimage_bytes(TransformMatrix="0 1 0 0 0 1 1 0 0")

    grid = read_metaimage(write(tmp_path, content, "scan.mha")).grid

    # (-10 - 3 * 2, -20 - 1 * 0.5, 30 + 2 * 1)
    np.testing.assert_array_equal(grid.to_world((1, 2, 3)), (-16, -20.5, 32))
    assert grid.orientation == "PSL"
    assert not np.signbit(grid.affine[grid.affine == 0]).any()  # no minus zero


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"ElementSpacing": None, "TransformMatrix": None, "Offset": None},
            [
                "no ElementSpacing: taken as 1 mm",
                "no TransformMatrix: the axes are taken to run to left, posterior, su",
                "no Offset: taken as (0, 0, 0)",
            ],
        ),
        (
            {"ElementSpacing": None, "ElementSize": "1 2 3"},
            ["no ElementSpacing: ElementSize is used"],
        ),
        ({"CenterOfRotation": "0 1 0"}, ["CenterOfRotation is not zero: ignored, as"]),
        ({"DistanceUnits": "um"}, ["lengths in 'um': taken as mm, number for number"]),
        ({"elementspacing": "1 2 3"}, []),  # an unknown field
        (
            {"ElementSpacing": None, "elementspacing": "1 2 3"},
            ["no ElementSpacing: taken as 1 mm"],
        ),
    ],
)
def test_what_was_assumed_is_noted(tmp_path, changes, words):
    volume = read_metaimage(write(tmp_path, metaimage_bytes(**changes), "scan.mha"))

    assert len(volume.notes) == len(words)
    for note, word in zip(volume.notes, words, strict=True):
        assert word in note


@pytest.mark.parametrize(
    ("letters", "agrees"),
    [
        ("RAI", True),  # from right, anterior, inferior: ITK's sense
        ("LPS", True),  # to left, posterior, superior: the documentation's sense
        ("RAS", False),
        ("LAI", False),
        ("ARI", False),
        ("PLS", False),
        ("???", True),  # unknown to ITK
        ("", True),
        ("RA", True),
        ("R" * 10_000, True),
    ],
)
def test_letters_that_contradict_the_axes_are_noted(tmp_path, letters, agrees):
    content = metaimage_bytes(AnatomicalOrientation=letters)

    volume = read_metaimage(write(tmp_path, content, "scan.mha"))

    if agrees:
        assert volume.notes == ()
    else:
        assert volume.notes == (
            f"AnatomicalOrientation {letters} contradicts the axes, which run to LPS: "
            "ignored, as ITK ignores it.",
        )


def test_letters_of_a_scan_turned_by_45_degrees_agree(tmp_path):
    cos = np.sqrt(0.5)  # I runs to left and posterior, J to right and posterior
    turned = f"{cos} {cos} 0 -{cos} {cos} 0 0 0 1"
    for letters in ("RAI", "ALI", "LPS", "PRS"):
        content = metaimage_bytes(TransformMatrix=turned, AnatomicalOrientation=letters)

        assert read_metaimage(write(tmp_path, content, "scan.mha")).notes == ()


def test_axes_of_one_voxel_after_the_third_are_dropped(tmp_path):
    content = metaimage_bytes(
        RAW,
        NDims="5",
        DimSize="2 3 4 1 1",
        ElementSpacing="0.5 1 2 7 8",
        Offset="10 20 30 4 5",
        CenterOfRotation="0 0 0 0 0",
        TransformMatrix="0 1 0 0 0  0 0 1 0 0  1 0 0 0 0  0 0 0 1 0  0 0 0 0 1",
        AnatomicalOrientation="AIR??",
    )
    path = write(tmp_path, content, "scan.mha")

    volume = read_metaimage(path)
    write_metaimage(tmp_path / "label.mha", VOXELS, volume)

    assert volume.array.shape == SHAPE
    assert volume.notes == ()
    np.testing.assert_array_equal(
        volume.grid.affine, itk_affine(SimpleITK.ReadImage(str(path)))
    )
    label = SimpleITK.ReadImage(str(tmp_path / "label.mha"))
    assert label.GetDimension() == 3
    np.testing.assert_array_equal(itk_affine(label), volume.grid.affine)
    copy = read_metaimage(tmp_path / "label.mha")
    np.testing.assert_array_equal(copy.grid.affine, volume.grid.affine)


def test_a_single_slice_is_a_volume(tmp_path):
    content = metaimage_bytes(VOXELS[:, :, :1].tobytes(order="F"), DimSize="2 3 1")

    volume = read_metaimage(write(tmp_path, content, "scan.mha"))

    assert volume.grid.shape == (2, 3, 1)


def test_simpleitk_mirrors_an_axis_of_negative_spacing(tmp_path):
    content = metaimage_bytes(ElementSpacing="-0.5 1 2")
    path = write(tmp_path, content, "scan.mha")

    image = SimpleITK.ReadImage(str(path))

    assert image.GetSpacing() == (0.5, 1, 2)
    assert image.GetDirection()[0] == -1
    with pytest.raises(DataError, match="'ElementSpacing' must hold positive numbers"):
        read_metaimage(path)
