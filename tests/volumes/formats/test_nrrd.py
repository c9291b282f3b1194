import bz2
import gzip

import numpy as np
import pytest
import SimpleITK
from support.nrrd_files import SHAPE, VOXELS, nrrd_bytes, write

from system.errors import DataError
from volumes.formats.files import read_grid, read_volume, write_image, write_label_map
from volumes.geometry import Grid, affine_from


@pytest.mark.parametrize("endian", ["little", "big"])
@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("raw", bytes),
        ("gzip", gzip.compress),
        ("gz", gzip.compress),
        ("bzip2", bz2.compress),
        ("bz2", bz2.compress),
    ],
)
def test_voxels_are_exact_in_every_encoding(tmp_path, encoding, pack, endian):
    stored = VOXELS.astype({"little": "<i2", "big": ">i2"}[endian])
    content = nrrd_bytes(
        pack(stored.tobytes(order="F")), encoding=encoding, endian=endian
    )

    volume = read_volume(write(tmp_path, content))

    np.testing.assert_array_equal(volume.array, VOXELS)
    assert volume.array.dtype == np.dtype(np.int16)  # native
    assert volume.notes == ()


@pytest.mark.parametrize("encoding", ["ascii", "ASCII", "text", "txt"])
def test_voxels_written_as_text_are_exact(tmp_path, encoding):
    words = " ".join(str(value) for value in VOXELS.ravel(order="F"))
    content = nrrd_bytes(words.encode() + b"\n", encoding=encoding, endian=None)

    np.testing.assert_array_equal(read_volume(write(tmp_path, content)).array, VOXELS)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("signed char", "i1"),
        ("uchar", "u1"),
        ("uint16", "u2"),
        ("int", "i4"),
        ("unsigned int", "u4"),
        ("long long", "i8"),
        ("uint64_t", "u8"),
        ("float", "f4"),
        ("double", "f8"),
    ],
)
def test_voxels_are_exact_in_every_type(tmp_path, name, code):
    stored = (VOXELS % 100).astype("<" + code)
    content = nrrd_bytes(stored.tobytes(order="F"), type=name)

    array = read_volume(write(tmp_path, content)).array

    np.testing.assert_array_equal(array, stored)
    assert array.dtype == np.dtype(code)


@pytest.mark.parametrize("skips", [{"byte_skip": "7"}, {"byte_skip": "-1"}])
def test_a_detached_header_finds_its_data_behind_skipped_lines(tmp_path, skips):
    (tmp_path / "below").mkdir()
    data = b"two\nlines\n" + b"7 bytes" + VOXELS.tobytes(order="F")
    write(tmp_path / "below", data, "voxels.raw")
    content = nrrd_bytes(b"", line_skip="2", data_file="below/voxels.raw", **skips)

    array = read_volume(write(tmp_path, content, "scan.nhdr")).array

    np.testing.assert_array_equal(array, VOXELS)


@pytest.mark.parametrize("byte_skip", ["5", "-1"])
def test_bytes_are_skipped_after_unpacking(tmp_path, byte_skip):
    data = gzip.compress(b"other" + VOXELS.tobytes(order="F"))
    content = nrrd_bytes(data, encoding="gzip", byte_skip=byte_skip)

    np.testing.assert_array_equal(read_volume(write(tmp_path, content)).array, VOXELS)


def test_a_pair_that_bears_the_name_of_a_field_is_no_field(tmp_path):
    content = nrrd_bytes(pairs=["byte skip:=-5", "Grüße:=schön"])

    volume = read_volume(write(tmp_path, content))

    np.testing.assert_array_equal(volume.array, VOXELS)
    assert volume.header["Grüße"] == "schön"


def test_such_a_pair_is_not_written_into_label_maps_either(tmp_path):
    pair = "space directions:=(9,0,0) (0,9,0) (0,0,9)"
    path = write(tmp_path, nrrd_bytes(space_directions=None, pairs=[pair]))
    volume = read_volume(path)

    write_label_map(tmp_path / "label.nrrd", np.zeros(SHAPE, np.uint8), like=volume)

    assert volume.grid.spacing == (1, 1, 1)
    written = read_grid(tmp_path / "label.nrrd")
    np.testing.assert_array_equal(written.affine, volume.grid.affine)


