"""Generating synthetic scans and writing them as cases."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from phantom.anatomy import Spine, build_spine
from phantom.canvas import Canvas
from phantom.tissues import paint_scene
from system.atomic import atomic_text
from volumes.formats.files import write_image
from volumes.geometry import Grid, affine_from
from volumes.vertebrae import vertebra_name

UNSEEN = 0  # case number of the scan that is not in the pair list
SPACES = ("left-posterior-superior", "right-anterior-superior")


@dataclass(frozen=True)
class Phantom:
    """A synthetic scan and its reference.

    Args:
        image: Intensities, shape (I, J, K), int16: HU for CT.
        label_map: VerSe numbers of the vertebrae, else 0, same shape, uint8. Discs
            and sacrum are background.
        grid: The grid of both.
        modality: "MR" or "CT".
        spine: Where its parts lie: the known answer of measures. The surface that is
            painted is rougher, with a standard deviation of about 0.5 mm.
    """

    image: npt.NDArray[np.int16]
    label_map: npt.NDArray[np.uint8]
    grid: Grid
    modality: str
    spine: Spine


def make_phantom(case: int, seed: int, *, modality: str | None = None) -> Phantom:
    """Generate a scan; equal arguments give equal voxels.

    Args:
        case: Number of the case, 0 or more.
        seed: Seed of the whole set, 0 or more.
        modality: "MR" or "CT". By default CT for every fourth case.

    Returns:
        Five to nine whole vertebrae, the lowest L5, on an oblique, anisotropic grid
        with permuted and flipped axes.

    Raises:
        ValueError: If the modality is unknown.
    """
    if modality not in (None, "MR", "CT"):
        raise ValueError(f"Modality must be MR or CT. Received: modality={modality!r}")
    modality = modality or ("CT" if case % 4 == 3 else "MR")
    rng = np.random.default_rng(np.random.SeedSequence((seed, case)))
    spine = build_spine(int(rng.integers(5, 9, endpoint=True)), rng)
    grid = build_grid(spine, rng)
    canvas = Canvas(grid, modality, rng)
    # The skin is behind the rearmost spinous process by the thickness of the fat.
    tips = np.array([part.to_world(*part.spinous_tip) for part in spine.vertebrae])
    curve = spine.curve(tips[:, 2], "canal")[1]
    back = float((tips[:, 1] - 0.2 * curve).min()) - rng.uniform(9, 18)
    paint_scene(canvas, spine, back, back + rng.uniform(195, 235))
    acquire = acquire_mr if modality == "MR" else acquire_ct
    image = np.round(acquire(canvas.image, rng)).astype(np.int16)
    order, flips = rng.permutation(3), rng.random(3) < 0.5
    label_map = canvas.label_map
    image, label_map = (reorient(a, order, flips) for a in (image, label_map))
    grid = reorient_grid(grid, order, flips)
    return Phantom(image, label_map, grid, modality, spine)


def build_grid(spine: Spine, rng: np.random.Generator) -> Grid:
    """Build a grid of thick, slightly oblique sagittal slices over a spine."""
    turn = Rotation.from_euler("xyz", rng.uniform(-5, 5, 3), degrees=True).as_matrix()
    spacing = rng.uniform((3.7, 0.66, 0.66), (4.4, 0.8, 0.8))
    spacing[2] = spacing[1]
    points = []
    for part in spine.vertebrae:
        half, front, up = part.width / 2, part.depth / 2, part.height / 2
        points += [
            part.to_world(a * half, b * front, up) for a in (-1, 1) for b in (-1, 1)
        ]
        points += [
            part.to_world(0, part.canal - 4, 21),
            part.to_world(*part.spinous_tip),
        ]
    points = np.array(points) @ turn  # in the grid's own frame
    first, last = points.min(0), points.max(0)
    sacrum = spine.sacrum[-1].to_world(0, 0, 0) @ turn
    low = np.array(
        [0.0, first[1] - rng.uniform(28, 38), sacrum[2] - rng.uniform(8, 20)]
    )
    high = np.array([0.0, low[1] + rng.uniform(222, 255), last[2] + 3])
    shape = np.ceil((high - low) / spacing).astype(int)
    shape[0] = rng.integers(25, 29)  # wide enough for the transverse processes
    low[0] = (first[0] + last[0] - (shape[0] - 1) * spacing[0]) / 2
    return Grid(tuple(shape), affine_from(spacing, turn @ low, turn))


def acquire_mr(image: npt.NDArray, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Add the bias field of a coil at the back, and Rician noise.

    Args:
        image: Intensity, shape (I, J, K), axes right, anterior, superior.
        rng: Draws field, noise and gain.
    """
    i, j, k = (np.linspace(-1, 1, n, dtype=np.float32) for n in image.shape)
    slope = rng.uniform((-0.12, -0.5, -0.2, -0.2), (0.12, -0.2, 0.2, 0.05))
    bias = np.exp(
        slope[0] * i[:, None, None]
        + (slope[1] * j)[:, None]
        + (slope[2] * k + slope[3] * k * k)
    ).astype(np.float32)
    level = float(rng.uniform(18, 32))
    real = image * bias
    real += level * rng.standard_normal(image.shape, dtype=np.float32)
    imaginary = level * rng.standard_normal(image.shape, dtype=np.float32)
    return np.hypot(real, imaginary) * np.float32(rng.uniform(0.5, 2.0))


