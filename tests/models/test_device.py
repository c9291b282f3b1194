import subprocess
from types import SimpleNamespace

import pytest
import tensorflow as tf

from models.device import (
    Gpu,
    dtype_for_prediction,
    find_device,
    find_gpu,
    find_memory,
    peak_memory_mib,
    report_out_of_memory,
)
from system.errors import DataError, UsageError

DETAILS = {"device_name": "H100", "compute_capability": (9, 0)}


@pytest.fixture
def nvidia_smi(monkeypatch):
    """Return a function that sets what nvidia-smi prints, or raises."""

    def replace(printed):
        def run(*args, **options):
            if isinstance(printed, Exception):
                raise printed
            return SimpleNamespace(stdout=printed)

        monkeypatch.setattr("subprocess.run", run)

    return replace


@pytest.fixture
def set_gpus(monkeypatch, nvidia_smi):
    """Return a function that sets the GPUs that TensorFlow lists, and their details."""

    def replace(count, details=None):
        found = [SimpleNamespace(name="GPU:0")] * count
        growing = []
        experimental = tf.config.experimental
        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: found)
        monkeypatch.setattr(
            experimental, "get_device_details", lambda _: details or DETAILS
        )
        monkeypatch.setattr(
            experimental, "set_memory_growth", lambda gpu, on: growing.append((gpu, on))
        )
        nvidia_smi("H100, 81559\n")
        return found, growing

    return replace


@pytest.fixture(params=[0, 1])
def gpus(request, set_gpus):
    """No GPU, or one, as TensorFlow would list them."""
    return set_gpus(request.param)[0]


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


def test_gpu_has_a_name_a_capability_and_a_memory_that_grows(set_gpus):
    found, growing = set_gpus(2)

    gpu = find_gpu()

    assert gpu == Gpu("H100", (9, 0), 81_559 * 2**20)
    assert growing == [(each, True) for each in found]
    assert gpu.description == "H100, 80 GiB, compute capability 9.0"


def test_gpu_of_another_maker_is_known_by_name_alone(set_gpus):
    set_gpus(1, {"device_name": "Radeon"})

    gpu = find_gpu()

    assert gpu == Gpu("Radeon")
    assert gpu.description == "Radeon, memory unknown"


@pytest.mark.parametrize(
    ("printed", "mib"),
    [
        ("Quadro, 4096\nRTX 2070, 8192\n", 8192),
        ("RTX 2070, 8192\nRTX 2070, 8000\n", 8000),  # whichever TensorFlow has
        ("Quadro, 4096\n", None),
        ("RTX 2070, [N/A]\n", None),
        ("", None),
        (FileNotFoundError("nvidia-smi"), None),
        (subprocess.CalledProcessError(9, "nvidia-smi"), None),
        (subprocess.TimeoutExpired("nvidia-smi", 30), None),
    ],
)
def test_memory_is_that_of_the_card_of_that_name(nvidia_smi, printed, mib):
    nvidia_smi(printed)

    assert find_memory("RTX 2070") == (mib and mib * 2**20)


@pytest.mark.parametrize(
    ("capability", "float16", "bfloat16"),
    [
        (None, False, False),
        ((6, 1), False, False),
        ((7, 0), True, False),
        ((7, 5), True, False),
        ((8, 0), True, True),
        ((12, 0), True, True),
    ],
)
def test_card_has_the_precision_of_its_tensor_cores(capability, float16, bfloat16):
    gpu = Gpu("card", capability)

    assert gpu.supports("mixed_float16") == float16
    assert gpu.supports("mixed_bfloat16") == bfloat16


@pytest.mark.parametrize(
    ("count", "capability", "trained", "predicts"),
    [
        (0, None, "mixed_float16", "float32"),  # no 3-D pooling of it on a CPU
        (0, None, "mixed_bfloat16", "float32"),
        (0, None, "float32", "float32"),
        (1, (7, 5), "mixed_bfloat16", "float32"),
        (1, (7, 5), "mixed_float16", "mixed_float16"),
        (1, (8, 0), "mixed_bfloat16", "mixed_bfloat16"),
        (1, (8, 0), "float32", "float32"),
    ],
)
def test_network_predicts_in_a_precision_that_the_device_has(
    set_gpus, count, capability, trained, predicts
):
    set_gpus(count, {"device_name": "card", "compute_capability": capability})

    assert dtype_for_prediction(trained) == predicts


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


def test_peak_memory_is_that_of_the_gpu_if_there_is_one(set_gpus, monkeypatch):
    set_gpus(1)
    peaks = {"GPU:0": {"current": 2**20, "peak": 3 * 2**20}}
    monkeypatch.setattr(tf.config.experimental, "get_memory_info", peaks.__getitem__)

    assert peak_memory_mib() == 3
