import math

import h5py
import numpy as np
import pytest
from support.cubes import CUBE_ATTRIBUTES, clean_rows, make_row, write_cube

from cube import storage
from cube.reader import Cube
from cube.storage import (
    check_grid,
    chunk_shape,
    count_bytes,
    count_chunks,
    find_stored_box,
    round_to_chunks,
)
from cube.writer import CubeRow, CubeWriter
from system.errors import DataError

EXTENT = np.array([(2, 4), (1, 3), (0, 5)])


def padded_row(value=-0.5, *, stray=None):
    """A row whose scan fills EXTENT; `stray` is a voxel outside that is not padding."""
    row = make_row("ann")
    image = np.full(row.image.shape, value, np.float16)
    image[2:4, 1:3, 0:5] = np.arange(20).reshape(2, 2, 5)
    if stray is not None:
        image[stray] = 7
    return CubeRow(**{**vars(row), "image": image, "extent": EXTENT})


@pytest.fixture
def parts(monkeypatch):
    """Chunks of 4 voxels at most, of which a slice of (8, 10) has 2 x 3 (4 x 4)."""
    monkeypatch.setattr(storage, "CHUNK_SIDE", 4)


@pytest.mark.parametrize(
    ("shape", "chunk"),
    [
        ((16, 112, 96), (1, 1, 112, 96)),
        ((16, 128, 192), (1, 1, 128, 96)),  # 192 = 2 x 96
        ((16, 129, 1008), (1, 1, 65, 126)),  # 2 x 65 = 130; 8 x 126 = 1008
        ((1, 1, 1), (1, 1, 1, 1)),
    ],
)
def test_chunks_are_slices_or_equal_parts_of_large_ones(shape, chunk):
    assert chunk_shape(shape) == chunk


def test_boxes_are_rounded_to_the_chunks_that_they_touch(parts):
    boxes = np.array([[(2, 3), (3, 5), (4, 8)], [(0, 6), (7, 8), (9, 10)]])

    rounded = round_to_chunks(boxes, (6, 8, 10))

    # Chunks begin at 0, 4 along J; at 0, 4, 8 along K, the last cut by the grid.
    assert rounded.tolist() == [
        [[2, 3], [0, 8], [4, 8]],
        [[0, 6], [4, 8], [8, 10]],
    ]
    assert count_chunks(boxes, (6, 8, 10)) == 1 * 2 * 1 + 6 * 1 * 1
    assert count_bytes(boxes, (6, 8, 10)) == 8 * 16 * 2


def test_size_of_a_mistyped_grid_does_not_overflow():
    boxes = np.array([[(0, 10**12)] * 3]).astype(object)

    assert count_bytes(boxes, (10**12,) * 3) >= 2 * 10**36


def test_stored_box_is_the_extent_where_all_else_is_one_value():
    box, padding = find_stored_box(padded_row().image, EXTENT)

    assert (box.tolist(), padding) == (EXTENT.tolist(), -0.5)


def test_stored_box_holds_voxels_that_were_moved_out_of_the_extent():
    box, _ = find_stored_box(padded_row(stray=(5, 0, 3)).image, EXTENT)

    assert box.tolist() == [[2, 6], [0, 3], [0, 5]]


def test_padding_is_compared_in_all_its_bits():
    row = padded_row(value=0.0)
    row.image[0, 7, 9] = -0.0

    box, _ = find_stored_box(row.image, EXTENT)

    assert box.tolist() == [[0, 4], [1, 8], [0, 10]]


def test_extent_of_the_whole_grid_leaves_no_padding():
    whole = np.array([(0, 6), (0, 8), (0, 10)])

    box, padding = find_stored_box(make_row("ann").image, whole)

    assert (box.tolist(), padding) == (whole.tolist(), 0)


@pytest.mark.parametrize("value", [-0.5, np.nan, -0.0])
@pytest.mark.parametrize("stray", [None, (5, 7, 9)])
def test_every_box_of_a_row_is_read_as_it_was_written(tmp_path, parts, value, stray):
    row = padded_row(value, stray=stray)
    path = write_cube(tmp_path / "cube.h5", [row, make_row("ben")])
    rng = np.random.default_rng(0)
    corners = np.sort(rng.integers(0, (7, 9, 11), (200, 2, 3)), axis=1)
    boxes = [tuple(map(slice, *pair.tolist())) for pair in corners]

    with Cube(path) as cube:
        for box in [(slice(None),) * 3, (slice(-2, None),) * 3, *boxes]:
            found, expected = cube.image(0, box), row.image[box]

            assert found.dtype == np.float16
            np.testing.assert_array_equal(
                found.view(np.uint16), np.ascontiguousarray(expected).view(np.uint16)
            )


def test_chunks_of_padding_are_not_in_the_file(tmp_path, parts):
    path = write_cube(tmp_path / "cube.h5", [padded_row()])

    with h5py.File(path) as file:
        # Two slices; one of two chunks along J, two of three along K.
        assert file["image"].id.get_num_chunks() == 2 * 1 * 2
        assert file["image"].id.get_storage_size() == 4 * 16 * 2
        assert file["stored"][0].tolist() == EXTENT.tolist()
        assert file["padding"][0] == np.float16(-0.5)


