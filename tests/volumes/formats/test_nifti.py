import nibabel as nib
import numpy as np
import pytest
from support.label_maps import LABELS, SHAPE, simpleitk_world, write_nifti

from system.errors import DataError
from volumes.formats.files import read_label_map, read_volume, write_label_map


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("which", ["sform", "qform", "both"])
def test_a_nifti_landmark_lies_where_simpleitk_puts_it(
    tmp_path, oblique_grid, suffix, which
):
    array = np.arange(60, dtype=np.int16).reshape(SHAPE)
    image = nib.Nifti1Image(array, oblique_grid.affine)
    image.set_sform(oblique_grid.affine, code=0 if which == "qform" else 1)
    image.set_qform(oblique_grid.affine, code=0 if which == "sform" else 1)
    path = tmp_path / f"scan{suffix}"
    nib.save(image, path)

    volume = read_volume(path)

    # NIfTI keeps single precision: 800 mm to about 0.0001 mm.
    expected = simpleitk_world(path, (2, 1, 4))
    np.testing.assert_allclose(volume.grid.to_world((2, 1, 4)), expected, atol=1e-3)
    np.testing.assert_allclose(expected, oblique_grid.to_world((2, 1, 4)), atol=1e-3)
    np.testing.assert_array_equal(volume.array, array)
    assert volume.notes == ()


def test_nifti_values_are_scaled_and_axes_of_one_voxel_dropped(tmp_path):
    image = nib.Nifti1Image(
        np.arange(24, dtype=np.int16).reshape(2, 3, 4, 1), np.eye(4)
    )
    image.header.set_slope_inter(2.0, -10.0)
    (tmp_path / "scan.nii").write_bytes(image.to_bytes())

    array = read_volume(tmp_path / "scan.nii").array

    assert array.shape == (2, 3, 4)
    assert array[1, 2, 3] == 23 * 2 - 10


def test_nifti_assumptions_are_noted(tmp_path, oblique_grid):
    bare = nib.Nifti1Image(np.zeros(SHAPE, np.uint8), None)
    bare.header["sform_code"] = bare.header["qform_code"] = 0
    bare.header.set_xyzt_units("micron")
    (tmp_path / "bare.nii").write_bytes(bare.to_bytes())
    split = nib.Nifti1Image(np.zeros(SHAPE, np.uint8), oblique_grid.affine)
    moved = oblique_grid.affine.copy()
    moved[0, 3] += 7
    split.set_sform(oblique_grid.affine, code=1)
    split.set_qform(moved, code=1)
    (tmp_path / "split.nii").write_bytes(split.to_bytes())

    notes = read_volume(tmp_path / "bare.nii").notes

    assert "neither sform nor qform" in notes[0]
    assert "lengths in micron" in notes[1]
    (note,) = read_volume(tmp_path / "split.nii").notes
    assert "7.0 mm apart: the sform is used" in note


def test_nifti_with_a_qform_that_is_none_is_placed_by_its_sform(tmp_path, oblique_grid):
    image = nib.Nifti1Image(np.zeros(SHAPE, np.uint8), oblique_grid.affine)
    image.set_qform(oblique_grid.affine, code=1)
    image.header["pixdim"][2] = 1e-30
    (tmp_path / "scan.nii").write_bytes(image.to_bytes())

    volume = read_volume(tmp_path / "scan.nii")

    assert volume.notes == ("The qform describes no grid: the sform is used.",)
    np.testing.assert_allclose(volume.grid.affine, oblique_grid.affine, rtol=1e-6)


def test_nifti_with_a_quaternion_longer_than_1_is_placed_by_its_sform(
    tmp_path, oblique_grid
):
    image = nib.Nifti1Image(np.zeros(SHAPE, np.uint8), oblique_grid.affine)
    image.header["qform_code"], image.header["quatern_b"] = 1, 1.1
    (tmp_path / "scan.nii").write_bytes(image.to_bytes())

    volume = read_volume(tmp_path / "scan.nii")

    assert volume.notes == ("The qform describes no grid: the sform is used.",)
    np.testing.assert_allclose(volume.grid.affine, oblique_grid.affine, rtol=1e-6)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 3, 4, 2), np.uint8), "4-D data of sizes 2 x 3 x 4 x 2"),
        (np.zeros((2, 3), np.uint8), "2-D data of sizes 2 x 3"),
        (np.zeros((2, 3, 4), np.complex64), "type complex64"),
    ],
)
def test_a_nifti_that_is_no_scalar_volume_is_refused(tmp_path, array, message):
    with pytest.raises(DataError, match=message):
        read_volume(write_nifti(tmp_path / "scan.nii", array))


def test_a_nifti_that_is_broken_is_refused(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (20, 30, 40)).astype(np.uint8)
    path = write_nifti(tmp_path / "scan.nii.gz", noise)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(DataError, match=r"scan.nii.gz: the voxels could not be read"):
        read_volume(path)

    for content in (b"", b"\\\x01", nib.Nifti1Header().binaryblock[:347]):
        (tmp_path / "cut.nii").write_bytes(content)  # 348, and no more
        with pytest.raises(DataError, match=r"cut.nii: could not be read as NIfTI"):
            read_volume(tmp_path / "cut.nii")

    path.write_bytes(b"neither packed nor NIfTI")
    with pytest.raises(DataError, match=r"scan.nii.gz: could not be read as NIfTI"):
        read_volume(path)

    path = write_nifti(tmp_path / "nan.nii", noise)
    image = nib.load(path)
    image.header["srow_x"] = np.nan
    path.write_bytes(image.header.binaryblock + bytes(4) + noise.tobytes())
    with pytest.raises(DataError, match="'sform', 'qform' and 'pixdim'"):
        read_volume(path)


def test_nifti_forms_and_codes_are_kept(tmp_path, nifti_scan):
    write_label_map(tmp_path / "label.nii.gz", LABELS, like=nifti_scan)

    written, like = nib.load(tmp_path / "label.nii.gz"), nib.load(nifti_scan.path)
    assert written.header["sform_code"] == 2
    assert written.header["qform_code"] == 3
    np.testing.assert_array_equal(written.get_sform(), like.get_sform())
    np.testing.assert_array_equal(written.get_qform(), like.get_qform())


def test_a_scan_with_scaled_values_gives_a_label_map_without(tmp_path, nifti_scan):
    nifti_scan.nifti.set_slope_inter(2.5, -1000)
    nifti_scan.nifti["cal_max"] = 400

    write_label_map(tmp_path / "label.nii", LABELS, like=nifti_scan)

    np.testing.assert_array_equal(read_label_map(tmp_path / "label.nii").array, LABELS)
    assert nib.load(tmp_path / "label.nii").header["cal_max"] == 0
    assert nifti_scan.nifti["cal_max"] == 400  # the scan's header is copied
