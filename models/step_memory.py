"""The memory that a training step takes, computed from the network and its batch.

Backpropagation keeps the output of nearly every layer, so that the memory grows with
the sum of all outputs. `benchmarks/train_memory.py` compares this with measured steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from models.unet import filters_at
from volumes.pooling import pooling_sizes

# Fitted to `benchmarks/train_memory.py` so that no case takes more than is computed.
OUTPUT_SHARE = 1.1  # of the outputs; above 1 for the gradients of the largest ones
CLASS_VALUES = 6  # float32 values a voxel and class: softmax, labels, loss, gradients
# Seven values: weight, gradient, clipped gradient, two moments of AdamW, their update,
# weight average.
WEIGHT_BYTES = 28
RUNTIME_BYTES = 200 * 2**20


def level_pools(
    model: str, spacing: Sequence[float], depth: int
) -> list[tuple[int, ...]]:
    """Return the pooling size of each level along the axes of the network."""
    return pooling_sizes(spacing[1:] if model == "unet2d" else spacing, depth)


def level_widths(architecture: dict) -> list[int]:
    """Return the number of filters of each level, the bottom last."""
    numbers = range(architecture["depth"] + 1)
    return [filters_at(number, architecture["filters"]) for number in numbers]


def output_values(model: str, spacing: Sequence[float], architecture: dict) -> float:
    """Return the number of values in the outputs of all layers, per voxel of a patch.

    The layers behind the features, which depend on the number of classes, are left
    out. UNet-3D of isotropic voxels has about 20 x filters, UNet-2D about 29.

    Args:
        model: "unet2d" or "unet3d".
        spacing: Of the voxels, in mm.
        architecture: Arguments of `build_unet`.
    """
    pools = level_pools(model, spacing, architecture["depth"])
    voxels = np.cumprod([1.0, *(1 / np.prod(pool) for pool in pools)])
    # Convolution, norm and activation, twice; then dropout.
    in_block = 2 * (2 + (architecture["norm"] != "none")) + bool(
        architecture["dropout"]
    )
    widths = level_widths(architecture)
    total = in_block * widths[-1] * voxels[-1]  # of the bottom
    for level, width in enumerate(widths[:-1]):
        pool = width * voxels[level + 1]
        # Two blocks, transposed convolution, and the concatenation of two features.
        total += (2 * in_block + 3) * width * voxels[level] + pool
    return float(total)


def count_weights(model: str, spacing: Sequence[float], architecture: dict) -> int:
    """Return the number of weights of all kernels but the head's.

    Args:
        model: "unet2d" or "unet3d".
        spacing: Of the voxels, in mm.
        architecture: Arguments of `build_unet`.
    """
    pools = level_pools(model, spacing, architecture["depth"])
    widths = level_widths(architecture)
    kernels = [int(np.prod([3 if size == 2 else 1 for size in pool])) for pool in pools]
    kernels.append(3 ** (2 if model == "unet2d" else 3))
    total, width_before = 0, 1
    for kernel, width in zip(kernels, widths, strict=True):
        total += kernel * width * (width_before + width)
        width_before = width
    for level, (width, below) in enumerate(pairwise(widths)):
        total += int(np.prod(pools[level])) * below * width  # transposed
        total += kernels[level] * width * (2 * width + width)
    return total


def step_bytes(
    model: str,
    spacing: Sequence[float],
    architecture: dict,
    *,
    num_classes: int,
    voxels: int,
) -> int:
    """Return the bytes of memory that a training step takes.

    Args:
        model: "unet2d" or "unet3d".
        spacing: Of the voxels, in mm.
        architecture: Arguments of `build_unet`, its `dtype` included.
        num_classes: Background included.
        voxels: Of all patches of a batch together.
    """
    fixed = WEIGHT_BYTES * count_weights(model, spacing, architecture)
    per_voxel = voxel_bytes(model, spacing, architecture, num_classes=num_classes)
    return round(RUNTIME_BYTES + fixed + voxels * per_voxel)


def voxel_bytes(
    model: str, spacing: Sequence[float], architecture: dict, *, num_classes: int
) -> float:
    """Return the part of `step_bytes` that is due to each voxel of the batch.

    Its arguments are those of `step_bytes`.
    """
    size = 4 if architecture["dtype"] == "float32" else 2
    features = OUTPUT_SHARE * size * output_values(model, spacing, architecture)
    return features + 4 * CLASS_VALUES * num_classes
