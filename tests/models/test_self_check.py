import numpy as np
import pytest
import tensorflow as tf

from models.device import Gpu
from models.self_check import TOLERANCES, check_gpu, compute_step
from system.errors import UsageError

GPU = Gpu("NVIDIA GeForce RTX 5090", (12, 0), 32 * 2**30)
INVALID = tf.errors.InternalError(
    None, None, "'cuLaunchKernel(...)' failed with 'CUDA_ERROR_INVALID_HANDLE'"
)
NO_KERNEL = tf.errors.InvalidArgumentError(
    None, None, "no kernel image is available\nfor execution on the device"
)


def computing(on_gpu):
    """Return a function that computes on the CPU, and `on_gpu` in place of the GPU."""

    def compute(device, dtype):
        expected = compute_step("/CPU:0", "float32")
        return expected if device == "/CPU:0" else on_gpu(expected)

    return compute


@pytest.mark.parametrize("error", [INVALID, NO_KERNEL])
def test_card_without_code_is_one_sentence_with_the_way_out(error):
    def fail(expected):
        raise error

    with pytest.raises(UsageError, match=r"^NVIDIA GeForce RTX 5090") as caught:
        check_gpu(GPU, "mixed_bfloat16", compute=computing(fail))

    message = str(caught.value)
    assert message.startswith(
        "NVIDIA GeForce RTX 5090, 32 GiB, compute capability 12.0, must compute"
    )
    assert f"Received: {' '.join(error.message.split())}. Either" in message
    assert "--no-mixed-precision" in message
    assert "CUDA_VISIBLE_DEVICES=-1" in message
    assert "\n" not in message


@pytest.mark.parametrize("which", range(5))
@pytest.mark.parametrize("wrong", [0.1, np.nan])
def test_every_result_that_differs_is_refused(which, wrong):
    def change(expected):
        expected[which].flat[3] += wrong * np.abs(expected[which]).max()
        return expected

    with pytest.raises(UsageError, match=r"Received: a difference of (0\.1|nan) of"):
        check_gpu(GPU, "float32", compute=computing(change))


def test_rounding_is_accepted():
    check_gpu(
        GPU,
        "float32",
        compute=computing(lambda found: [1.003 * each for each in found]),
    )


def test_bfloat16_of_the_cpu_is_within_its_tolerance():
    exact = compute_step("/CPU:0", "float32")
    rounded = compute_step("/CPU:0", "mixed_bfloat16")

    shares = [
        np.abs(a - b).max() / np.abs(a).max()
        for a, b in zip(exact, rounded, strict=True)
    ]

    assert 1e-3 < max(shares) < TOLERANCES["mixed_bfloat16"] / 2
    assert [each.shape for each in exact] == [
        (1, 8, 8, 8, 8),
        (1, 512, 1, 8),
        (1, 4, 4, 4, 8),
        (1, 8, 8, 8, 4),
        (3, 3, 3, 4, 8),
    ]
