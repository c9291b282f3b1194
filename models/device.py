"""Which device the networks run on, how they are compiled for it, what they hold."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import keras
import tensorflow as tf

from models.quiet import suppress_stderr
from system.errors import DataError, UsageError


def find_device(*, require_gpu: bool) -> str:
    """Name the device that will be used.

    Raises:
        UsageError: If a GPU is required and TensorFlow sees none.
    """
    # Where a GPU is required and none is found, what TensorFlow says of it shows.
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
    return f"CPU with {os.cpu_count()} threads"


def peak_memory_mib() -> float:
    """Give the most memory that this process has held, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024**2 if sys.platform == "darwin" else 1024)


@contextmanager
def report_out_of_memory(what: object) -> Iterator[None]:
    """Turn the want of memory, the device's or the machine's, into a DataError."""
    try:
        yield
    except (MemoryError, tf.errors.ResourceExhaustedError) as error:
        raise DataError(f"{what} needs more memory than there is.") from error


def jit_compile() -> bool | str:
    """Say whether XLA compiles the step: six times slower on a CPU, so not there."""
    return "auto" if tf.config.list_physical_devices("GPU") else False


def seed_everything(seed: int) -> None:
    """Seed Keras' initialisers and dropout; sampling has its own generators."""
    keras.utils.set_random_seed(seed)
