import os
import sys
import tracemalloc

import numpy as np
import pytest
import SimpleITK
from support.dicom_files import (
    DIRECTION,
    SERIES,
    VOXELS,
    ct_slice,
    ct_slices,
    enhanced_ct,
    needs_pydicom,
    position,
    save,
    write_series,
)

from system.errors import DataError
from volumes.formats import dicom
from volumes.formats.dicom import (
    is_dicom_folder,
    read_dicom_grid,
    read_dicom_series,
    series_checksum,
)
from volumes.formats.files import read_label_map, write_label_map

pytestmark = needs_pydicom

DIRECTIONS = {
    "oblique": DIRECTION,
    "sagittal": np.array([[0, 0, -1], [1, 0, 0], [0, -1, 0]]),
    "coronal": np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]]),
    "feet first": np.diag([-1, 1, -1]),
}


def read_itk(folder):
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return reader.Execute()


@pytest.mark.parametrize("direction", DIRECTIONS.values(), ids=DIRECTIONS)
def test_a_series_lies_where_simpleitk_puts_it(tmp_path, direction):
    folder = write_series(tmp_path / "series", ct_slices(direction=direction))

    volume = read_dicom_series(folder)

    image = read_itk(folder)
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(image).T, volume.array)
    for index in ((0, 0, 0), (3, 0, 0), (0, 2, 0), (0, 0, 4), (3, 1, 2)):
        left, posterior, superior = image.TransformIndexToPhysicalPoint(index)
        world = volume.grid.to_world(index)
        np.testing.assert_allclose(world, (-left, -posterior, superior), atol=1e-6)
    np.testing.assert_allclose(volume.grid.spacing, image.GetSpacing(), rtol=1e-6)


def test_voxels_and_their_places_are_those_written(tmp_path):
    folder = write_series(tmp_path / "series")

    volume = read_dicom_series(folder)

    np.testing.assert_array_equal(volume.array, VOXELS)
    assert volume.array.dtype == np.dtype(np.int16)
    # Columns 0.5 mm, rows 0.8 mm, slices 2.5 mm apart, as LPS.
    left, posterior, superior = position(0) + DIRECTION @ (3 * 0.5, 2 * 0.8, 4 * 2.5)
    np.testing.assert_allclose(
        volume.grid.to_world((3, 2, 4)), (-left, -posterior, superior), atol=1e-6
    )
    assert volume.notes == ()
    assert volume.header == {}
    assert volume.path == folder


def test_the_grid_is_read_without_the_voxels(tmp_path):
    folder = write_series(tmp_path / "series", ct_slices(BitsStored=99))

    grid = read_dicom_grid(folder)

    assert grid.shape == (4, 3, 5)
    with pytest.raises(DataError, match="field 'BitsStored' must be 1 to 16"):
        read_dicom_series(folder)


def test_names_and_order_of_files_make_no_difference(tmp_path):
    slices = ct_slices()  # which agree as far as they have to
    slices[0].PixelSpacing, slices[1].PixelSpacing = [0.80002, 0.5], [0.79998, 0.5]
    first = write_series(tmp_path / "first", slices)
    second = tmp_path / "second"
    second.mkdir()
    for number, path in enumerate(sorted(first.iterdir(), reverse=True)):
        (second / f"IM{number}").write_bytes(path.read_bytes())

    one, other = read_dicom_series(first), read_dicom_series(second)

    np.testing.assert_array_equal(one.array, other.array)
    np.testing.assert_array_equal(one.grid.affine, other.grid.affine)
    assert series_checksum(first) == series_checksum(second)


def test_the_checksum_is_of_the_series_alone(tmp_path):
    folder = write_series(tmp_path / "series")
    checksum = series_checksum(folder)
    assert len(checksum) == 64
    assert read_dicom_series(folder).checksum == checksum

    (folder / "readme.txt").write_text("no DICOM")
    save(ct_slice(0, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]), folder / "scout")

    assert series_checksum(folder) == checksum
    save(ct_slice(0, SeriesNumber=5), folder / "03.dcm")
    assert series_checksum(folder) != checksum


def test_what_is_no_slice_is_passed_over_with_a_note(tmp_path):
    folder = write_series(tmp_path / "series")
    (folder / "sub").mkdir()
    (folder / ".hidden").write_bytes(b"")
    (folder / "readme.txt").write_text("no DICOM")
    (folder / "empty.dcm").write_bytes(b"")
    save(ct_slice(0, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]), folder / "scout")
    structures = ct_slice(
        0, SOPClassUID="1.2.840.10008.5.1.4.1.1.481.3", PixelData=None
    )
    structures.Modality = "RTSTRUCT"
    save(structures, folder / "structures")
    screen = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7", "ImagePositionPatient": None}
    save(ct_slice(0, SeriesInstanceUID=f"{SERIES}.7", **screen), folder / "screen")

    volume = read_dicom_series(folder)

    np.testing.assert_array_equal(volume.array, VOXELS)
    assert volume.notes == (
        "Ignored in the folder: not DICOM (2), localiser (1), object without image "
        "(RTSTRUCT) (1), image without position (1), subfolder (1).",
    )


def test_a_label_map_is_written_on_the_grid_of_a_series(tmp_path):
    volume = read_dicom_series(write_series(tmp_path / "series"))
    label = (VOXELS > 0).astype(np.uint8)

    for name in ("label.seg.nrrd", "label.nrrd", "label.nii.gz"):
        write_label_map(tmp_path / name, label, like=volume)
        copy = read_label_map(tmp_path / name)
        np.testing.assert_array_equal(copy.array, label)
        np.testing.assert_allclose(copy.grid.affine, volume.grid.affine, atol=1e-4)