def set_column(name, value):
    def change(file):
        file[name][0] = value

    return change


def moved(file):
    """Move the boxes of the first row away from its chunks."""
    file["stored"][0] = file["extent"][0] = [(0, 2), (1, 3), (0, 5)]


def without_a_chunk(file):
    """Replace the images by others that lack a chunk of the first row's scan."""
    image = file["image"][:]
    del file["image"]
    new = file.create_dataset("image", image.shape, np.float16, chunks=(1, 1, 4, 4))
    new[1:] = image[1:]
    new[0, 2:4, 0:4, 0:4] = image[0, 2:4, 0:4, 0:4]
    new[0, 2, 0:4, 4:8] = image[0, 2, 0:4, 4:8]


def with_another_chunk(file):
    without_a_chunk(file)
    file["image"][0, 0, 0:4, 0:4] = 0


def compressed(file):
    image = file["image"][:]
    del file["image"]
    file.create_dataset("image", data=image, chunks=(1, 1, 4, 4), compression="gzip")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without_a_chunk, r"all of `image`, not compressed, 1280 bytes.* 1248"),
        (with_another_chunk, "must hold the chunks of `image` that its `stored` boxes"),
        (compressed, "all of `image`, not compressed"),
        # The whole grid is promised, of which 4 of 36 chunks are there.
        (set_column("stored", [(0, 6), (0, 8), (0, 10)]), "all of `image`, not compre"),
        (set_column("stored", [(2, 3), (1, 3), (0, 5)]), "`stored` boxes that hold"),
        (moved, "must hold the chunks of"),
        (set_column("stored", [(4, 2), (1, 3), (0, 5)]), "in `stored` boxes inside"),
        (set_column("stored", [(2, 4), (1, 3), (0, 11)]), "in `stored` boxes inside"),
        (set_column("extent", [(1, 4), (1, 3), (0, 5)]), "`stored` boxes that hold"),
        (lambda file: file.__delitem__("stored"), "lacks stored"),
        (lambda file: file.__delitem__("padding"), "lacks padding"),
    ],
)
def test_voxels_that_are_only_promised_are_refused(tmp_path, parts, change, message):
    path = write_cube(tmp_path / "cube.h5", [padded_row(), make_row("ben")])
    with h5py.File(path, "r+") as file:
        change(file)

    with pytest.raises(DataError, match=message):
        Cube(path)


def test_grid_that_no_scan_fills_is_refused(tmp_path):
    with h5py.File(tmp_path / "cube.h5", "w") as file:
        shape = (1, 2000, 128, 256)
        image = file.create_dataset("image", shape, np.float16, chunks=(1, 1, 128, 128))
        image[0, 0, :, :128] = 1

        # 131 MB in memory, for 32 kB in the file.
        assert math.prod(shape) * 2 > storage.HARMLESS_BYTES
        with pytest.raises(DataError, match="a grid that its scans fill"):
            check_grid(image, "cube.h5")


def test_images_stored_whole_by_earlier_versions_are_read(tmp_path, monkeypatch):
    rows = clean_rows()
    path = write_cube(tmp_path / "cube.h5", rows)
    with h5py.File(path, "r+") as file:
        file.attrs["format_version"] = 1
        for name in ("stored", "padding"):
            del file[name]
    monkeypatch.setattr(storage, "CHUNK_SIDE", 4)  # their chunks were whole slices

    with Cube(path) as cube:
        for number, row in enumerate(rows):
            np.testing.assert_array_equal(cube.image(number), row.image)


def test_one_huge_scan_among_small_ones_does_not_multiply_the_file(tmp_path):
    shape, rng = (64, 64, 64), np.random.default_rng(0)
    extents = [[(0, 64)] * 3] + [[(20, 28), (10, 20), (30, 40)]] * 9
    rows = []
    for number, extent in enumerate(extents):
        inside = tuple(slice(*side) for side in extent)
        image = np.full(shape, -2, np.float16)
        image[inside] = rng.normal(size=image[inside].shape)
        label = np.zeros(shape, np.uint8)
        label[inside][1:-1] = 1
        about = {"image": image, "label": label, "extent": np.array(extent)}
        rows.append(CubeRow(**{**vars(make_row(str(number))), **about}))
    path = tmp_path / "cube.h5"
    with CubeWriter(path, shape=shape, num_rows=10, attributes=CUBE_ATTRIBUTES) as cube:
        for row in rows:
            cube.add(row)

    # Slices of 64 x 64 voxels: 64 of the huge scan, 8 of each small one.
    images = (64 + 9 * 8) * 64 * 64 * 2
    assert images < path.stat().st_size < 1.1 * images
    with Cube(path) as cube, h5py.File(path) as file:
        for number, row in enumerate(rows):
            np.testing.assert_array_equal(cube.image(number), row.image)
            np.testing.assert_array_equal(cube.label(number), row.label)
        assert file["label"].id.get_num_chunks() == 64 + 9 * 8


def test_label_outside_the_scan_is_stored(tmp_path, parts):
    row = padded_row()
    row.label[5, 7, 9] = 2

    with Cube(write_cube(tmp_path / "cube.h5", [row])) as cube:
        np.testing.assert_array_equal(cube.label(0), row.label)
