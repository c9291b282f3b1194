"""The device that networks run on: its name, its memory and how to compile for it."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf

from models.quiet import suppress_stderr
from system.errors import DataError, UsageError
from system.job import available_cpus


def find_device(*, require_gpu: bool) -> str:
    """Return the name of the device that will be used.

    Raises:
        UsageError: If a GPU is required and TensorFlow sees none.
    """
    # If a required GPU is not found, TensorFlow's own messages are shown too.
    with suppress_stderr():
        gpus = tf.config.list_physical_devices("GPU")
        if require_gpu and not gpus:
            raise UsageError(
                "--require-gpu needs a GPU that TensorFlow can use. Received: none. "
                "On Linux and WSL2: pip install 'tensorflow[and-cuda]'"
            )
    if gpus:
        details = tf.config.experimental.get_device_details(gpus[0])
        return f"GPU {details.get('device_name', gpus[0].name)}"
    return f"CPU with {available_cpus()} threads"


def peak_memory_mib() -> float:
    """Return the peak memory of this process in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024**2 if sys.platform == "darwin" else 1024)


@contextmanager
def report_out_of_memory(activity: str) -> Iterator[None]:
    """Raise DataError where the block runs out of memory, the GPU's or the machine's.

    Args:
        activity: What the block does, as in "predicting scan.nrrd".
    """
    try:
        yield
    except (MemoryError, tf.errors.ResourceExhaustedError) as error:
        raise DataError(f"Out of memory while {activity}.") from error


def jit_compile() -> bool | str:
    """Return how to compile with XLA: not on a CPU, where it is six times slower."""
    return "auto" if tf.config.list_physical_devices("GPU") else False
