"""Default options of the networks, and which patch sizes they accept."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from system.errors import UsageError
from volumes.pooling import pooling_sizes

DEFAULT_ARCHITECTURE = {"filters": 8, "depth": 4, "norm": "instance", "dropout": 0.0}
LEARNING_RATE = 2e-3
CONTRAST_CURVES = 0.75  # share of the patches of scans whose unit has no meaning
# Of a patch of 128 x 128 voxels of a slice; of one of 48 x 96 x 96.
PATCH_VOXELS = {"unet2d": 16_384, "unet3d": 442_368}
BATCH_VOXELS = {"unet2d": 98_304, "unet3d": 442_368}


def patch_multiples(
    model: str, spacing: Sequence[float], depth: int
) -> tuple[int, int, int]:
    """Return the divisor of each side of a patch; 1 across slices for UNet-2D.

    Args:
        model: "unet2d" or "unet3d".
        spacing: Of the voxels, in mm.
        depth: Number of down-sampling steps.
    """
    if model == "unet2d":
        sides = np.prod(pooling_sizes(spacing[1:], depth), axis=0)
        return (1, *sides.tolist())
    return tuple(np.prod(pooling_sizes(spacing, depth), axis=0).tolist())


def choose_patch_size(
    model: str,
    shape: Sequence[int],
    spacing: Sequence[float],
    depth: int,
    *,
    most_voxels: int | None = None,
) -> tuple[int, int, int]:
    """Choose a patch size: the whole grid, cropped along its longest sides in mm.

    Args:
        model: "unet2d" or "unet3d".
        shape: Of the cube's grid.
        spacing: Of the cube, in mm.
        depth: Of the network.
        most_voxels: Of the patch, where the divisors allow it; by default
            `PATCH_VOXELS`.

    Returns:
        Sides in voxels, each a multiple of its divisor; the first is 1 for UNet-2D.
    """
    most_voxels = PATCH_VOXELS[model] if most_voxels is None else most_voxels
    multiples = np.array(patch_multiples(model, spacing, depth))
    patch = -(-np.array(shape) // multiples) * multiples
    patch[0] = 1 if model == "unet2d" else max(patch[0], 2)
    while patch.prod() > most_voxels and (patch > multiples).any():
        length = np.where(patch > multiples, patch * spacing, 0)
        longest = int(np.argmax(length))
        patch[longest] -= multiples[longest]
    return tuple(patch.tolist())


def halve_patch_size(
    model: str, patch_size: Sequence[int], spacing: Sequence[float], depth: int
) -> tuple[int, int, int]:
    """Return a patch size with half of the second and the third side.

    They are rounded up to what the network accepts.

    Args:
        model: "unet2d" or "unet3d".
        patch_size: (I, J, K).
        spacing: Of the cube, in mm.
        depth: Of the network.
    """
    multiples = np.array(patch_multiples(model, spacing, depth))
    halved = np.array(patch_size) // (1, 2, 2)
    return tuple((-(-halved // multiples) * multiples).tolist())


def choose_batch_size(model: str, patch_size: Sequence[int]) -> int:
    """Return the number of patches, at least 1, that have about `BATCH_VOXELS`."""
    return max(1, round(BATCH_VOXELS[model] / int(np.prod(patch_size))))


def is_valid_patch_size(
    model: str, patch: Sequence[int], spacing: Sequence[float], depth: int
) -> bool:
    """Return whether the network accepts patches of these three sides.

    Args:
        model: "unet2d" or "unet3d".
        patch: Sides in voxels.
        spacing: Of the voxels, in mm.
        depth: Of the network.
    """
    multiples = patch_multiples(model, spacing, depth)
    has_its_rank = (patch[0] == 1) == (model == "unet2d")
    return has_its_rank and not np.any(np.array(patch) % multiples)


def check_patch_size(
    model: str, patch_size: Sequence[int], spacing: Sequence[float], depth: int
) -> tuple[int, int, int]:
    """Check that the network accepts the user's patch size.

    Args:
        model: "unet2d" or "unet3d".
        patch_size: Two sides for UNet-2D, three for UNet-3D.
        spacing: Of the cube, in mm.
        depth: Of the network.

    Returns:
        Three sides; the first is 1 for UNet-2D.

    Raises:
        UsageError: If the number of sides is wrong or a side is not divisible.
    """
    sides = 2 if model == "unet2d" else 3
    multiples = patch_multiples(model, spacing, depth)
    patch = (1, *patch_size) if len(patch_size) == 2 else tuple(patch_size)
    is_whole = len(patch_size) == sides and min(patch) > 0
    if not is_whole or not is_valid_patch_size(model, patch, spacing, depth):
        more = "" if model == "unet2d" else ", the first 2 or more"
        raise UsageError(
            f"--patch-size of {model} takes {sides} numbers, divisible by "
            f"{multiples[-sides:]} at depth {depth}{more}. "
            f"Received: {tuple(patch_size)}"
        )
    return patch
