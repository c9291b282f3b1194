"""Check before a training that the GPU computes the same as the CPU."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from models.device import Gpu
from models.quiet import suppress_stderr
from system.errors import UsageError
from system.text import shorten

# Largest difference, as a share of the largest value. On recent cards, convolutions in
# float32 are rounded to the ten bits of TF32; float16 has ten bits, bfloat16 seven.
TOLERANCES = {"float32": 1e-2, "mixed_float16": 2e-2, "mixed_bfloat16": 8e-2}
TYPES = {"mixed_float16": tf.float16, "mixed_bfloat16": tf.bfloat16}
Compute = Callable[[str, str], list[npt.NDArray[np.float32]]]


def compute_step(device: str, dtype: str) -> list[npt.NDArray[np.float32]]:
    """Compute a convolution in 3-D, its norm and pooling, and its gradients.

    Args:
        device: Name of a TensorFlow device, such as "/GPU:0".
        dtype: Keras dtype policy.

    Returns:
        The convolution, shape (1, 8, 8, 8, 8), its normalised and its pooled values,
        and the gradients of the mean of its squares with respect to the image, shape
        (1, 8, 8, 8, 4), and the kernel, shape (3, 3, 3, 4, 8).
    """
    rng = np.random.default_rng(0)
    arrays = (rng.standard_normal(s) for s in ((1, 8, 8, 8, 4), (3, 3, 3, 4, 8)))
    with tf.device(device):
        image, kernel = (
            tf.constant(array, TYPES.get(dtype, tf.float32)) for array in arrays
        )
        with tf.GradientTape() as tape:
            tape.watch([image, kernel])
            found = tf.nn.conv3d(image, kernel, [1] * 5, "SAME")
            loss = tf.reduce_mean(tf.square(tf.cast(found, tf.float32)))
        gradients = tape.gradient(loss, [image, kernel])
        norm = tf.raw_ops.FusedBatchNormV3(
            x=tf.reshape(found, (1, -1, 1, 8)),
            scale=tf.ones(8),
            offset=tf.zeros(8),
            mean=[],
            variance=[],
        )
        pooled = tf.nn.max_pool3d(found, 2, 2, "SAME")
        results = [found, norm.y, pooled, *gradients]
        return [tf.cast(result, tf.float32).numpy() for result in results]


def check_gpu(gpu: Gpu, dtype: str, *, compute: Compute = compute_step) -> None:
    """Check that a GPU computes the same as the CPU, up to rounding.

    Args:
        gpu: The card, for the message.
        dtype: Keras dtype policy of the training.
        compute: Computes the results on a device in a dtype policy.

    Raises:
        UsageError: If the computation fails or its results differ, as on a card that
            is newer than this TensorFlow.
    """
    expected = compute("/CPU:0", "float32")
    try:
        with suppress_stderr():
            received = compute("/GPU:0", dtype)
    except tf.errors.OpError as error:
        reason = shorten(" ".join(str(error.message).split()))
        raise UsageError(_message(gpu, dtype, reason)) from error
    for ours, theirs in zip(expected, received, strict=True):
        difference = np.abs(ours - theirs).max() / np.abs(ours).max()
        if not difference <= TOLERANCES[dtype]:  # true for NaN as well
            reason = f"a difference of {difference:.2g} of the largest value"
            raise UsageError(_message(gpu, dtype, reason))


def _message(gpu: Gpu, dtype: str, reason: str) -> str:
    """Return the message on a GPU that cannot be used."""
    ways = ["install a TensorFlow made for this card"]
    if dtype != "float32":
        ways.append("give --no-mixed-precision")
    ways.append("set CUDA_VISIBLE_DEVICES=-1 to train on the CPU")
    return (
        f"{gpu.description}, must compute a convolution in {dtype} as the CPU does, "
        f"but TensorFlow {tf.__version__} cannot use it. Received: {reason}. Either "
        f"{', or '.join(ways)}."
    )
