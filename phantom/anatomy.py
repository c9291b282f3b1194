"""A synthetic spine: position and shape of its vertebrae, discs and sacrum.

Shapes are implicit functions: the approximate distance in mm to the surface, negative
inside. A part's own frame is in mm with its origin at the centre of the body: u to
the patient's right, v to the anterior, w up along the spine. Functions that shape
something take these coordinates as arrays that broadcast to the shape of a box of
voxels, and return a `Field` of that shape.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.interpolate import PchipInterpolator

Field = npt.NDArray[np.float32]

# VerSe: 20-24 are L1-L5 and 8-19 are T1-T12; the value decreases upwards.
L5 = 24

# From L5 up to T9, in mm: width, depth and height of the body, height of the disc
# below; and the forward tilt in degrees (a lordosis of about 40 from L1 to L5).
WIDTH = (50, 48.5, 47, 45, 43, 40.5, 38, 35.5, 33.5)
DEPTH = (35, 34.5, 34, 33, 32, 31, 30, 29, 28)
HEIGHT = (27.5, 27.5, 27, 26.5, 25.5, 24.5, 23, 22, 21)
DISC = (10, 10.5, 10, 9, 8, 6.5, 5.5, 5, 4.5)
LEAN = (23, 11, 2, -6, -12, -15, -13, -8, -2)

# Of a body, relative to its rims: width and depth at mid-height, and how much lower
# each end plate is in its middle, mm.
WAIST = 0.91
HOLLOW = 2.0

# S1 to S4: width, depth, height in mm, lean in degrees.
SACRUM = ((50, 31, 29, 38), (40, 21, 25, 50), (32, 15, 21, 62), (24, 11, 17, 70))


@dataclass(frozen=True)
class Part:
    """Position and size of a vertebra, disc or sacral segment.

    Args:
        value: Its label, or 0 for none.
        frame: Own frame to world mm, shape (4, 4), rigid.
        width: Of the body, left to right, mm.
        depth: Of the body, posterior to anterior, mm.
        height: Of the body, mm.
        thoracic: 0 for L1 and below, up to 1 for T9: the processes slant down.
    """

    value: int
    frame: npt.NDArray[np.float64]
    width: float
    depth: float
    height: float
    thoracic: float = 0.0

    def to_world(self, *point: float) -> npt.NDArray[np.float64]:
        """Return world mm, shape (3,), of a point (u, v, w) of the part's frame."""
        return self.frame[:3, :3] @ point + self.frame[:3, 3]

    def height_at(self, share: float) -> float:
        """Compute the height of the body in its mid-sagittal plane, in mm.

        Exact where the edges are not rounded, at shares of 0.1 to 0.9.

        Args:
            share: Of the depth at mid-height, from the back: 0 to 1.
        """
        radius = abs(2 * share - 1) * WAIST
        return self.height - 2 * HOLLOW * (1 - radius * radius)

    def end_plate(self, side: int) -> tuple[npt.NDArray, npt.NDArray]:
        """Return the plane through the rim of an end plate, which is flat.

        Args:
            side: +1 for the upper, -1 for the lower.

        Returns:
            World mm of its centre, and its normal, upwards for both, each of shape
            (3,).
        """
        return self.to_world(0, 0, side * self.height / 2), self.frame[:3, 2].copy()

    @property
    def centre(self) -> npt.NDArray[np.float64]:
        """World mm of the middle of the body, shape (3,)."""
        return self.frame[:3, 3].copy()

    @property
    def canal(self) -> float:
        """Coordinate v of the centre of the spinal canal."""
        return -self.depth / 2 - 7.0

    @property
    def spinous_tip(self) -> tuple[float, float, float]:
        """End of the spinous process in the part's own frame."""
        size = self.depth / 34
        return 0.0, self.canal - 37 * size, -13 - 14 * self.thoracic


