import json
from dataclasses import fields
from types import SimpleNamespace

import pytest
from support.small_runs import TINY, call, training_options

from models.device import Gpu
from models.gpu_defaults import Defaults
from models.model_file import read_metadata
from runs import device_choice
from runs.device_choice import RECORD, read_record, settle_device
from runs.folder import write_json
from system.errors import DataError

CARD = Gpu("card", (8, 0), 10**9)
CUBE = SimpleNamespace(
    shape=(48, 192, 192), spacing=(2.0, 2.0, 2.0), class_names=("background", "spine")
)
OF_WEIGHTS = {"dtype": "mixed_float16", "patch_size": [96, 96], "batch_size": 3}
WHOLE = {"filters": 32, **OF_WEIGHTS}


@pytest.fixture
def set_gpu(monkeypatch):
    """Return a function that sets the GPU; the list that it returns has its checks."""
    checked = []

    def replace(gpu):
        monkeypatch.setattr(device_choice, "find_gpu", lambda: gpu)
        return checked

    monkeypatch.setattr(
        device_choice, "check_gpu", lambda *given: checked.append(given)
    )
    return replace


def test_gpu_is_checked_in_the_precision_of_the_training(set_gpu, tmp_path):
    checked = set_gpu(CARD)
    options = training_options(mixed_precision=None)

    settled, chosen = settle_device(options, CUBE, tmp_path)
    settle_device(training_options(epochs=0), CUBE, tmp_path)

    assert (settled.filters, chosen["filters"]) == (32, 32)
    assert checked == [(CARD, "mixed_bfloat16")]  # not where nothing is trained


@pytest.mark.parametrize(
    ("config", "has_checkpoint", "record"),
    [
        ({RECORD: WHOLE}, True, WHOLE),
        ({RECORD: WHOLE}, False, WHOLE),
        ({RECORD: OF_WEIGHTS}, True, OF_WEIGHTS),
        ({RECORD: {}}, True, {}),
        ({}, True, {}),  # of an earlier version
        ({}, False, None),  # interrupted before the device was found
    ],
)
def test_record_of_a_run(tmp_path, config, has_checkpoint, record):
    write_json(tmp_path / "config.json", {"arguments": {}, **config})
    if has_checkpoint:
        (tmp_path / "checkpoint").mkdir()
        (tmp_path / "checkpoint" / "state.npz").touch()

    assert read_record(tmp_path) == record


@pytest.mark.parametrize(
    "damaged",
    [
        "32 filters",
        {"filters": 32},
        {**WHOLE, "depth": 4},
        {**WHOLE, "filters": "32"},
        {**WHOLE, "dtype": "float8"},
        {**WHOLE, "patch_size": 96},
        {**WHOLE, "patch_size": [96, 0]},
        {**WHOLE, "batch_size": None},
    ],
)
def test_damaged_record_is_refused_with_its_file(tmp_path, damaged):
    path = tmp_path / "config.json"
    write_json(path, {"arguments": {}, RECORD: damaged})

    with pytest.raises(DataError, match=rf'"{RECORD}" of {path} must have the keys'):
        read_record(tmp_path)


def test_every_default_of_a_device_is_checked_in_a_record():
    assert list(device_choice.VALID) == [field.name for field in fields(Defaults)]


@pytest.mark.slow
def test_run_begun_on_a_gpu_is_resumed_on_a_cpu_as_it_was(
    set_gpu, small_cube, tmp_path, capsys
):
    cube, run = small_cube, tmp_path / "run"
    short = TINY[2:]  # without the number of filters

    set_gpu(CARD)
    assert call(cube, run, *short, "--epochs", "1") == 0
    begun = json.loads((run / "config.json").read_text())
    set_gpu(None)
    assert call(cube, run, "--resume", "--epochs", "2") == 0
    resumed = json.loads((run / "config.json").read_text())

    assert begun[RECORD]["dtype"] == "mixed_bfloat16"
    assert resumed[RECORD] == begun[RECORD]
    metadata = read_metadata(run / "model.keras")
    assert metadata.architecture["filters"] == begun[RECORD]["filters"]
    assert metadata.architecture["dtype"] == "mixed_bfloat16"
    assert "Kept from the start of the run" in capsys.readouterr().out
