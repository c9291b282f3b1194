import bz2
import dataclasses
import gzip
import hashlib
import itertools

import numpy as np
import pytest
import SimpleITK
from support.label_maps import LABELS, SEGMENTS, SHAPE, write_nifti
from support.nrrd_files import VOXELS, nrrd_bytes, write

from system.errors import DataError
from volumes.formats.files import (
    checksum,
    content_checksum,
    read_label_map,
    read_volume,
    stem_of,
    write_image,
    write_label_map,
)
from volumes.geometry import Grid
from volumes.volume import Volume

WRITTEN = (".seg.nrrd", ".nrrd", ".nii.gz", ".nii", ".mha")


@pytest.mark.parametrize("name", ["scan.dcm", "scan.mhz", "nrrd", "scan.gz"])
def test_other_formats_are_refused_with_those_that_are_read(tmp_path, name):
    with pytest.raises(DataError, match=r"must end in \.seg\.nrrd, .*Received"):
        read_volume(tmp_path / name)


@pytest.mark.parametrize("name", ["scan.nrrd", "scan.nii.gz", "scan.mha"])
def test_a_missing_file_is_refused(tmp_path, name):
    with pytest.raises(DataError, match=f"{name}: .*no such file"):
        read_volume(tmp_path / name)
    (tmp_path / name).mkdir()
    with pytest.raises(DataError, match=f"{name}: .*not a regular file"):
        read_volume(tmp_path / name)


def test_a_stem_loses_the_whole_ending():
    assert stem_of("a/verse.014.seg.nrrd") == "verse.014"
    assert stem_of("sub-1_ct.NII.GZ") == "sub-1_ct"
    assert stem_of("1_t1.mhd") == "1_t1"


def test_the_stem_of_a_folder_is_its_name(tmp_path, monkeypatch):
    series = tmp_path / "ann_1.2"
    series.mkdir()
    monkeypatch.chdir(series)

    assert stem_of(series) == "ann_1.2"
    assert stem_of(".") == "ann_1.2"


@pytest.mark.parametrize(
    ("values", "note"),
    [
        ([1.0004, 2.9996], "Label values up to 0.0004 off an integer: rounded."),
        ([-0.0004, 65535.0004], "Label values up to 0.0004 off an integer: rounded."),
        ([1.0, 3.0], ""),
    ],
)
def test_labels_next_to_integers_are_rounded_and_said(
    tmp_path, oblique_grid, values, note
):
    array = np.zeros(SHAPE)
    array.flat[[5, 9]] = values
    write_image(tmp_path / "label.nrrd", array, oblique_grid)

    label_map = read_label_map(tmp_path / "label.nrrd")

    np.testing.assert_array_equal(label_map.array.flat[[5, 9]], np.rint(values))
    assert label_map.array.dtype == np.uint16
    assert (label_map.notes[-1] if note else "") == note


def test_labels_stored_as_floats_are_fine(tmp_path, oblique_grid):
    write_image(tmp_path / "label.nrrd", LABELS.astype(np.float32), oblique_grid)

    array = read_label_map(tmp_path / "label.nrrd").array

    assert array.dtype == np.uint16
    np.testing.assert_array_equal(array, LABELS)


@pytest.mark.parametrize(
    ("dtype", "values", "shown"),
    [
        (np.int16, [-1, -2], "Received: -2, -1$"),
        (np.float32, [0.5, 2.25], r"Received: 0\.5, 2\.25$"),
        (np.float64, [1.002], r"Received: 1\.002$"),
        (np.float64, [np.nan], "Received: nan$"),
        (np.float32, [np.inf], "Received: inf$"),
        (np.int32, [70000], "Received: 70000$"),
        (
            np.int16,
            range(-7, 0),
            "-5, -4, -3 and 2 others; it may be a scan in place of its",
        ),
    ],
)
def test_values_that_are_no_labels_are_refused_and_shown(
    tmp_path, oblique_grid, dtype, values, shown
):
    array = np.zeros(SHAPE, dtype)
    array.flat[5 : 5 + len(values)] = values
    write_image(tmp_path / "label.nrrd", array, oblique_grid)

    with pytest.raises(DataError, match=shown):
        read_label_map(tmp_path / "label.nrrd")