@dataclass(frozen=True)
class Spine:
    """Vertebrae from L5 upwards, discs from L5/S1 upwards, sacrum downwards."""

    vertebrae: tuple[Part, ...]
    discs: tuple[Part, ...]
    sacrum: tuple[Part, ...]

    def curve(self, z: npt.NDArray, v: str) -> npt.NDArray[np.float64]:
        """Return world x and y, shape (2, N), at heights `z`, shape (N,).

        Args:
            z: World mm; the curve is vertical beyond its ends.
            v: "body" for the centre of the bodies, "canal" for that of the canal.
        """
        parts = (*self.sacrum[::-1], *self.vertebrae)
        points = np.array(
            [p.to_world(0, p.canal if v == "canal" else 0, 0) for p in parts]
        )
        line = PchipInterpolator(points[:, 2], points[:, :2])
        return line(np.clip(z, points[0, 2], points[-1, 2])).T


def build_spine(num_vertebrae: int, rng: np.random.Generator) -> Spine:
    """Build a lordotic, slightly scoliotic spine with L5 near the world's origin.

    Args:
        num_vertebrae: From L5 upwards, at least 1.
        rng: Draws its size and curves.
    """
    size = rng.uniform(0.93, 1.07)
    lordosis = rng.uniform(0.7, 1.1)
    bend, turn = rng.uniform(-3.0, 3.0), rng.uniform(0, 2 * np.pi)
    vertebrae, discs = [], []
    place = np.zeros(3)
    for level in range(num_vertebrae + 1):  # one disc more than vertebrae
        own = size * rng.uniform(0.97, 1.03)
        index = min(level, len(WIDTH) - 1)
        lean = lordosis * LEAN[index] + rng.uniform(-1.5, 1.5)
        frame = tilted_frame(lean, bend * np.sin(level * 0.9 + turn))
        width, depth, height = (own * s[index] for s in (WIDTH, DEPTH, HEIGHT))
        gap = size * DISC[index] * rng.uniform(0.8, 1.1)
        below = tilted_frame(lordosis * 38) if not discs else vertebrae[-1].frame
        between = (frame[:3, 2] + below[:3, 2]) / 2
        place = place + between * gap / 2
        discs.append(
            Part(0, with_origin(mean_rotation(frame, below), place), width, depth, gap)
        )
        place = place + between * gap / 2 + frame[:3, 2] * height / 2
        thoracic = float(np.clip((level - 4) / 4, 0, 1))
        middle = with_origin(frame, place)
        vertebrae.append(Part(L5 - level, middle, width, depth, height, thoracic))
        place = place + frame[:3, 2] * height / 2
    sacrum = build_sacrum(size, lordosis)
    return Spine(tuple(vertebrae[:-1]), tuple(discs), sacrum)


def build_sacrum(size: float, lordosis: float) -> tuple[Part, ...]:
    """Build S1 to S4 downwards from the lower face of the disc L5/S1."""
    place, sacrum = np.zeros(3), []
    for width, depth, height, lean in SACRUM:
        frame = tilted_frame(lean * (lordosis if not sacrum else 0.5 + lordosis / 2))
        place = place - frame[:3, 2] * size * height / 2
        frame = with_origin(frame, place)
        sacrum.append(Part(0, frame, size * width, size * depth, size * height))
        place = place - frame[:3, 2] * (size * height / 2 + 1.0)
    return tuple(sacrum)


def tilted_frame(lean: float, roll: float = 0.0) -> npt.NDArray[np.float64]:
    """Build a frame that leans forwards, then rolls to the right, in degrees.

    Returns:
        Rotation of shape (4, 4), with its origin at 0.
    """
    lean, roll = np.deg2rad((lean, roll))
    frame = np.eye(4)
    frame[:3, :3] = [
        [np.cos(roll), 0, np.sin(roll)],
        [0, 1, 0],
        [-np.sin(roll), 0, np.cos(roll)],
    ] @ np.array(
        [
            [1, 0, 0],
            [0, np.cos(lean), np.sin(lean)],
            [0, -np.sin(lean), np.cos(lean)],
        ]
    )
    return frame


def mean_rotation(first: npt.NDArray, second: npt.NDArray) -> npt.NDArray[np.float64]:
    """Compute the mean of two rotations that differ by a small angle.

    Args:
        first: Frame, shape (4, 4).
        second: Frame, shape (4, 4).

    Returns:
        Frame of shape (4, 4), with its origin at 0.
    """
    left, _, right = np.linalg.svd(first[:3, :3] + second[:3, :3])
    frame = np.eye(4)
    frame[:3, :3] = left @ right
    return frame


