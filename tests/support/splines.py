"""The displacement of a control grid at every voxel, by scipy's own B-splines."""

import numpy as np
from scipy.interpolate import BSpline


def dense_displacement(control, shape):
    """Evaluate a displacement at every voxel, shape (3, I, J, K)."""
    basis = BSpline.basis_element([-2, -1, 0, 1, 2], extrapolate=False)
    bases = [
        np.nan_to_num(
            basis(np.arange(n)[:, None] * step + 1 - np.arange(count))
        )  # (n, count)
        for n, step, count in zip(
            shape, control.step, control.values.shape[1:], strict=True
        )
    ]
    return np.einsum("dabc,ia,jb,kc->dijk", control.values, *bases, optimize=True)


def shift(*by):
    """Return the matrix (3, 4) of a shift by as many voxels."""
    matrix = np.eye(3, 4)
    matrix[:, 3] = by
    return matrix
