"""Planes through a volume that are drawn, and projections of it.

Volumes are on the cube's axes: 0 runs to the patient's right, 1 to the anterior,
2 to the superior. Pictures follow the radiological convention: superior is up;
anterior is left in a sagittal plane and up in an axial plane; the patient's right is
left in coronal and axial planes. So every picture is its plane with both axes reversed.

A sagittal or coronal plane may bend with the spine: it has a place of its own at each
height, and seen from the side, or from the front, nothing is distorted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SAGITTAL, CORONAL, AXIAL = range(3)
Box = tuple[slice, slice, slice]


@dataclass(frozen=True, eq=False)
class Plane:
    """A plane at right angles to an axis, or one that bends along the superior axis.

    Args:
        axis: `SAGITTAL`, `CORONAL` or `AXIAL`.
        places: Index along `axis`, fractional: shape (1,), or (K,) with one for each
            height of a plane that bends.
    """

    axis: int
    places: npt.NDArray[np.float64]

    @property
    def is_bent(self) -> bool:
        """Whether the plane has a place of its own at each height."""
        return len(self.places) > 1

    def take(self, volume: npt.NDArray, *, smooth: bool = False) -> npt.NDArray:
        """Return the voxels on the plane in display orientation, (rows, columns).

        Args:
            volume: Shape (I, J, K).
            smooth: Whether a plane that bends is interpolated between voxels, as
                float32; nearest otherwise.
        """
        last = volume.shape[self.axis] - 1
        places = np.clip(self.places, 0, last)
        if not self.is_bent:
            return np.take(volume, round(places[0]), self.axis)[::-1, ::-1].T
        if not smooth:
            return self._gather(volume, np.rint(places).astype(np.intp))
        below = np.floor(places).astype(np.intp)
        share = (places - below).astype(np.float32)[::-1, np.newaxis]
        low = self._gather(volume, below).astype(np.float32)
        high = self._gather(volume, np.minimum(below + 1, last)).astype(np.float32)
        return np.where(share > 0, low * (1 - share) + high * share, low)

    def _gather(self, volume: npt.NDArray, places: npt.NDArray[np.intp]) -> npt.NDArray:
        heights = np.arange(volume.shape[2])
        picked = (
            volume[places, :, heights]
            if self.axis == SAGITTAL
            else volume[:, places, heights].T
        )
        return picked[::-1, ::-1]

    def at_height(self, height: int) -> float:
        """Return the index along the plane's axis at a height."""
        return float(self.places[height if self.is_bent else 0])

    def within(self, box: Box) -> Plane:
        """Return the plane in the indices of a box of the volume."""
        places = self.places[box[2]] if self.is_bent else self.places
        return Plane(self.axis, places - box[self.axis].start)

    def describe(self) -> str:
        """Describe where the plane lies, by index.

        >>> Plane(SAGITTAL, np.array([23.0])).describe()
        'sagittal, i = 23'
        >>> Plane(CORONAL, np.array([40.0, 41.0, 44.4])).describe()
        'coronal curve, j = 40 to 44'
        """
        name, letter = (("sagittal", "i"), ("coronal", "j"), ("axial", "k"))[self.axis]
        low, high = round(self.places.min()), round(self.places.max())
        where = f"{letter} = {low}" if low == high else f"{letter} = {low} to {high}"
        return f"{name} curve, {where}" if self.is_bent else f"{name}, {where}"


Planes = tuple[Plane, Plane, Plane]  # sagittal, coronal and axial


def choose_straight_planes(label_map: npt.NDArray) -> Planes:
    """Choose planes through the middle of the foreground.

    Along each axis it is the slice nearest to the foreground's median among those
    with at least half of what slices with foreground mostly hold. A single wrong
    label hardly moves a median; the fullest slice, or the centre of mass, may be its
    own.

    Args:
        label_map: Labels, shape (I, J, K), 0 is background.

    Returns:
        Without foreground, the planes through the middle of the volume.
    """
    counts = label_map > 0
    flat = counts.sum(axis=2)  # (I, J)
    profiles = (flat.sum(axis=1), flat.sum(axis=0), counts.sum(axis=(0, 1)))
    places = []
    for profile in profiles:
        if not profile.any():
            places.append((len(profile) - 1) / 2)
            continue
        total = np.cumsum(profile)
        median = np.searchsorted(total, total[-1] / 2)
        usual = np.median(profile[profile > 0])
        full = np.flatnonzero(2 * profile >= usual)
        places.append(float(full[np.argmin(np.abs(full - median))]))
    sagittal, coronal, axial = (
        Plane(axis, np.array([float(np.floor(place))]))
        for axis, place in enumerate(places)
    )
    return sagittal, coronal, axial


def project(values: npt.NDArray, axis: int) -> npt.NDArray:
    """Return the largest value on each line along an axis, in display orientation.

    Args:
        values: Shape (I, J, K).
        axis: `SAGITTAL` for a view from the side, `CORONAL` for one from the front.
    """
    return values.max(axis=axis)[::-1, ::-1].T


def count_along(mask: npt.NDArray[np.bool_], axis: int) -> npt.NDArray[np.int64]:
    """Return the number of voxels on each line along an axis, as `project`."""
    return mask.sum(axis=axis)[::-1, ::-1].T


def find_box(
    shape: Sequence[int],
    spacing: Sequence[float],
    masks: Sequence[npt.NDArray],
    margin_mm: float,
) -> Box:
    """Return the box around what is not 0 in some volumes, with a margin.

    Args:
        shape: Of the volumes.
        spacing: In mm along I, J, K.
        masks: Volumes of that shape.
        margin_mm: On each side, as far as the volume reaches.

    Returns:
        The whole volume if all are 0.
    """
    sides = []
    for axis in range(3):
        others = tuple({0, 1, 2} - {axis})
        present = np.any([mask.any(axis=others) for mask in masks], axis=0)
        filled = np.flatnonzero(present)
        if not filled.size:
            return (slice(0, shape[0]), slice(0, shape[1]), slice(0, shape[2]))
        margin = round(margin_mm / spacing[axis])
        first, last = filled[0] - margin, filled[-1] + 1 + margin
        sides.append(slice(max(0, int(first)), min(shape[axis], int(last))))
    return (sides[0], sides[1], sides[2])
