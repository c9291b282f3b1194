"""A label map, its segments, and how other programs see a file, for format tests."""

import nibabel as nib
import numpy as np
import SimpleITK

from volumes.volume import Segment

SHAPE = (3, 4, 5)  # that of `oblique_grid`
LABELS = np.zeros(SHAPE, np.uint16)
LABELS[1, 2, 3] = 20
LABELS[2, 0, 1:4] = 23
SEGMENTS = (
    Segment(20, "L1", (0.25, 0.5, 1.0)),
    Segment(23, "L4, \\upper\nhalf", (1.0, 0.0, 0.125)),
    Segment(24, "L5", (0.0, 1.0, 0.0)),  # no voxel has it
)


def simpleitk_world(path, index):
    """Return where SimpleITK places a voxel, RAS+ mm."""
    image = SimpleITK.ReadImage(str(path))
    left, posterior, superior = image.TransformIndexToPhysicalPoint(index)
    return (-left, -posterior, superior)


def write_nifti(path, array, affine=None):
    nib.save(nib.Nifti1Image(array, np.eye(4) if affine is None else affine), path)
    return path
