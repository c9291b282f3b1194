import bz2
import hashlib
import itertools

import numpy as np
import pytest
from support.label_maps import LABELS, SHAPE, write_nifti
from support.nrrd_files import VOXELS, nrrd_bytes, write

from system.errors import DataError
from volumes.formats.checksums import checksum, content_checksum
from volumes.formats.files import (
    WRITTEN_SUFFIXES,
    read_label_map,
    read_volume,
    write_label_map,
)
from volumes.geometry import Grid
from volumes.volume import Volume


def test_checksum_is_that_of_the_bytes(tmp_path):
    (tmp_path / "x").write_bytes(b"abc" * 1_000_000)

    expected = hashlib.sha256(b"abc" * 1_000_000).hexdigest()

    assert checksum(tmp_path / "x") == expected
    with pytest.raises(DataError, match="must be a file that exists"):
        checksum(tmp_path / "none")
    with pytest.raises(DataError, match="Received: not a regular file"):
        checksum("/dev/zero")


@pytest.mark.parametrize("suffix", WRITTEN_SUFFIXES)
def test_a_volume_has_the_checksum_of_its_file(tmp_path, oblique_grid, suffix):
    scan = Volume(LABELS, oblique_grid, tmp_path)
    path = tmp_path / f"label{suffix}"
    write_label_map(path, LABELS, like=scan)

    expected = hashlib.sha256(path.read_bytes()).hexdigest()

    assert read_volume(path).checksum == expected
    assert read_label_map(path).checksum == expected
    assert checksum(path) == expected


def test_a_volume_has_the_checksum_of_header_and_data_file(tmp_path):
    # The skips leave bytes before the voxels that nobody reads, bzip2 some after.
    data = b"line\n" + bz2.compress(b"skipped" + VOXELS.tobytes(order="F")) + b"trailer"
    changes = {"encoding": "bzip2", "line_skip": "1", "byte_skip": "7"}
    header = nrrd_bytes(b"", data_file="scan.raw", **changes) + b"after the header"
    path = write(tmp_path, header, "scan.nhdr")
    write(tmp_path, data, "scan.raw")

    volume = read_volume(path)

    np.testing.assert_array_equal(volume.array, VOXELS)
    assert volume.checksum == hashlib.sha256(header + data).hexdigest()
    assert checksum(path) == volume.checksum


def test_checksum_of_a_detached_header_is_of_its_data_too(tmp_path):
    header = "NRRD0005\ntype: uint8\ndimension: 3\nsizes: 2 1 1\nencoding: raw\n"
    header += "spacings: 1 1 1\ndata file: scan.raw\n"
    (tmp_path / "scan.nhdr").write_text(header)
    (tmp_path / "scan.raw").write_bytes(b"ab")
    before = checksum(tmp_path / "scan.nhdr")

    (tmp_path / "scan.raw").write_bytes(b"ac")

    assert checksum(tmp_path / "scan.nhdr") != before


def test_content_checksum_sees_through_format_type_and_order_of_axes(
    tmp_path, oblique_grid
):
    array = np.arange(60, dtype=np.int16).reshape(SHAPE)
    affine = oblique_grid.affine
    first = Volume(array, oblique_grid, tmp_path)
    write_nifti(tmp_path / "same.nii.gz", array.astype(np.float64), affine)
    # The same voxels at the same places: I reversed, J and K exchanged.
    turned = affine[:, [0, 2, 1, 3]].copy()
    turned[:3, 0] *= -1
    turned[:3, 3] = oblique_grid.to_world((2, 0, 0))
    second = Volume(
        array[::-1].transpose(0, 2, 1), Grid((3, 5, 4), turned), tmp_path / "other"
    )

    sums = {
        content_checksum(first),
        content_checksum(second),
        content_checksum(read_volume(tmp_path / "same.nii.gz")),
    }

    assert len(sums) == 1


def test_content_checksum_tells_other_voxels_and_not_where_they_lie(
    tmp_path, oblique_grid
):
    array = np.arange(60, dtype=np.int16).reshape(SHAPE)
    moved = oblique_grid.affine.copy()
    moved[1, 3] += 0.01
    changed = array.copy()
    changed[2, 3, 4] += 1
    volumes = [
        Volume(array, oblique_grid, tmp_path),
        Volume(array[::-1], oblique_grid, tmp_path),
        Volume(changed, oblique_grid, tmp_path),
    ]

    for first, second in itertools.combinations(volumes, 2):
        assert content_checksum(first) != content_checksum(second)
    elsewhere = Volume(array, Grid(SHAPE, moved), tmp_path)
    assert content_checksum(elsewhere) == content_checksum(volumes[0])
