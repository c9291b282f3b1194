from pathlib import Path

import pytest

from runs.folder import write_json
from runs.resuming import read_arguments


@pytest.mark.parametrize(("folder", "model"), [(".", "unet2d"), ("unet2d", "both")])
def test_arguments_are_read_from_a_run_or_the_first_of_both(tmp_path, folder, model):
    arguments = {"cube": "c.h5", "weights": None, "model": "unet2d", "steps": 3}
    arguments |= {"output": "old", "force": True, "resume": False}
    write_json(tmp_path / folder / "config.json", {"arguments": arguments})

    assert read_arguments(tmp_path) == {
        "cube": Path("c.h5"),
        "weights": None,
        "model": model,
        "steps": 3,
    }