def test_a_ct_without_rescaling_and_a_lossy_one_are_noted(tmp_path):
    changes = {"RescaleSlope": None, "RescaleIntercept": None}
    slices = ct_slices(LossyImageCompression="01", **changes)

    volume = read_dicom_series(write_series(tmp_path / "series", slices))

    np.testing.assert_array_equal(volume.array, VOXELS + 1024)
    assert volume.notes == (
        "The CT gives no RescaleSlope: its stored values are taken as HU.",
        "The images went through a lossy compression.",
    )
    mr = write_series(tmp_path / "mr", ct_slices(Modality="MR", **changes))
    assert read_dicom_series(mr).notes == ()


@pytest.mark.parametrize("stored", [12, 16])  # 16 bits are read twice
def test_reading_needs_the_memory_of_the_volume_and_little_more(tmp_path, stored):
    folder = tmp_path / "series"
    folder.mkdir()
    pixels = (np.arange(256 * 256, dtype="<u2") % 4000).tobytes()
    shape = {"Rows": 256, "Columns": 256, "PixelData": pixels}
    bits = {"BitsStored": stored, "HighBit": stored - 1}
    for index in range(60):
        uid = f"{SERIES}.{index + 1}"
        dataset = ct_slice(index, SOPInstanceUID=uid, **shape, **bits)
        save(dataset, folder / f"{index}.dcm")
    read_dicom_grid(folder)  # imports pydicom

    tracemalloc.start()
    volume = read_dicom_series(folder)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    # A slice is read, its bits are shifted (2), and it is rescaled in 64 bits (4).
    assert peak < volume.array.nbytes + 9 * len(pixels) + 60 * 4000


def test_folders_with_a_dicom_file_are_told_apart(tmp_path):
    folder = write_series(tmp_path / "series")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.txt").write_text("x" * 200)
    (tmp_path / "other" / "link.dcm").symlink_to(folder / "03.dcm")

    assert is_dicom_folder(folder)
    assert not is_dicom_folder(tmp_path)
    assert not is_dicom_folder(tmp_path / "other")
    assert not is_dicom_folder(tmp_path / "missing")
    assert not is_dicom_folder(folder / "03.dcm")


def test_folders_without_a_series_are_refused(tmp_path):
    with pytest.raises(DataError, match="must be a folder that exists"):
        read_dicom_series(tmp_path / "missing")
    with pytest.raises(DataError, match="Received: no image; no file at all"):
        read_dicom_series(tmp_path)
    (tmp_path / "a.txt").write_text("text")
    write_series(tmp_path / "series")
    with pytest.raises(DataError, match=r"no image; not DICOM \(1\), subfolder \(1\)"):
        read_dicom_series(tmp_path)


def test_several_series_are_refused_and_named(tmp_path):
    folder = write_series(tmp_path / "series")
    other = enhanced_ct(SeriesInstanceUID=f"{SERIES}.7", SeriesNumber=2, Modality="MR")
    save(other, folder / "z.dcm")

    with pytest.raises(
        DataError,
        match=r"2 series: number 2 \(MR, 5 slices of 3 x 4\), number 4 \(CT, 5 slices",
    ):
        read_dicom_series(folder)
    for number in range(5, 12):
        uid = f"{SERIES}.{number}0"
        dataset = ct_slice(0, SeriesInstanceUID=uid, SeriesNumber=number)
        save(dataset, folder / f"more{number}.dcm")
    with pytest.raises(DataError, match=r"9 series: .*number 7 .* and 4 others"):
        series_checksum(folder)


def test_nothing_outside_the_folder_is_read(tmp_path):
    folder = write_series(tmp_path / "series")
    outside = tmp_path / "outside.dcm"
    (folder / "03.dcm").rename(outside)
    (folder / "03.dcm").symlink_to(outside)
    with pytest.raises(DataError, match=r"file 2 of 5.*Received: a link that leaves"):
        read_dicom_series(folder)

    (folder / "03.dcm").unlink()
    (folder / "03.dcm").symlink_to(folder / "nowhere")
    with pytest.raises(DataError, match=r"file 2 of 5.*must be a regular file"):
        read_dicom_series(folder)

    (folder / "03.dcm").unlink()
    os.mkfifo(folder / "03.dcm")
    with pytest.raises(DataError, match=r"file 2 of 5.*must be a regular file"):
        series_checksum(folder)


def test_links_within_the_folder_are_followed(tmp_path):
    folder = write_series(tmp_path / "series")
    (folder / "below").mkdir()
    (folder / "03.dcm").rename(folder / "below" / "a")
    (folder / "03.dcm").symlink_to("below/a")
    (tmp_path / "link").symlink_to(folder)

    volume = read_dicom_series(tmp_path / "link")

    np.testing.assert_array_equal(volume.array, VOXELS)


def test_files_and_voxels_are_counted_before_they_are_read(tmp_path, monkeypatch):
    folder = write_series(tmp_path / "series")
    assert read_dicom_series(folder, max_voxels=60).array.size == 60
    with pytest.raises(DataError, match="at most 59 voxels, which --max-voxels raises"):
        read_dicom_series(folder, max_voxels=59)

    monkeypatch.setattr(dicom, "MAX_FILES", 4)
    with pytest.raises(DataError, match="must hold at most 4 files"):
        read_dicom_series(folder)


def test_without_pydicom_one_sentence_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pydicom", None)
    monkeypatch.setitem(sys.modules, "pydicom.pixels", None)

    with pytest.raises(DataError, match="pip install -U pydicom"):
        read_dicom_series(tmp_path)
