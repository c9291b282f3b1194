"""The end plates of a vertebral body: planes that rest on their rims.

The planes are for angles. Their rims are higher than what lies between, so heights are
measured between the surfaces themselves, in `spine.body`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from spine.frame import Frame, ShapeError, cast_rays
from spine.shape import Points, Shape

EXPECTILE = 0.9
MAX_FITS = 50
LONGEST_HOLE_MM = 4.0  # along a column, as of a vein; longer ones end the body
LIP_MM = 4.0  # that end plates may protrude beyond the walls at mid-height
RIM_MM = 1.5  # at the edge of an end plate, which is rounded
# Pedicles blend with end plates: at the back, and for balance at the front, this share
# of the depth is left out, but for this share of the width in the middle.
CORNER_DEPTH = 0.2
MIDDLE_WIDTH = 0.25
MIN_COLUMNS = 20


@dataclass(frozen=True, eq=False)
class Plate:
    """The plane that rests on the rim of an end plate.

    Args:
        point: World mm of the plane on the axis of the body, shape (3,).
        normal: Unit vector, upwards for both plates, shape (3,).
    """

    point: Points
    normal: Points


def find_plates(
    shape: Shape,
    frame: Frame,
    width: float,
    depth: float,
    *,
    has_arch: bool,
    lattice_mm: float,
) -> tuple[Plate, Plate]:
    """Find the upper and the lower end plate of a body.

    Args:
        shape: Of the body alone or of the whole vertebra.
        frame: With its origin in the middle of the body.
        width: Left to right at mid-height, mm.
        depth: Back to front at mid-height, mm.
        has_arch: Whether the shape includes the arch, of which pedicles are left out.
        lattice_mm: Distance between the columns that are measured.

    Raises:
        ShapeError: If there are fewer than `MIN_COLUMNS`.
    """
    side, front = width / 2 + LIP_MM, depth / 2 + LIP_MM
    back = depth / 2 if has_arch else front
    u = np.arange(-np.ceil(side), side + lattice_mm, lattice_mm)
    v = np.arange(-back, front + lattice_mm, lattice_mm)
    u, v = np.meshgrid(u, v, indexing="ij")
    starts = np.stack([u, v, np.zeros_like(u)], axis=-1).reshape(-1, 3)
    below, above = cast_rays(shape, frame, starts, 2, hole_mm=LONGEST_HOLE_MM)
    is_column = np.isfinite(above).reshape(u.shape)
    inner = ndimage.distance_transform_edt(np.pad(is_column, 1), sampling=lattice_mm)
    is_column &= np.asarray(inner)[1:-1, 1:-1] > RIM_MM
    if has_arch:
        is_corner = np.abs(v) > (0.5 - CORNER_DEPTH) * depth
        is_column &= ~is_corner | (np.abs(u) <= MIDDLE_WIDTH / 2 * width)
    if np.count_nonzero(is_column) < MIN_COLUMNS:
        raise ShapeError("its end plates are too small")
    u, v, kept = u[is_column], v[is_column], is_column.ravel()
    upper = fit_plane(u, v, above[kept])
    lower = -fit_plane(u, v, below[kept])
    return _place(frame, upper), _place(frame, lower)


def _place(frame: Frame, plane: Points) -> Plate:
    """Return the plane w = a + b u + c v of a frame in the world."""
    normal = frame.axes @ (-plane[1], -plane[2], 1.0)
    point = frame.to_world((0, 0, plane[0]))
    return Plate(point, normal / np.linalg.norm(normal))


def fit_plane(u: Points, v: Points, heights: Points) -> npt.NDArray[np.float64]:
    """Fit the expectile plane of heights by asymmetric least squares.

    The plane a + b u + c v minimises the sum of squared residuals, in which heights
    above it weigh `EXPECTILE` and those below 1 - `EXPECTILE`
    ([Newey and Powell, 1987](https://doi.org/10.2307/1911031)). It rests on the rim
    of a hollow, as a line drawn for a Cobb angle does.

    Args:
        u: mm, shape (N,).
        v: mm, shape (N,).
        heights: mm, shape (N,), outwards from the body.

    Returns:
        a, b and c, shape (3,). Of points on one line, the solution of least norm.
    """
    terms = np.stack([np.ones_like(u), u, v], axis=1)
    is_above = np.ones(len(u), bool)
    plane = np.zeros(3)
    for _ in range(MAX_FITS):
        root = np.sqrt(np.where(is_above, EXPECTILE, 1 - EXPECTILE))
        plane = np.linalg.lstsq(terms * root[:, None], heights * root, rcond=None)[0]
        was_above, is_above = is_above, heights > terms @ plane
        if (was_above == is_above).all():
            break
    return np.asarray(plane, np.float64)