@pytest.mark.parametrize("name", ["scan.nrrd", "scan.nii", "scan.mha"])
def test_want_of_memory_is_told(tmp_path, monkeypatch, name):
    def read(path, max_voxels):
        raise MemoryError

    for reader in ("read_nrrd", "read_nifti", "read_metaimage"):
        monkeypatch.setattr(f"volumes.formats.files.{reader}", read)

    with pytest.raises(DataError, match=f"{name}: out of memory while reading"):
        read_volume(tmp_path / name)


def test_checksum_is_that_of_the_bytes(tmp_path):
    (tmp_path / "x").write_bytes(b"abc" * 1_000_000)

    expected = hashlib.sha256(b"abc" * 1_000_000).hexdigest()

    assert checksum(tmp_path / "x") == expected
    with pytest.raises(DataError, match="must be a file that exists"):
        checksum(tmp_path / "none")
    with pytest.raises(DataError, match="Received: not a regular file"):
        checksum("/dev/zero")


@pytest.mark.parametrize("suffix", WRITTEN)
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


@pytest.mark.parametrize("suffix", WRITTEN)
@pytest.mark.parametrize("scan", ["nrrd_scan", "nifti_scan"])
def test_a_label_map_lies_on_its_scan_for_simpleitk(tmp_path, request, scan, suffix):
    scan = request.getfixturevalue(scan)
    path = tmp_path / f"label{suffix}"

    write_label_map(path, LABELS, like=scan, segments=SEGMENTS)

    written, like = (SimpleITK.ReadImage(str(item)) for item in (path, scan.path))
    exact = (suffix in (".nii", ".nii.gz")) == (scan.nifti is not None)
    tolerance = 1e-6 if exact else 1e-4  # NIfTI keeps single precision
    for field in ("Origin", "Spacing", "Direction"):
        first, second = (getattr(image, f"Get{field}")() for image in (written, like))
        np.testing.assert_allclose(first, second, atol=tolerance)
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(written).T, LABELS)
    np.testing.assert_array_equal(read_label_map(path).array, LABELS)
    assert SimpleITK.GetArrayFromImage(written).dtype == np.uint8


@pytest.mark.parametrize("suffix", WRITTEN)
def test_equal_label_maps_have_equal_bytes(tmp_path, nifti_scan, suffix):
    for name in "ab":
        write_label_map(tmp_path / f"{name}{suffix}", LABELS, like=nifti_scan)

    first, second = ((tmp_path / f"{name}{suffix}").read_bytes() for name in "ab")

    assert first == second
    if suffix == ".nii.gz":
        assert first[4:8] == bytes(4)  # the time of packing
        assert gzip.decompress(first)[344:347] == b"n+1"


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (LABELS.transpose(), r"shape=\(5, 4, 3\) on a grid of \(3, 4, 5\)"),
        (LABELS.astype(np.float32), "dtype=float32"),
        (LABELS.astype(np.int32) - 1, "values -1 to 22"),
        (LABELS.astype(np.int32) * 5000, "values 0 to 115000"),
    ],
)
def test_an_array_that_is_no_label_map_is_not_written(
    tmp_path, nrrd_scan, labels, message
):
    with pytest.raises(ValueError, match=message):
        write_label_map(tmp_path / "label.nrrd", labels, like=nrrd_scan)

    assert not (tmp_path / "label.nrrd").exists()


def test_a_label_map_of_another_ending_is_not_written(tmp_path, nrrd_scan):
    with pytest.raises(DataError, match=r"must end in \.seg\.nrrd, \.nrrd"):
        write_label_map(tmp_path / "label.mhd", LABELS, like=nrrd_scan)


def test_a_volume_is_not_changed_by_writing(tmp_path, nrrd_scan):
    before = dataclasses.asdict(nrrd_scan)["header"]

    write_label_map(tmp_path / "label.seg.nrrd", LABELS, like=nrrd_scan)

    assert nrrd_scan.header == before
    assert nrrd_scan.array.all()
