from types import SimpleNamespace

import pytest
import tensorflow as tf

from models.device import (
    find_device,
    jit_compile,
    peak_memory_mib,
    report_out_of_memory,
)
from system.errors import DataError, UsageError


@pytest.fixture(params=[0, 1])
def gpus(request, monkeypatch):
    """No GPU, or one, as TensorFlow would list them."""
    found = [SimpleNamespace(name="GPU:0")] * request.param
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: found)
    monkeypatch.setattr(
        tf.config.experimental, "get_device_details", lambda _: {"device_name": "H100"}
    )
    return found


def test_device_is_named(gpus, monkeypatch):
    monkeypatch.setattr("models.device.available_cpus", lambda: 3)
    expected = "GPU H100" if gpus else "CPU with 3 threads"

    assert find_device(require_gpu=False) == expected


def test_required_gpu_that_is_missing_is_refused(gpus):
    if gpus:
        assert find_device(require_gpu=True) == "GPU H100"
    else:
        with pytest.raises(UsageError, match=r"--require-gpu needs.*Received: none"):
            find_device(require_gpu=True)


def test_xla_compiles_on_a_gpu_only(gpus):
    assert jit_compile() == ("auto" if gpus else False)


@pytest.mark.parametrize(
    "error", [MemoryError(), tf.errors.ResourceExhaustedError(None, None, "OOM")]
)
def test_out_of_memory_is_one_sentence(error):
    with (
        pytest.raises(DataError, match=r"^Out of memory while predicting a\.nrrd\.$"),
        report_out_of_memory("predicting a.nrrd"),
    ):
        raise error


def test_other_errors_are_not_taken_for_lack_of_memory():
    with pytest.raises(ValueError, match="shape"), report_out_of_memory("predicting"):
        raise ValueError("shape")


@pytest.mark.parametrize(("platform", "mib"), [("linux", 3 * 1024), ("darwin", 3)])
def test_peak_memory_is_kib_on_linux_and_bytes_on_macos(monkeypatch, platform, mib):
    usage = SimpleNamespace(ru_maxrss=3 * 1024**2)
    monkeypatch.setattr("resource.getrusage", lambda who: usage)
    monkeypatch.setattr("sys.platform", platform)

    assert peak_memory_mib() == mib
