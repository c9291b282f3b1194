"""What a network gets where the user names nothing: patch, batch, filters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from system.errors import UsageError
from volumes.pooling import pooling_sizes

DEFAULT_ARCHITECTURE = {"filters": 8, "depth": 4, "norm": "instance", "dropout": 0.0}
LEARNING_RATE = 2e-3
# A slice of 256 x 256 voxels; a patch of 48 x 96 x 96.
PATCH_VOXELS = {"unet2d": 65_536, "unet3d": 442_368}
BATCH_VOXELS = {"unet2d": 98_304, "unet3d": 442_368}


def patch_multiples(
    model: str, spacing: Sequence[float], depth: int
) -> tuple[int, int, int]:
    """Give what each side of a patch must be divisible by; 1 across slices."""
    if model == "unet2d":
        sides = np.prod(pooling_sizes(spacing[1:], depth), axis=0)
        return (1, *sides.tolist())
    return tuple(np.prod(pooling_sizes(spacing, depth), axis=0).tolist())


def choose_patch_size(
    model: str, shape: Sequence[int], spacing: Sequence[float], depth: int
) -> tuple[int, int, int]:
    """Choose a patch: the whole grid, shortened where it is longest in mm.

    Args:
        model: "unet2d" or "unet3d".
        shape: Of the cube's grid.
        spacing: Of the cube, in mm.
        depth: Of the network.

    Returns:
        Sides in voxels, each divisible by its poolings, together at most about
        `PATCH_VOXELS`; the first is 1 for UNet-2D.
    """
    multiples = np.array(patch_multiples(model, spacing, depth))
    patch = -(-np.array(shape) // multiples) * multiples
    patch[0] = 1 if model == "unet2d" else max(patch[0], 2)
    while patch.prod() > PATCH_VOXELS[model] and (patch > multiples).any():
        length = np.where(patch > multiples, patch * spacing, 0)
        longest = int(np.argmax(length))
        patch[longest] -= multiples[longest]
    return tuple(patch.tolist())


def choose_batch_size(model: str, patch_size: Sequence[int]) -> int:
    """Choose a batch of about as many voxels as a step handles well, at least 1."""
    return max(1, round(BATCH_VOXELS[model] / int(np.prod(patch_size))))


def is_valid_patch_size(
    model: str, patch: Sequence[int], spacing: Sequence[float], depth: int
) -> bool:
    """Tell whether a patch of three sides is one that the network takes."""
    multiples = patch_multiples(model, spacing, depth)
    has_its_rank = (patch[0] == 1) == (model == "unet2d")
    return has_its_rank and not np.any(np.array(patch) % multiples)


def check_patch_size(
    model: str, patch_size: Sequence[int], spacing: Sequence[float], depth: int
) -> tuple[int, int, int]:
    """See that a patch given by the user can be halved by the network.

    Args:
        model: "unet2d" or "unet3d".
        patch_size: Two figures for UNet-2D, three for UNet-3D.
        spacing: Of the cube, in mm.
        depth: Of the network.

    Returns:
        Three sides; the first is 1 for UNet-2D.

    Raises:
        UsageError: If the number of sides or a side does not fit.
    """
    sides = 2 if model == "unet2d" else 3
    multiples = patch_multiples(model, spacing, depth)
    patch = (1, *patch_size) if len(patch_size) == 2 else tuple(patch_size)
    fits = len(patch_size) == sides and min(patch) > 0
    if not fits or not is_valid_patch_size(model, patch, spacing, depth):
        more = "" if model == "unet2d" else ", the first 2 or more"
        raise UsageError(
            f"--patch-size of {model} takes {sides} figures, divisible by "
            f"{multiples[-sides:]} at depth {depth}{more}. "
            f"Received: {tuple(patch_size)}"
        )
    return patch
