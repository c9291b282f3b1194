"""The measures of every vertebra of a label map."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from spine.body import Body, measure_body
from spine.curve import Curve, fit_curve
from spine.frame import ShapeError
from spine.shape import Box, Points, Shape, shape_of, sides_of
from volumes.geometry import Grid

SUPERIOR = np.array([0.0, 0.0, 1.0])
# Sides of a label's box that no vertebra has, mm: not measured, which bounds time and
# memory.
MAX_SIDE_MM = 200.0
MIN_SIDE_MM = 3.0
LEAST_STEP_MM = 1.0  # between centres of vertebrae, for a curve through both
# Between the axis of a body and the curve. In 53 label maps of people it is up to 45
# degrees in S1, and 29 in others.
MAX_LEAN_DEGREES = 60.0
BORDER_MARGIN_MM = 2.0  # around a body: voxels at the scan's border cut it there


@dataclass(frozen=True, eq=False)
class Vertebra:
    """The measures of one vertebra.

    Args:
        value: Its label.
        centroid: World mm, shape (3,), of all voxels of the label.
        volume_ml: None if it is partial or touches the scan's border.
        touches_border: Whether a voxel of it lies at the border of the scan.
        partial: Whether it is known to be a part of a vertebra.
        body: None if it is partial, the border cuts the body, or it is no body.
        note: Why there is no `body`; else "".
    """

    value: int
    centroid: Points
    volume_ml: float | None
    touches_border: bool
    partial: bool
    body: Body | None
    note: str = ""


def measure_vertebrae(
    label_map: npt.NDArray[np.integer],
    grid: Grid,
    values: Sequence[int],
    *,
    curve: Curve | None = None,
    partial: Collection[int] = (),
) -> list[Vertebra]:
    """Measure vertebrae in the order of their values.

    Args:
        label_map: Shape of `grid`, a value for each vertebra.
        grid: Of any spacing and direction.
        values: From below. Values that no voxel has are left out.
        curve: Of the spine, upwards. By default through the centres of the
            vertebrae, or to the patient's superior if there are fewer than two.
        partial: Values that are a part of a vertebra, and not measured.
    """
    boxes = dict(enumerate(ndimage.find_objects(label_map), start=1))
    found = {value: boxes[value] for value in values if boxes.get(value)}
    faults, shapes = {}, {}
    for value, box in found.items():
        faults[value] = _find_fault(grid, box, is_partial=value in partial)
        if not faults[value]:
            shapes[value] = shape_of(label_map, grid, value, box)
    centres = {value: shape.inscribed_sphere()[0] for value, shape in shapes.items()}
    curve = curve or _curve_through(list(centres.values()))
    vertebrae = []
    for value, box in found.items():
        body, note = None, faults[value]
        if not note:
            body, note = _try_body(shapes.pop(value), curve, centres[value])
        vertebrae.append(
            _describe(label_map, grid, value, box, body, note, value in partial)
        )
    return vertebrae


def _find_fault(grid: Grid, box: Box, *, is_partial: bool) -> str:
    """Return why a label is not measured, judged by its box, or ""."""
    sides = sides_of(box, grid)
    if is_partial:
        return "not measured: partial"
    if max(sides) > MAX_SIDE_MM:
        return f"not measured: {max(sides):.0f} mm long"
    if min(sides) < MIN_SIDE_MM:
        return "not measured: it is too thin"
    return ""


def _try_body(
    shape: Shape, curve: Curve | None, centre: Points
) -> tuple[Body | None, str]:
    """Return a body, or why there is none."""
    tangent = _tangent(curve, centre)
    try:
        body = measure_body(shape, tangent)
    except ShapeError as error:
        return None, f"not measured: {error}"
    along = float(np.clip(body.frame.axes[:, 2] @ tangent, -1, 1))
    if curve and along < math.cos(math.radians(MAX_LEAN_DEGREES)):
        return None, "not measured: its end plates do not lie across the spine"
    return body, ""


def _curve_through(centres: Sequence[Points]) -> Curve | None:
    """Fit the curve through centres from below; None through fewer than two."""
    apart: list[Points] = []
    for centre in centres:
        if not apart or np.linalg.norm(centre - apart[-1]) >= LEAST_STEP_MM:
            apart.append(centre)
    return fit_curve(np.array(apart), 0.0) if len(apart) > 1 else None


def _tangent(curve: Curve | None, point: Points) -> Points:
    """Return the tangent at the point of a curve that is nearest to world mm."""
    if curve is None:
        return SUPERIOR
    return curve.tangents[np.linalg.norm(curve.points - point, axis=1).argmin()]


def _describe(
    label_map: npt.NDArray[np.integer],
    grid: Grid,
    value: int,
    box: Box,
    body: Body | None,
    note: str,
    is_partial: bool,
) -> Vertebra:
    """Gather the measures of a vertebra, without those that have no meaning."""
    mask = label_map[box] == value
    counts = [mask.sum(axis=tuple({0, 1, 2} - {axis})) for axis in range(3)]
    total = int(counts[0].sum())
    middle = [c @ np.arange(s.start, s.stop) for c, s in zip(counts, box, strict=True)]
    border = _border_voxels(mask, box, label_map.shape)
    touches = len(border) > 0
    if body and body.contains(grid.to_world(border), BORDER_MARGIN_MM).any():
        body, note = None, "not measured: the scan's border cuts the body"
    is_whole = not (touches or is_partial)
    volume = total * grid.voxel_volume / 1000 if is_whole else None
    centroid = grid.to_world(np.array(middle) / total)
    return Vertebra(value, centroid, volume, touches, is_partial, body, note)


def _border_voxels(
    mask: npt.NDArray[np.bool_], box: Box, shape: Sequence[int]
) -> npt.NDArray[np.int64]:
    """Return the indices of a label's voxels at the border of the scan, shape (N, 3).

    An axis with a single slice has no border.
    """
    at_border = np.zeros_like(mask)
    for axis, (side, length) in enumerate(zip(box, shape, strict=True)):
        faces = np.moveaxis(at_border, axis, 0)
        if length > 1 and side.start == 0:
            faces[0] = True
        if length > 1 and side.stop == length:
            faces[-1] = True
    return np.argwhere(mask & at_border) + [side.start for side in box]
