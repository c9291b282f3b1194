"""Options that depend on the device, chosen once and kept when a run is resumed."""

from __future__ import annotations

import json
from pathlib import Path

from cube.reader import Cube
from models.checkpoint import has_checkpoint
from models.device import find_gpu
from models.gpu_defaults import settle_defaults
from models.options import TrainingOptions
from models.self_check import check_gpu
from models.train_run import CHECKPOINT_NAME
from runs.folder import RUN_CONFIG_NAME, read_json
from system.errors import DataError

RECORD = "device_defaults"  # in the run's config


def settle_device(
    options: TrainingOptions, cube: Cube, run: Path, *, processes: int = 1
) -> tuple[TrainingOptions, dict]:
    """Fill in the options that depend on the device, and check that it works.

    Args:
        options: As given.
        cube: To train on.
        run: The run folder, whose record is kept if the run is resumed.
        processes: That share a batch, each on a GPU of its own.

    Returns:
        The options, and what was filled in, to be recorded as `RECORD`.

    Raises:
        DataError: If the run cannot be resumed on this device.
        UsageError: If TensorFlow cannot use the GPU.
    """
    gpu = find_gpu()
    recorded = read_record(run) if options.resume else None
    options, chosen = settle_defaults(options, cube, gpu, recorded, processes=processes)
    if gpu is not None and options.epochs != 0:
        check_gpu(gpu, options.architecture()["dtype"])
    return options, chosen


def read_record(run: Path) -> dict | None:
    """Return what was chosen when the run was started, None if nothing was.

    A run with a checkpoint but no record was started by an earlier version, which
    had the defaults of a CPU on every device.

    Raises:
        DataError: If it is damaged.
    """
    path = run / RUN_CONFIG_NAME
    recorded = read_json(path).get(RECORD)
    if recorded is None:
        return {} if has_checkpoint(run / CHECKPOINT_NAME) else None
    if recorded != {} and not _is_whole(recorded):
        raise DataError(
            f'"{RECORD}" of {path} must have the keys {", ".join(VALID)}. Received: '
            f"{json.dumps(recorded)}. The file is damaged: start a new run."
        )
    return recorded


def _is_whole(recorded: object) -> bool:
    """Return whether a record has valid values of all that depends on the device.

    That is but for the filters of a run with --weights, which depend on these.
    """
    return (
        isinstance(recorded, dict)
        and recorded.keys() | {"filters"} == VALID.keys()
        and all(VALID[name](value) for name, value in recorded.items())
    )


def _is_count(value: object) -> bool:
    return isinstance(value, int) and value > 0


def _is_patch_size(value: object) -> bool:
    return (
        isinstance(value, list) and len(value) in (2, 3) and all(map(_is_count, value))
    )


def _is_dtype(value: object) -> bool:
    return value in ("float32", "mixed_bfloat16", "mixed_float16")


# Whether a value can be one of each option in `Defaults`.
VALID = {
    "filters": _is_count,
    "dtype": _is_dtype,
    "patch_size": _is_patch_size,
    "batch_size": _is_count,
}
