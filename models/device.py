"""The device that networks run on: its name, its memory, the precision it has."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import tensorflow as tf

from models.quiet import suppress_stderr
from system.errors import DataError, UsageError
from system.job import available_cpus
from system.text import count_of

# XLA is six times slower on a CPU. On GPUs, 3-D convolutions are reported to be thirty
# times slower, so that it stays off until `benchmarks/gpu.py` shows a gain.
JIT_COMPILE = False
MIB = 2**20
# The lowest compute capability with tensor cores for that precision.
CAPABILITIES = {"mixed_float16": (7, 0), "mixed_bfloat16": (8, 0)}
QUERY = ("nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits")


@dataclass(frozen=True)
class Gpu:
    """A graphics card.

    Args:
        name: By its driver.
        capability: NVIDIA's compute capability, such as (8, 6); None if unknown.
        memory: In bytes; None if unknown.
    """

    name: str
    capability: tuple[int, int] | None = None
    memory: int | None = None

    @property
    def description(self) -> str:
        """The name and what is known of it."""
        memory = f"{self.memory / 2**30:.0f} GiB" if self.memory else "memory unknown"
        if self.capability is None:
            return f"{self.name}, {memory}"
        number = ".".join(map(str, self.capability))
        return f"{self.name}, {memory}, compute capability {number}"

    def supports(self, dtype: str) -> bool:
        """Return whether the card is known to be fast in that dtype policy."""
        return self.capability is not None and self.capability >= CAPABILITIES[dtype]


def find_gpu() -> Gpu | None:
    """Return the GPU that networks run on, None without one.

    TensorFlow is set to take the memory of GPUs as it needs it, not all at once.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return None
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    details = tf.config.experimental.get_device_details(gpus[0])
    name = details.get("device_name", gpus[0].name)
    return Gpu(name, details.get("compute_capability"), find_memory(name))


def find_memory(name: str) -> int | None:
    """Return the memory of the graphics card of that name in bytes, None if unknown.

    NVIDIA's driver is asked, since TensorFlow only knows what is in use. The driver
    numbers cards differently, so that cards are matched by name; of several, the
    smallest memory counts. A part of a card (MIG) has another name and is unknown.
    """
    try:
        ran = subprocess.run(
            QUERY, capture_output=True, text=True, timeout=30, check=True
        )
        rows = [line.rsplit(",", 1) for line in ran.stdout.splitlines() if line.strip()]
        return min(int(mib) * MIB for own, mib in rows if own.strip() == name)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None


def find_device(*, require_gpu: bool) -> str:
    """Return the name of the device that will be used.

    Raises:
        UsageError: If a GPU is required and TensorFlow sees none.
    """
    with suppress_stderr():
        gpu = find_gpu()
    if require_gpu and gpu is None:
        raise UsageError(
            "--require-gpu needs a GPU that TensorFlow can use. Received: none. On "
            "Linux and WSL2: pip install 'tensorflow[and-cuda]'. "
            "TF_CPP_MIN_LOG_LEVEL=0 shows TensorFlow's reasons."
        )
    if gpu is None:
        return f"CPU with {count_of(available_cpus(), 'thread')}"
    return f"GPU {gpu.name}"


def check_gpus(wanted: int) -> None:
    """Check that there are as many GPUs as --gpus says.

    Raises:
        UsageError: If TensorFlow sees fewer.
    """
    with suppress_stderr():
        found = len(tf.config.list_physical_devices("GPU"))
    if found < wanted:
        raise UsageError(
            "--gpus must be at most the number of GPUs that TensorFlow can use. "
            f"Received: {wanted}, but there are {found}"
        )


def peak_memory_mib() -> float:
    """Return the peak memory of the GPU, or without one of this process, in MiB."""
    if tf.config.list_physical_devices("GPU"):
        return tf.config.experimental.get_memory_info("GPU:0")["peak"] / MIB
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


def dtype_for_prediction(dtype: str) -> str:
    """Return the dtype policy for prediction, given that of the training.

    It is the same where the GPU is fast in it, else float32. A CPU, for one, has no
    3-D pooling in float16.
    """
    if dtype not in CAPABILITIES:
        return dtype
    gpu = find_gpu()
    return dtype if gpu is not None and gpu.supports(dtype) else "float32"