def test_text_and_skipped_lines_longer_than_a_piece_are_exact(tmp_path):
    voxels = np.arange(400_000, dtype=np.int32)  # 2.7 MB of text
    data = b"#" * 3_000_000 + b"\nanother\n" + " ".join(map(str, voxels)).encode()
    fields = {"type": "int", "sizes": "100 80 50", "encoding": "text"}
    path = write(tmp_path, nrrd_bytes(data, line_skip="2", **fields))

    array = read_volume(path).array

    np.testing.assert_array_equal(array.ravel(order="F"), voxels)


def test_as_many_voxels_are_read_as_allowed(tmp_path):
    path = write(tmp_path, nrrd_bytes())

    assert read_volume(path, max_voxels=24).array.shape == SHAPE
    with pytest.raises(DataError, match=r"at most 23 voxels .* --max-voxels"):
        read_volume(path, max_voxels=23)


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

    np.testing.assert_array_equal(read_grid(path).to_world((2, 2, 3)), world)


def test_rows_of_space_directions_are_axis_vectors(tmp_path):
    directions = "(0,0,0.5) (1,0,0) (0,2,0)"  # I -> z, J -> x, K -> y
    path = write(tmp_path, nrrd_bytes(space="RAS", space_directions=directions))

    # (10 + 1, 20 + 2, 30 + 0.5)
    np.testing.assert_array_equal(read_grid(path).to_world((1, 1, 1)), (11, 22, 30.5))


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


def test_a_single_slice_is_a_volume(tmp_path):
    data = VOXELS[:, :, :1].tobytes(order="F")

    assert read_volume(write(tmp_path, nrrd_bytes(data, sizes="2 3 1"))).grid.shape == (
        2,
        3,
        1,
    )


def test_the_grid_is_read_without_the_voxels(tmp_path):
    path = write(tmp_path, nrrd_bytes(b""))

    assert read_grid(path).shape == SHAPE
    with pytest.raises(DataError, match=r"48 bytes.*Received: 0 bytes"):
        read_volume(path)


@pytest.mark.parametrize("dtype", ["int16", "uint8", "float32", "float64", "uint16"])
@pytest.mark.parametrize("space", ["LPS", "RAS", "LAS"])
def test_an_image_is_written_as_simpleitk_reads_it(
    tmp_path, oblique_grid, dtype, space
):
    array = np.arange(60).reshape(3, 4, 5).astype(dtype)
    path = tmp_path / "new" / "image.nrrd"

    write_image(path, array, oblique_grid, space=space)

    image = SimpleITK.ReadImage(str(path))
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(image).T, array)
    left, posterior, superior = image.TransformIndexToPhysicalPoint((2, 1, 4))
    np.testing.assert_allclose(
        (-left, -posterior, superior), oblique_grid.to_world((2, 1, 4)), atol=1e-6
    )
    assert SimpleITK.GetArrayFromImage(image).dtype == np.dtype(dtype)
    assert [item.name for item in path.parent.iterdir()] == ["image.nrrd"]


def test_equal_input_gives_equal_bytes(tmp_path, oblique_grid):
    array = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    write_image(tmp_path / "a.nrrd", array, oblique_grid)
    write_image(tmp_path / "b.nrrd", np.asfortranarray(array), oblique_grid)

    first, second = ((tmp_path / name).read_bytes() for name in ("a.nrrd", "b.nrrd"))

    assert first == second
    assert b"#" not in first.partition(b"\n\n")[0]  # no comment with a date


@pytest.mark.parametrize(
    ("array", "space", "message"),
    [
        (np.zeros((3, 4, 5), bool), "LPS", "dtype=bool"),
        (np.zeros((5, 4, 3)), "LPS", "shape of its grid"),
        (np.zeros((3, 4, 5)), "upside-down", "Space must be one of"),
    ],
)
def test_an_image_that_cannot_be_written_is_refused(
    tmp_path, oblique_grid, array, space, message
):
    with pytest.raises(ValueError, match=message):
        write_image(tmp_path / "image.nrrd", array, oblique_grid, space=space)

    assert list(tmp_path.iterdir()) == []


def test_a_written_grid_is_read_back_to_the_last_bit(tmp_path):
    grid = Grid(SHAPE, affine_from((0.1, 1 / 3, 2.0), (1e-17, -0.7, 1e6)))
    write_image(tmp_path / "image.nrrd", VOXELS, grid, space="RAS")

    np.testing.assert_array_equal(
        read_grid(tmp_path / "image.nrrd").affine, grid.affine
    )