def acquire_ct(image: npt.NDArray, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Add Gaussian noise to HU of any shape, and clip at -1024 HU as scanners do."""
    noise = rng.standard_normal(image.shape, dtype=np.float32)
    return np.maximum(image + np.float32(rng.uniform(15, 25)) * noise, -1024)


def reorient(array: npt.NDArray, order: npt.NDArray, flips: npt.NDArray) -> npt.NDArray:
    """Permute the axes of an array, then reverse those selected by `flips`.

    Args:
        array: Shape (I, J, K).
        order: Its axes in their new order, shape (3,).
        flips: Whether each new axis is reversed, shape (3,).
    """
    axes = tuple(np.flatnonzero(flips))
    return np.ascontiguousarray(np.flip(array.transpose(order), axes))


def reorient_grid(grid: Grid, order: npt.NDArray, flips: npt.NDArray) -> Grid:
    """Return the grid of an array after `reorient`, with the same arguments."""
    shape = np.array(grid.shape)[order]
    affine = grid.affine.copy()
    affine[:3, :3] = grid.affine[:3, order]
    affine[:3, 3] += affine[:3, :3] @ np.where(flips, shape - 1, 0)
    affine[:3, :3] *= np.where(flips, -1, 1)
    return Grid(tuple(shape), affine)


def case_name(case: int) -> str:
    """Return the name of a case's folder."""
    return "unseen" if case == UNSEEN else f"phantom_{case:02d}"


def write_case(output: Path, seed: int, case: int) -> str:
    """Write one case into its folder; return a line that describes it."""
    folder = output / case_name(case)
    phantom = make_phantom(case, seed)
    space = SPACES[case % 2]
    write_image(folder / "image.nrrd", phantom.image, phantom.grid, space=space)
    write_image(folder / "label.nrrd", phantom.label_map, phantom.grid, space=space)
    values = np.unique(phantom.label_map)[1:].tolist()
    names = f"{vertebra_name(values[0])}-{vertebra_name(values[-1])}"
    shape = " x ".join(str(side) for side in phantom.grid.shape)
    spacing = " x ".join(f"{side:.2f}" for side in phantom.grid.spacing)
    return (
        f"{folder.name:<10}  {phantom.modality}  {shape}  {spacing} mm  "
        f"{phantom.grid.orientation}  vertebrae {names}"
    )


def write_pairs(output: Path, cases: int, seed: int) -> None:
    """Write the pair list, with paths relative to it and VerSe's label values."""
    names = [case_name(case) for case in range(1, cases + 1)]
    lines = [f"{name}/image.nrrd,{name}/label.nrrd" for name in names]
    header = f"# image,label; generated with --cases {cases} --seed {seed}"
    with atomic_text(output / "pairs.txt") as stream:
        stream.write("\n".join([header, "labels: verse", *lines, ""]))
