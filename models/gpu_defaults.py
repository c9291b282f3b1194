"""Defaults of a training on a GPU, chosen by its memory and its precision.

On a CPU the defaults are those of `models.defaults`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from cube.reader import Cube
from models.defaults import (
    BATCH_VOXELS,
    DEFAULT_ARCHITECTURE,
    PATCH_VOXELS,
    check_patch_size,
    choose_patch_size,
)
from models.device import Gpu
from models.layers import MAX_UNROLLED
from models.model_file import read_metadata
from models.options import TrainingOptions
from models.step_memory import step_bytes, voxel_bytes
from system.errors import DataError

FILTERS = 32  # as in nnU-Net
MEMORY_SHARE = 0.7  # the rest is for cuDNN, fragmentation and other programs
LEAST_BATCH = 2  # smaller patches are preferred to smaller batches, as in nnU-Net
# Of whole patches; a batch of halved ones (`halve_patch_size`) has four times as many.
MOST_BATCH = MAX_UNROLLED // 4
# Slices of 512 x 512 and patches of 160 x 160 x 160 voxels; larger ones take more time
# and have no known benefit.
MOST_PATCH_VOXELS = {"unet2d": 2**18, "unet3d": 2**22}
MOST_VALUES = 2**31 - 1  # of one tensor: cuDNN counts in 32 bits


@dataclass(frozen=True)
class Defaults:
    """What depends on the device in a training.

    Args:
        filters: Of the first level.
        dtype: Keras dtype policy.
        patch_size: Two sides for UNet-2D, three for UNet-3D.
        batch_size: Of all processes together.
    """

    filters: int
    dtype: str
    patch_size: tuple[int, ...]
    batch_size: int


def choose_dtype(gpu: Gpu, mixed_precision: bool | None) -> str:
    """Choose the dtype policy: mixed precision where the card has it, unless refused.

    bfloat16 is preferred, since it has the range of float32 and needs no loss scaling.
    If the card is unknown, mixed precision is float16 where requested, else off.
    """
    if mixed_precision is False:
        return "float32"
    for dtype in ("mixed_bfloat16", "mixed_float16"):
        if gpu.supports(dtype):
            return dtype
    return "mixed_float16" if mixed_precision else "float32"


def affordable_voxels(
    gpu: Gpu,
    model: str,
    spacing: Sequence[float],
    architecture: dict,
    *,
    num_classes: int,
) -> int:
    """Return how many voxels a batch may have to fill `MEMORY_SHARE` of the card.

    If the card's memory is unknown, they are as many as on a CPU. If not even the
    weights fit, the number is negative.

    Args:
        gpu: The card.
        model: "unet2d" or "unet3d".
        spacing: Of the voxels, in mm.
        architecture: Arguments of `build_unet`, its `dtype` included.
        num_classes: Background included.
    """
    if gpu.memory is None:
        return BATCH_VOXELS[model]
    network = (model, spacing, architecture)
    fixed = step_bytes(*network, num_classes=num_classes, voxels=0)
    free = MEMORY_SHARE * gpu.memory - fixed
    # The concatenation at full resolution is the largest tensor.
    most = MOST_VALUES // max(2 * architecture["filters"], num_classes)
    return min(int(free / voxel_bytes(*network, num_classes=num_classes)), most)


def defaults_for(
    gpu: Gpu,
    options: TrainingOptions,
    *,
    shape: Sequence[int],
    spacing: Sequence[float],
    num_classes: int,
    processes: int = 1,
) -> Defaults:
    """Return the defaults on a GPU, fitted to the options that were given.

    First the patch is made as large as memory allows for `LEAST_BATCH` of them, then
    the batch. `MOST_PATCH_VOXELS` and `MOST_BATCH` bound both on large cards.

    Args:
        gpu: The card; each process has one like it.
        options: Of the training.
        shape: Of the cube's grid.
        spacing: Of the cube, in mm.
        num_classes: Background included.
        processes: That share a batch.
    """
    model = options.model
    own_batch = options.batch_size and -(-options.batch_size // processes)
    filters = options.filters or FILTERS
    dtype = choose_dtype(gpu, options.mixed_precision)
    architecture = {**options.architecture(), "filters": filters, "dtype": dtype}
    depth = architecture["depth"]
    voxels = affordable_voxels(
        gpu, model, spacing, architecture, num_classes=num_classes
    )
    if options.patch_size:
        patch = check_patch_size(model, options.patch_size, spacing, depth)
    else:
        most = min(voxels // (own_batch or LEAST_BATCH), MOST_PATCH_VOXELS[model])
        most = PATCH_VOXELS[model] if gpu.memory is None else most
        patch = choose_patch_size(model, shape, spacing, depth, most_voxels=most)
    batch = int(np.clip(voxels // int(np.prod(patch)), 1, MOST_BATCH)) * processes
    sides = patch[1:] if model == "unet2d" else patch
    return Defaults(filters, dtype, sides, options.batch_size or batch)


def settle_defaults(
    options: TrainingOptions,
    cube: Cube,
    gpu: Gpu | None,
    recorded: dict | None = None,
    *,
    processes: int = 1,
) -> tuple[TrainingOptions, dict]:
    """Fill in the options that depend on the device, and print them.

    Args:
        options: As given.
        cube: To train on.
        gpu: To train on; None for a CPU, which has the defaults of `models.defaults`.
        recorded: What this function returned when the run was started, which is
            kept if it is resumed on another device; None for a new run.
        processes: That share a batch.

    Returns:
        The options, and what was filled in, JSON-safe, to be recorded.

    Raises:
        DataError: If the run needs float16 on a CPU that has none.
    """
    if options.epochs == 0:
        return options, {}
    if recorded is not None:
        chosen = recorded
    elif gpu is None:
        chosen = {}
    else:
        chosen = _choose(options, cube, gpu, processes)
    if chosen:
        print(_describe(chosen, gpu, is_new=recorded is None), flush=True)
    missing = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in chosen.items()
        if getattr(options, name) is None
    }
    options = replace(options, **missing)
    if gpu is None:
        _check_pooling(options)
    return options, chosen


def _check_pooling(options: TrainingOptions) -> None:
    """Raise DataError for UNet-3D in float16, which a CPU cannot compute."""
    is_half = options.architecture()["dtype"] == "mixed_float16"
    if is_half and options.model == "unet3d":
        raise DataError(
            "UNet-3D in float16 needs a GPU, as TensorFlow has no pooling of float16 "
            "in 3-D on a CPU. Received: a CPU. A run that was started without "
            "--mixed-precision can be trained on a CPU."
        )


def _choose(
    options: TrainingOptions, cube: Cube, gpu: Gpu, processes: int
) -> dict[str, Any]:
    """Return what `settle_defaults` fills in on a GPU, by the name of the option."""
    if options.weights is not None:
        architecture = read_metadata(options.weights).architecture
        own = {name: architecture[name] for name in DEFAULT_ARCHITECTURE}
        sized = replace(options, **own)
    else:
        sized = options
    found = asdict(
        defaults_for(
            gpu,
            sized,
            shape=cube.shape,
            spacing=cube.spacing,
            num_classes=len(cube.class_names),
            processes=processes,
        )
    )
    if options.weights is not None:
        del found["filters"]  # those of the trained network
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in found.items()
    }


def _describe(chosen: dict, gpu: Gpu | None, *, is_new: bool) -> str:
    """Return a line with what was chosen, and for which card."""
    words = [f"{chosen['filters']} filters"] if "filters" in chosen else []
    sides = " x ".join(map(str, chosen["patch_size"]))
    words.append(f"{chosen['batch_size']} patches of {sides} voxels a step")
    words.append(chosen["dtype"])
    if gpu is None or not is_new:
        return f"Kept from the start of the run: {', '.join(words)}"
    return f"For {gpu.description}: {', '.join(words)}"
