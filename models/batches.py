"""Batches of patches from a cube, each a pure function of the seed and the step."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import numpy.typing as npt

from augment.compose import Compose, apply_intensity, replay
from cube.reader import Cube
from system.job import available_cpus
from system.processes import map_in_order
from volumes.geometry import Grid, affine_from
from volumes.ignored import IGNORED, split_ignored

MAX_FOREGROUND_VOXELS = 2000  # kept in memory per row
MAX_DRAWS = 10  # of a patch whose voxels are all ignored


def patch_box(
    first: npt.NDArray[np.int64], patch_size: Sequence[int], shape: Sequence[int]
) -> tuple[tuple[slice, ...], tuple[tuple[int, int], ...]]:
    """Return the box of a grid that a patch covers, and the padding it needs.

    Args:
        first: First index of the patch along each axis; may be negative.
        patch_size: Of the patch.
        shape: Of the grid.

    Returns:
        A slice per axis, and the numbers of voxels to pad before and after.
    """
    last = first + patch_size
    start, stop = np.clip(first, 0, shape), np.clip(last, 0, shape)
    box = tuple(slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))
    before, after = start - first, last - stop
    pads = zip(before.tolist(), after.tolist(), strict=True)
    return box, tuple(pads)


class PatchSampler:
    """Draw training patches from a cube, most of them on the spine.

    Args:
        cube: An open cube.
        rows: The rows to draw from, all with the same probability.
        patch_size: (I, J, K); I = 1 gives sagittal slices without that axis.
        batch_size: Patches per batch.
        part: Indices of the patches of a batch that this process draws; by default
            all. A patch is the same whoever draws it.
        seed: Determines each batch, together with the step.
        compose: Augments every patch as it is drawn. This interpolates the cube's
            voxels, which were interpolated once already; the augmented copies in
            the cube are interpolated once.
        contrast: Intensity transforms, drawn anew for each patch. They cost no
            interpolation, and so are applied on top of the stored copies.
        spine_share: Share of the patches that are drawn around a foreground voxel;
            the others lie anywhere in the scan.
    """

    def __init__(
        self,
        cube: Cube,
        rows: Sequence[int],
        *,
        patch_size: Sequence[int],
        batch_size: int,
        seed: int,
        compose: Compose | None = None,
        contrast: Compose | None = None,
        spine_share: float = 0.8,
        part: range | None = None,
    ):
        self.cube, self.rows = cube, list(rows)
        self.patch_size = np.array(patch_size)
        self.batch_size, self.seed = batch_size, seed
        self.part = range(batch_size) if part is None else part
        self.compose, self.contrast = compose, contrast
        self.spine_share = spine_share
        self._foreground: dict[int, npt.NDArray[np.int16]] = {}

    def foreground_voxels(self, row: int) -> npt.NDArray[np.int16]:
        """Return up to 2000 evenly chosen foreground voxels of a row, shape (n, 3)."""
        if row not in self._foreground:
            label = self.cube.label(row)
            if self.cube.ignores:
                label, _ = split_ignored(label)
            flat = np.flatnonzero(label)
            flat = flat[:: max(1, -(-len(flat) // MAX_FOREGROUND_VOXELS))]
            voxels = np.stack(np.unravel_index(flat, self.cube.shape), axis=-1)
            self._foreground[row] = voxels.astype(np.int16)
        return self._foreground[row]

    def _draw_position(
        self, row: int, rng: np.random.Generator
    ) -> npt.NDArray[np.int64]:
        """Draw the first index of a patch."""
        extent, size = self.cube.extents[row], self.patch_size
        voxels = self.foreground_voxels(row)
        if len(voxels) and rng.random() < self.spine_share:
            # The voxel lies anywhere in the patch's middle two thirds.
            offset = rng.uniform(1 / 6, 5 / 6, 3) * size
            first = voxels[rng.integers(len(voxels))] - offset.astype(int)
        else:
            largest = np.maximum(extent[:, 1] - extent[:, 0] - size, 0)
            first = extent[:, 0] + rng.integers(0, largest, endpoint=True)
        # The patch stays inside the grid where the grid is large enough.
        return np.clip(first, 0, np.maximum(np.array(self.cube.shape) - size, 0))

    def patch(
        self, row: int, rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
        """Draw one patch: image and classes, shape (I, J, K) each.

        A patch whose voxels are all ignored has no loss, and is drawn again.
        """
        for _ in range(MAX_DRAWS):
            first = self._draw_position(row, rng)
            if self.compose is not None:
                image, label = self._augment(row, first, self.compose.draw(rng))
            else:
                image, label = self._read(row, first)
            if not self.cube.ignores or (label != IGNORED).any():
                break
        if self.contrast is not None:
            drawn = self.contrast.draw(rng)
            image = apply_intensity(image, drawn, self.cube.spacing)
        return image, label

    def _read(
        self, row: int, first: npt.NDArray[np.int64]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return a patch as it is stored."""
        box, pads = patch_box(first, self.patch_size, self.cube.shape)
        image, label = self.cube.image(row, box), self.cube.label(row, box)
        if np.any(pads):
            image = np.pad(image, pads, mode="edge")
            label = np.pad(label, pads)
        return image.astype(np.float32), label

    def _augment(
        self, row: int, first: npt.NDArray[np.int64], drawn: dict
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return an augmented patch, transformed about its own centre."""
        source = Grid(self.cube.shape, affine_from(self.cube.spacing))
        origin = source.to_world(first)
        target = Grid(
            tuple(self.patch_size.tolist()), affine_from(self.cube.spacing, origin)
        )
        image = self.cube.image(row).astype(np.float32)
        return replay(drawn, image, self.cube.label(row), source=source, target=target)

    def batch(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Return this process's part of a step's batch, always the same for the step.

        Returns:
            Images (B, I, J, K, 1) float32 and classes (B, I, J, K) uint8, with B the
            length of the part, both without I where it is 1, for UNet-2D.
        """
        patches = []
        for index in self.part:
            key = np.random.SeedSequence(self.seed, spawn_key=(step, index))
            rng = np.random.default_rng(key)
            row = self.rows[rng.integers(len(self.rows))]
            patches.append(self.patch(row, rng))
        images, labels = (np.stack(part) for part in zip(*patches, strict=True))
        if self.patch_size[0] == 1:
            images, labels = images[:, 0], labels[:, 0]
        return images[..., None], labels


def prefetch(
    sampler: PatchSampler, first_step: int, ahead: int = 4, *, threads: int = 0
) -> Iterator[tuple]:
    """Yield batches without end, prepared by threads during the training steps.

    Args:
        sampler: Source of the batches.
        first_step: Step of the first batch.
        ahead: Largest number of batches that wait, which bounds the memory.
        threads: How many batches are prepared at a time; by default one for each
            two CPUs, at most `ahead`. The batches do not depend on it.

    Yields:
        What `PatchSampler.batch` returns, step by step.
    """
    threads = threads or feeding_threads(ahead)
    share = max(1, numba.get_num_threads() // threads)  # of the threads of kernels
    with ThreadPoolExecutor(
        threads, initializer=numba.set_num_threads, initargs=(share,)
    ) as pool:
        yield from map_in_order(pool, sampler.batch, itertools.count(first_step), ahead)


def feeding_threads(most: int) -> int:
    """Return how many threads prepare batches: one for each two CPUs, at most `most`.

    It is one where numba's kernels may not be called by several threads at once.
    """
    numba.get_num_threads()  # loads the threading layer
    if numba.threading_layer() == "workqueue":
        return 1
    return min(most, max(1, available_cpus() // 2))
