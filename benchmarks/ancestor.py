"""A typical pipeline of 2020, which this project replaces.

Every scan and its mask is stretched by cubic splines until the longest side has
128 voxels, put in the middle of a cube of zeros, brought to [0, 1], and handed
to a chain of volumentations-3D once per copy. All lies in two float64 matrices in
memory until one call writes them at the end.
"""

from __future__ import annotations

import importlib.util
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import h5py
import nrrd
import numpy as np
from scipy import ndimage

SIDE = 128


def is_installed() -> bool:
    """Return whether volumentations-3D is installed."""
    return importlib.util.find_spec("volumentations") is not None


def make_chain() -> Callable[..., dict]:
    """Build the chain: rotation, elastic deformation, noise, gamma."""
    import volumentations

    return volumentations.Compose(
        [
            volumentations.Rotate((-10, 10), (-10, 10), (-10, 10), p=1),
            volumentations.ElasticTransform((0.05, 0.1), p=1),
            volumentations.RandomGamma((70, 150), p=1),
            volumentations.GaussianNoise(var_limit=(0, 0.0004), p=1),
        ],
        p=1.0,
    )


def stretch(array: np.ndarray, side: int) -> np.ndarray:
    """Scale the longest side to `side` voxels, and centre it in a cube of zeros."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # scipy, on rounded sides
        scaled = ndimage.zoom(
            array.astype(np.float64), side / max(array.shape), order=3
        )
    out = np.zeros((side,) * 3)
    corner = [(side - have) // 2 for have in scaled.shape]
    out[tuple(slice(c, c + n) for c, n in zip(corner, scaled.shape, strict=True))] = (
        scaled
    )
    return out


def build(
    pairs: Sequence[tuple[Path, Path]], output: Path, copies: int, side: int = SIDE
) -> dict[str, float]:
    """Build the matrix and write it.

    Args:
        pairs: Image and label map of every case, NRRD.
        output: HDF5 file to write.
        copies: Of every case.
        side: Of the cube, in voxels.

    Returns:
        Seconds spent reading, scaling, augmenting and writing.
    """
    chain = make_chain()
    images = np.zeros((len(pairs) * (1 + copies), side, side, side))
    masks = np.zeros_like(images)
    spent = dict.fromkeys(("reading", "scaling", "augmenting", "writing"), 0.0)
    clock = _Clock(spent)
    row = 0
    for paths in pairs:
        image, mask = (nrrd.read(str(path))[0] for path in paths)
        clock.note("reading")
        image, mask = stretch(image, side), np.round(stretch(mask > 0, side))
        image = (image - image.min()) / max(np.ptp(image), 1e-9)
        images[row], masks[row] = image, mask
        row += 1
        clock.note("scaling")
        for _ in range(copies):
            moved = chain(image=image, mask=mask)
            images[row], masks[row] = moved["image"], moved["mask"]
            row += 1
        clock.note("augmenting")
    with h5py.File(output, "w") as file:
        file["images"], file["masks"] = images, masks
    clock.note("writing")
    return spent


class _Clock:
    """Add the seconds since the last note to a phase."""

    def __init__(self, spent: dict[str, float]):
        self.spent, self.last = spent, time.perf_counter()

    def note(self, phase: str) -> None:
        now = time.perf_counter()
        self.spent[phase] += now - self.last
        self.last = now
