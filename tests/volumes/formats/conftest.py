"""Scans whose headers a label map must keep."""

import nibabel as nib
import numpy as np
import pytest
from support.label_maps import SHAPE

from volumes.formats.files import read_volume, write_image


@pytest.fixture
def nrrd_scan(tmp_path, oblique_grid):
    """A scan in RAS, its numbers written as no one else would write them."""
    path = tmp_path / "scan.nrrd"
    write_image(path, np.ones(SHAPE, np.int16), oblique_grid, space="RAS")
    content = path.read_bytes().replace(b"-70.5,12.25,800)", b"-7.05e1,12.250,800.0)")
    content = content.replace(
        b"endian", b"measurement frame: (1,0,0) (0,1,0) (0,0,1)\nendian"
    )
    path.write_bytes(content)
    return read_volume(path)


@pytest.fixture
def nifti_scan(tmp_path, oblique_grid):
    """A scan whose sform and qform have codes of their own."""
    image = nib.Nifti1Image(np.ones(SHAPE, np.int16), oblique_grid.affine)
    image.set_sform(oblique_grid.affine, code=2)
    image.set_qform(oblique_grid.affine, code=3)
    nib.save(image, tmp_path / "scan.nii.gz")
    return read_volume(tmp_path / "scan.nii.gz")
