"""SimpleITK as the outside oracle of resampling, in its own frame, LPS."""

import numpy as np
import SimpleITK
from scipy.spatial.transform import Rotation

from volumes.geometry import Grid, affine_from

TO_LPS = np.diag([-1.0, -1.0, 1.0])
TURN = Rotation.from_euler("xyz", [9, -14, 21], degrees=True).as_matrix()
# I -> posterior, J -> superior, K -> left, and a few degrees askew.
PERMUTED = TURN @ [[0, 0, -1], [-1, 0, 0], [0, 1, 0]]
# A scan's grid, and spacing and shape of the grid wanted.
GRIDS = {
    "even": (Grid((8, 10, 12), affine_from((0.9, 1.3, 2.1))), (1, 1.5, 2), (9, 9, 13)),
    "odd": (Grid((9, 7, 11), affine_from((2.5, 1, 0.8), (5, -60, 9))), (2, 1, 1), None),
    "oblique": (
        Grid((8, 11, 9), affine_from((0.8, 1.1, 2.7), (-70, 12, 800), TURN)),
        (1.0, 1.0, 2.0),
        (10, 12, 14),
    ),
    "permuted": (
        Grid((12, 9, 6), affine_from((0.7, 1.3, 3.9), (31, -2, 55), PERMUTED)),
        (3.9, 0.9, 0.9),
        None,
    ),
}


def make_scan(grid, seed=0):
    """A smooth image from -900 to 900 or so, and four blocks of label values."""
    rng = np.random.default_rng(seed)
    i, j, k = np.indices(grid.shape)
    image = 500 * np.sin(i / 2.1) + 300 * np.cos(j / 1.7) + 100 * np.sin(k - i * j / 9)
    blocks = [-(-side // 3) for side in grid.shape]
    label = np.kron(rng.integers(0, 4, blocks), np.ones((3, 3, 3), int))
    label = label[tuple(slice(n) for n in grid.shape)]
    return image.astype(np.float32), label.astype(np.uint16)


def itk_image(array, grid):
    """Lay an array of shape (I, J, K) on a grid, as SimpleITK has it."""
    image = SimpleITK.GetImageFromArray(array.T)
    image.SetSpacing(grid.spacing)
    image.SetOrigin((TO_LPS @ grid.origin).tolist())
    image.SetDirection((TO_LPS @ grid.direction).ravel().tolist())
    return image


def itk_affine(target, matrix, shift=(0.0, 0.0, 0.0)):
    """A matrix and a shift in mm about a grid's centre, along the grid's axes."""
    turn = TO_LPS @ target.direction
    transform = SimpleITK.AffineTransform(3)
    transform.SetMatrix((turn @ matrix @ turn.T).ravel().tolist())
    transform.SetCenter((TO_LPS @ target.center).tolist())
    transform.SetTranslation((turn @ shift).tolist())
    return transform


def itk_spline(target, values, control_spacing):
    """A cubic B-spline whose control point 1 is the grid's first voxel.

    Args:
        target: The grid over which the control points lie.
        values: Displacements in mm along the grid's axes, shape (3, A, B, C).
        control_spacing: In mm.
    """
    turn = TO_LPS @ target.direction
    # A cell more at the near end, whose outermost control points weigh nothing over
    # the grid: SimpleITK leaves a point still that rounding puts outside the domain.
    values = np.pad(values, [(0, 0), (1, 0), (1, 0), (1, 0)])
    origin = TO_LPS @ target.origin - turn @ np.full(3, control_spacing)
    mesh = [count - 3 for count in values.shape[1:]]
    transform = SimpleITK.BSplineTransform(3, 3)
    transform.SetTransformDomainOrigin(origin.tolist())
    transform.SetTransformDomainDirection(turn.ravel().tolist())
    transform.SetTransformDomainPhysicalDimensions([control_spacing * n for n in mesh])
    transform.SetTransformDomainMeshSize(mesh)
    values = np.einsum("ab,bijk->aijk", turn, values)
    transform.SetParameters(np.concatenate([v.ravel(order="F") for v in values]))
    return transform


def itk_resample(array, source, target, transform, background):
    """Resample linearly: a point of `target` reads where `transform` sends it."""
    out = SimpleITK.Resample(
        itk_image(array.astype(np.float64), source),
        itk_image(np.zeros(target.shape, np.uint8), target),
        transform,
        SimpleITK.sitkLinear,
        background,
        SimpleITK.sitkFloat64,
    )
    return SimpleITK.GetArrayFromImage(out).T


def away_from_border(source, target, transform):
    """Leave out voxels that read the scan's very border, where rounding decides."""
    read = itk_image(np.zeros(source.shape, np.uint8), source)
    asked = itk_image(np.zeros(target.shape, np.uint8), target)
    gap = np.empty(target.shape)
    for index in np.ndindex(*target.shape):
        point = transform.TransformPoint(asked.TransformIndexToPhysicalPoint(index))
        where = np.array(read.TransformPhysicalPointToContinuousIndex(point))
        gap[index] = np.abs([where + 0.5, where - source.shape + 0.5]).min()
    return gap > 1e-4


def check_against_itk(found, scan, source, target, transform, background):
    """Compare an image and a label map with what SimpleITK makes of the scan.

    Args:
        found: The image and the label map made, on `target`.
        scan: Image and label map on `source`; label values 0 to 3.
        source: The scan's grid.
        target: The grid of `found`.
        transform: SimpleITK's, from target point to source point.
        background: What the image is outside the scan.
    """
    (out, seg), (image, label) = found, scan
    clear = away_from_border(source, target, transform)
    assert clear.mean() > 0.6
    expected = itk_resample(image, source, target, transform, background)
    assert np.ptp(expected) > 0.8 * np.ptp(image)
    assert np.abs(out - expected)[clear].max() < 1e-3 * np.ptp(image)

    votes = [
        itk_resample(label == value, source, target, transform, float(value == 0))
        for value in range(4)
    ]
    second, first = np.sort(votes, axis=0)[-2:]
    sure = clear & (first - second > 1e-6)  # no tie
    assert sure[clear].mean() > 0.9
    np.testing.assert_array_equal(seg[sure], np.argmax(votes, axis=0)[sure])
    assert len(np.unique(seg[sure])) == 4
