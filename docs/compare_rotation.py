"""Measure how far a rotation carries image and label off, here and elsewhere.

Example:
    python docs/compare_rotation.py

A soft ball and its label, well inside a volume, are turned about the volume's
centre. Where they should land is known, so each one's centre of mass says how far
off it is. volumentations-3D is measured beside `augment.replay` where it can be
imported; beside TensorFlow its OpenCV is not wanted, so in an environment of its own:

    python -m venv compare
    compare/bin/pip install volumentations-3D numba h5py nibabel
    compare/bin/python docs/compare_rotation.py
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from augment.compose import replay
from augment.spatial import Rotation
from volumes.geometry import Grid, affine_from

SIZES = (29, 30, 31, 32, 33)  # voxels
ANGLES = ((0, 0, 0), (10, 0, 0), (10, 10, 10))  # degrees about each axis
OFF_CENTER = np.array([2.3, -1.6, 3.1])  # voxels from the volume's centre
RADIUS, SIGMA = 6.0, 2.0  # of the label and of the image, in voxels

Pair = tuple[npt.NDArray, npt.NDArray]
# A library's image and label map, turned; and the matrix by which it turned them.
Turn = Callable[[npt.NDArray, npt.NDArray, Sequence[float]], tuple[Pair, npt.NDArray]]


def make_ball(side: int) -> Pair:
    """Make an image and a label map of one ball, shape (side, side, side)."""
    center = (side - 1) / 2 + OFF_CENTER
    axes = np.ix_(*(np.arange(side) - middle for middle in center))
    squared = sum(axis**2 for axis in axes)
    image = np.exp(-squared / (2 * SIGMA**2)).astype(np.float32)
    return image, (squared <= RADIUS**2).astype(np.uint8)


def center_of_mass(volume: npt.NDArray) -> npt.NDArray[np.float64]:
    """Locate the middle of what a volume holds, in voxels, shape (3,)."""
    volume = volume.astype(np.float64)
    return np.array([np.sum(grid * volume) for grid in np.indices(volume.shape)]) / (
        volume.sum()
    )


def turn_here(
    image: npt.NDArray, label: npt.NDArray, degrees: Sequence[float]
) -> tuple[Pair, npt.NDArray]:
    """Turn by `augment.replay`; see `Turn`."""
    grid = Grid(image.shape, affine_from((1, 1, 1)))
    turned = replay({"rotation": list(degrees)}, image, label, source=grid)
    return turned, Rotation.output_to_input(degrees)[:, :3].T


def turn_by_volumentations(
    image: npt.NDArray, label: npt.NDArray, degrees: Sequence[float]
) -> tuple[Pair, npt.NDArray]:
    """Turn by volumentations-3D; see `Turn`."""
    import volumentations
    from volumentations.augmentations import functional

    limits = [(angle, angle) for angle in degrees]
    chain = volumentations.Compose([volumentations.Rotate(*limits, p=1)])
    found = chain(image=image, mask=label.astype(np.float32))
    x, y, z = np.deg2rad(degrees)
    # It reads output point o, as a row about the centre, at o @ matrix.
    matrix = functional.rot_x(x) @ functional.rot_y(y) @ functional.rot_z(z)
    return (found["image"], found["mask"]), matrix


def measure(turn: Turn, side: int, degrees: Sequence[float]) -> tuple[float, ...]:
    """Measure how far off image and label are, and from each other.

    Returns:
        Three distances in voxels, each along the axis on which it is largest.
    """
    center = (side - 1) / 2
    before = make_ball(side)
    after, matrix = turn(*before, degrees)
    off = [
        center_of_mass(turned) - center - matrix @ (center_of_mass(volume) - center)
        for volume, turned in zip(before, after, strict=True)
    ]
    off.append(off[0] - off[1])
    return tuple(float(np.abs(vector).max()) for vector in off)


def find_libraries() -> dict[str, Turn]:
    """Give what can be measured in this environment, by name."""
    found = {"here": turn_here}
    try:
        import volumentations  # noqa: F401
    except ImportError as error:
        print(f"volumentations-3D is left out: {error}.", file=sys.stderr)
        return found
    return {"volumentations-3D": turn_by_volumentations, **found}


def table(libraries: dict[str, Turn]) -> list[str]:
    """Measure everything, as lines of a Markdown table."""
    names = ("image", "label", "image to label")
    header = ["size", "degrees"]
    header += [f"{library}: {name}" for library in libraries for name in names]
    lines = [header, ["---"] * len(header)]
    for degrees in ANGLES:
        for side in SIZES:
            cells = [str(side), " ".join(str(angle) for angle in degrees)]
            for turn in libraries.values():
                cells += [f"{off:.2f}" for off in measure(turn, side, degrees)]
            lines.append(cells)
    return [f"| {' | '.join(cells)} |" for cells in lines]


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table of shifts, in voxels."""
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args(argv)
    print("\n".join(table(find_libraries())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
