import math

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from models.logs import TensorBoardLog
from system.errors import OutputError


def test_values_are_logged_under_their_epoch_without_nan(tmp_path):
    log = TensorBoardLog(tmp_path / "logs")

    log.write({"epoch": 1, "loss": 0.5, "val_dice": math.nan})
    log.write({"epoch": 2, "loss": 0.25, "val_dice": 0.75})

    events = EventAccumulator(str(tmp_path / "logs"))
    events.Reload()
    assert {
        name: [
            (event.step, float(event.tensor_proto.float_val[0]))
            for event in events.Tensors(name)
        ]
        for name in events.Tags()["tensors"]
    } == {"loss": [(1, 0.5), (2, 0.25)], "val_dice": [(2, 0.75)]}


def test_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(OutputError, match=r"file/logs: could not be written"):
        TensorBoardLog(tmp_path / "file" / "logs")