def with_origin(frame: npt.NDArray, place: npt.NDArray) -> npt.NDArray[np.float64]:
    """Return a copy of a frame, shape (4, 4), with its origin at `place`, in mm."""
    frame = frame.copy()
    frame[:3, 3] = place
    return frame


def union(first: Field, second: Field, blend: float) -> Field:
    """Join two shapes with a fillet about `blend` mm wide."""
    near = np.maximum(blend - np.abs(first - second), 0)
    return np.minimum(first, second) - near * near / np.float32(4 * blend)


def intersection(first: Field, second: Field, blend: float) -> Field:
    """Cut one shape by another with the edge rounded over `blend` mm."""
    return -union(-first, -second, blend)


def rod(u, v, w, start, end, radius: float, stretch: float = 1.0) -> Field:
    """Shape a round-ended rod, stretched along w by a factor.

    Args:
        u: Coordinate of each voxel in mm, and so `v` and `w`.
        v: To the anterior.
        w: Along the spine.
        start: Centre (u, v, w) of one end, in mm.
        end: Centre of the other end, in mm.
        radius: Of the rod, in mm.
        stretch: Factor along w.
    """
    scale = np.array([1, 1, stretch], np.float32)
    start, end = (np.array(p, np.float32) / scale for p in (start, end))
    along = end - start
    along_u, along_v, along_w = along / (along * along).sum()
    u, v, w = u - start[0], v - start[1], w / np.float32(stretch) - start[2]
    share = np.clip(u * along_u + v * along_v + w * along_w, 0, 1)
    u, v, w = (c - share * a for c, a in zip((u, v, w), along, strict=True))
    return np.sqrt(u * u + v * v + w * w) - np.float32(radius)


def body_shape(part: Part, u: Field, v: Field, w: Field) -> Field:
    """Shape a vertebral body: a rounded box with a waist and concave end plates."""
    half = part.height / 2
    radius = (
        np.abs(u / (part.width / 2)) ** 2.5 + np.abs(v / (part.depth / 2)) ** 2.5
    ) ** np.float32(0.4)
    level = np.clip(w / half, -1, 1)
    waist = WAIST + (1 - WAIST) * level * level
    side = (radius - waist) * np.float32((part.width + part.depth) / 4)
    hollow = HOLLOW * np.clip(1 - radius * radius, 0, 1)
    return intersection(side, np.abs(w) - half + hollow, 3.0).astype(np.float32)


def arch_shape(part: Part, u: Field, v: Field, w: Field) -> Field:
    """Shape pedicles, laminae, spinous, transverse and articular processes."""
    size, canal, slant = part.depth / 34, part.canal, part.thoracic
    side = np.abs(u)
    behind = canal - 10 * size
    corner = (14 * size, canal - 4, 4)
    roof = (0, behind - 2, -7 - 4 * slant)
    tip = part.spinous_tip
    shape = rod(side, v, w, (12 * size, -part.depth / 2 + 3, 5), corner, 4.3, 1.6)
    wing = ((38 - 10 * slant) * size, canal - 5 - 10 * slant, 6)
    for start, end, radius, stretch, blend in (
        (corner, roof, 3.4, 2.4, 4.0),  # lamina
        (roof, tip, 3.7, 2.5 - 0.8 * slant, 4.0),  # spinous process
        (corner, wing, 4.0, 1.3, 4.0),  # transverse process
        (corner, (17.5 * size, canal - 4, 17), 3.6, 1.0, 3.0),  # upper facet
        ((12 * size, behind, -4), (12 * size, behind - 3, -17), 4.0, 1.0, 3.0),
    ):
        shape = union(shape, rod(side, v, w, start, end, radius, stretch), blend)
    return shape


def vertebra_shape(part: Part, u: Field, v: Field, w: Field) -> Field:
    """Shape a whole vertebra: the body, and the arch around the canal."""
    size = part.depth / 34
    shape = union(body_shape(part, u, v, w), arch_shape(part, u, v, w), 3.0)
    canal = np.sqrt((u / (11.5 * size)) ** 2 + ((v - part.canal) / (8.0 * size)) ** 2)
    return intersection(shape, (1 - canal) * np.float32(9 * size), 1.5)
