"""MetaImage files and DICOM folders from the pair list to the label map."""

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import SimpleITK
from support.dicom_files import needs_pydicom, stored_slices, write_series
from support.marked_dicom import MARKS, check, identified_slices
from support.small_runs import write_scan

import checkCube
import makeCube
import predict
from volumes.formats.files import (
    read_label_map,
    read_volume,
    write_image,
    write_label_map,
)
from volumes.scan_names import name_of
from volumes.volume import Segment

FLAGS = ["--spacing", "2", "--copies", "1", "--workers", "1", "--labels", "keep"]


@pytest.fixture
def series(tmp_path):
    """A CT whose files name the patient in each field that may."""
    rng = np.random.default_rng(0)
    stored = rng.integers(1024, 2000, (16, 12, 5))
    return write_series(tmp_path / "ann", identified_slices(stored_slices(stored)))


def build(folder, pairs, name):
    (folder / f"{name}.txt").write_text("\n".join(pairs))
    cube = folder / f"{name}.h5"
    arguments = [folder / f"{name}.txt", "--output", cube, *FLAGS]
    assert makeCube.main([str(word) for word in arguments]) == 0
    return cube


def in_metaimage(path, target):
    """Write the same volume as MetaImage, by another program."""
    image = SimpleITK.ReadImage(str(path))
    for key in image.GetMetaDataKeys():
        image.EraseMetaData(key)
    SimpleITK.WriteImage(image, str(target), useCompression=target.stem != "ben")
    return target.name


def test_cube_of_metaimage_files_is_that_of_the_same_scans_as_nrrd(tmp_path):
    nrrd, metaimage = [], []
    for seed, name in enumerate(("ann", "ben", "cid")):
        image, label = write_scan(tmp_path, name, seed)
        plain = tmp_path / f"{name}_plain.nrrd"  # no names, as MetaImage has none
        write_image(plain, read_label_map(label).array, read_volume(label).grid)
        split = ("train", "validation", "test")[seed]
        suffix = ".mhd" if name == "cid" else ".mha"
        copies = [
            in_metaimage(path, tmp_path / f"{path.stem}{suffix}")
            for path in (image, plain)
        ]
        nrrd.append(f"{image.name},{plain.name},{name},{split}")
        metaimage.append(f"{','.join(copies)},{name},{split}")
    assert (tmp_path / "cid.zraw").is_file()

    first = build(tmp_path, nrrd, "nrrd")
    second = build(tmp_path, metaimage, "metaimage")

    with h5py.File(first) as one, h5py.File(second) as other:
        for dataset in ("image", "label", "extent", "case_id", "split", "drawn"):
            np.testing.assert_array_equal(one[dataset][:], other[dataset][:])
        np.testing.assert_allclose(one["affine"][:], other["affine"][:], atol=1e-9)


@pytest.mark.parametrize("suffix", [".mha", ".mhd"])
def test_label_map_of_a_metaimage_scan_has_its_geometry(small_run, tmp_path, suffix):
    scan = tmp_path / f"eve{suffix}"
    in_metaimage(write_scan(tmp_path, "ann", 9)[0], scan)
    flags = [str(scan), "--model", str(small_run / "model.keras"), "--output"]
    begin = tmp_path / "native" / name_of(scan)

    assert predict.main([*flags, str(tmp_path / "native"), "--format", "input"]) == 0
    assert predict.main([*flags, str(tmp_path)]) == 0

    image = SimpleITK.ReadImage(str(scan))
    found = SimpleITK.ReadImage(f"{begin}_label.mha")
    assert found.GetSize() == image.GetSize()
    assert found.GetSpacing() == image.GetSpacing()
    assert found.GetOrigin() == image.GetOrigin()
    assert found.GetDirection() == image.GetDirection()
    slicer = SimpleITK.ReadImage(str(tmp_path / f"{name_of(scan)}_label.seg.nrrd"))
    difference = SimpleITK.GetArrayFromImage(found) - SimpleITK.GetArrayFromImage(
        slicer
    )
    assert not difference.any()


@needs_pydicom
def test_cube_of_a_dicom_series_holds_nothing_of_the_patient(series, tmp_path, capsys):
    content = next(series.iterdir()).read_bytes().lower()
    assert all(mark.encode() in content for mark in MARKS)
    image = read_volume(series)
    label = np.zeros(image.grid.shape, np.uint8)
    label[4:9, 3:8, 1:4] = 20
    segment = Segment(20, "L1", (1, 0, 0))
    write_label_map(tmp_path / "a.seg.nrrd", label, like=image, segments=[segment])

    cube = build(tmp_path, ["ann,a.seg.nrrd,,train"], "cube")
    checkCube.main([str(cube), "--output", str(tmp_path / "sheets")])

    check(cube.read_bytes().decode("latin1"))
    with h5py.File(cube) as file:
        texts = [*file["source"].asstr()[:], *map(str, file.attrs.items())]
        assert file["case_id"].asstr()[0] == "ann"
        assert file["image"][0].std() > 0
    check(" ".join(texts))
    output = capsys.readouterr()
    check(output.out + output.err)


@needs_pydicom
@pytest.mark.parametrize("kind", ["seg.nrrd", "input"])
def test_label_map_of_a_dicom_series_holds_nothing_of_the_patient(
    series, small_run, tmp_path, kind, capsys
):
    flags = ["--model", str(small_run / "model.keras"), "--output", str(tmp_path)]

    assert predict.main([str(series), *flags, "--format", kind]) == 0

    path = tmp_path / f"{name_of(series)}_label.seg.nrrd"
    check(path.read_bytes().decode("latin1"))
    output = capsys.readouterr()
    check(output.out + output.err)
    found, scan = read_label_map(path), read_volume(series)
    assert found.grid.shape == scan.grid.shape
    np.testing.assert_allclose(found.grid.affine, scan.grid.affine, atol=1e-12)


@needs_pydicom
def test_two_series_in_a_folder_are_refused_by_predict(
    series, small_run, tmp_path, capsys
):
    other = stored_slices(np.ones((16, 12, 5), int), SeriesInstanceUID="1.2.3")
    for number, dataset in enumerate(other):
        dataset.SOPInstanceUID = f"1.2.3.{number}"
        dataset.save_as(series / f"other{number}", enforce_file_format=True)
    flags = ["--model", str(small_run / "model.keras"), "--output", str(tmp_path)]

    assert predict.main([str(series), *flags]) == 1

    assert "must hold one DICOM series. Received: 2 series" in capsys.readouterr().err


def test_without_pydicom_one_sentence_says_how_to_install_it(
    small_run, tmp_path, monkeypatch, capsys
):
    monkeypatch.setitem(sys.modules, "pydicom", None)
    monkeypatch.setitem(sys.modules, "pydicom.pixels", None)
    (tmp_path / "series").mkdir()
    (tmp_path / "series" / "1").write_bytes(bytes(128) + b"DICM")
    flags = ["--model", str(small_run / "model.keras"), "--output", str(tmp_path)]

    assert predict.main([str(tmp_path / "series"), *flags]) == 1

    assert "Install it with: pip install" in capsys.readouterr().err


def test_help_names_the_formats():
    script = Path(predict.__file__)

    shown = subprocess.run(
        [sys.executable, str(script), "--help"], capture_output=True, text=True
    )

    assert "MetaImage" in shown.stdout
    assert "DICOM" in shown.stdout
