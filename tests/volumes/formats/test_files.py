import dataclasses
import gzip

import numpy as np
import pytest
import SimpleITK
from support.label_maps import LABELS, SEGMENTS, SHAPE

from system.errors import DataError
from volumes.formats.files import (
    read_label_map,
    read_volume,
    stem_of,
    write_image,
    write_label_map,
)

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
