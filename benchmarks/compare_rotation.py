"""Measure the misplacement of image and label map by a rotation.

Example:
    python benchmarks/compare_rotation.py

A Gaussian ball and its label, well inside a volume, are rotated about the volume's
centre. Their centres of mass are compared with the exact positions. If it is
installed, volumentations-3D is measured as well as `augment.compose.replay`; its
OpenCV should not be installed beside TensorFlow, so give it its own environment:

    python -m venv compare
    compare/bin/pip install volumentations-3D numba h5py nibabel
    compare/bin/python benchmarks/compare_rotation.py
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
# Returns the rotated image and label map, and the matrix of the rotation.
Rotate = Callable[[npt.NDArray, npt.NDArray, Sequence[float]], tuple[Pair, npt.NDArray]]


def make_ball(side: int) -> Pair:
    """Return the image and the label map of a ball, shape (side, side, side)."""
    center = (side - 1) / 2 + OFF_CENTER
    axes = np.ix_(*(np.arange(side) - middle for middle in center))
    squared = sum(axis**2 for axis in axes)
    image = np.exp(-squared / (2 * SIGMA**2)).astype(np.float32)
    return image, (squared <= RADIUS**2).astype(np.uint8)


def center_of_mass(volume: npt.NDArray) -> npt.NDArray[np.float64]:
    """Compute the centre of mass of a volume, in voxels, shape (3,)."""
    volume = volume.astype(np.float64)
    return np.array([np.sum(grid * volume) for grid in np.indices(volume.shape)]) / (
        volume.sum()
    )


def rotate_here(
    image: npt.NDArray, label: npt.NDArray, degrees: Sequence[float]
) -> tuple[Pair, npt.NDArray]:
    """Rotate by `augment.compose.replay`; see `Rotate`."""
    grid = Grid(image.shape, affine_from((1, 1, 1)))
    rotated = replay({"rotation": list(degrees)}, image, label, source=grid)
    return rotated, Rotation.output_to_input(degrees)[:, :3].T


def rotate_by_volumentations(
    image: npt.NDArray, label: npt.NDArray, degrees: Sequence[float]
) -> tuple[Pair, npt.NDArray]:
    """Rotate by volumentations-3D; see `Rotate`."""
    import volumentations
    from volumentations.augmentations import functional

    limits = [(angle, angle) for angle in degrees]
    chain = volumentations.Compose([volumentations.Rotate(*limits, p=1)])
    rotated = chain(image=image, mask=label.astype(np.float32))
    x, y, z = np.deg2rad(degrees)
    # It maps an output point, a row vector about the centre, to `point @ matrix`.
    matrix = functional.rot_x(x) @ functional.rot_y(y) @ functional.rot_z(z)
    return (rotated["image"], rotated["mask"]), matrix


def measure(rotate: Rotate, side: int, degrees: Sequence[float]) -> tuple[float, ...]:
    """Measure the errors of image and label map, and the one between them.

    Returns:
        Three distances in voxels, each along the axis on which it is largest.
    """
    center = (side - 1) / 2
    before = make_ball(side)
    after, matrix = rotate(*before, degrees)
    errors = [
        center_of_mass(rotated) - center - matrix @ (center_of_mass(volume) - center)
        for volume, rotated in zip(before, after, strict=True)
    ]
    errors.append(errors[0] - errors[1])
    return tuple(float(np.abs(error).max()) for error in errors)


def find_libraries() -> dict[str, Rotate]:
    """Return the rotations that are installed, by name."""
    found = {"here": rotate_here}
    try:
        import volumentations  # noqa: F401
    except ImportError as error:
        print(f"volumentations-3D is not measured: {error}.", file=sys.stderr)
        return found
    return {"volumentations-3D": rotate_by_volumentations, **found}


def table(libraries: dict[str, Rotate]) -> list[str]:
    """Measure every library, and format the lines of a Markdown table."""
    names = ("image", "label", "image to label")
    header = ["size", "degrees"]
    header += [f"{library}: {name}" for library in libraries for name in names]
    lines = [header, ["---"] * len(header)]
    for degrees in ANGLES:
        for side in SIZES:
            cells = [str(side), " ".join(str(angle) for angle in degrees)]
            for rotate in libraries.values():
                cells += [f"{error:.2f}" for error in measure(rotate, side, degrees)]
            lines.append(cells)
    return [f"| {' | '.join(cells)} |" for cells in lines]


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table of errors, in voxels."""
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args(argv)
    print("\n".join(table(find_libraries())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
