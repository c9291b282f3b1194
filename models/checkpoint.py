"""The state of a training, in one file, for resuming it."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np

from models.averaging import WeightAverage
from models.training_loop import TrainingProgress
from models.training_step import dropout_generators
from system.atomic import atomic_write
from system.errors import DataError

STATE_NAME = "state.npz"
MAY_DIFFER = ("epochs", "minutes", "patience")  # how long to train


def _state_variables(model: keras.Model) -> dict[str, list[keras.Variable]]:
    """Return the variables that training changes, in named lists."""
    return {
        "weights": model.weights,
        # Reset, dropout would repeat the masks of the first epochs.
        "generators": dropout_generators(model),
        "optimizer": model.optimizer.variables,
    }


def save_checkpoint(
    folder: Path,
    model: keras.Model,
    average: WeightAverage,
    progress: TrainingProgress,
    identity: dict,
) -> None:
    """Write the state of a training, renamed into place when complete.

    Args:
        folder: Folder of the checkpoint; created if absent.
        model: Compiled model.
        average: Average of its weights.
        progress: How far the training has come.
        identity: What must not change when the training is resumed, JSON-safe:
            the cube's checksum, the architecture, the options.
    """
    state = {**_state_variables(model), "average": average.values}
    arrays = {
        f"{name}_{index}": np.asarray(value)
        for name, values in state.items()
        for index, value in enumerate(values)
    }
    notes = {
        "progress": asdict(progress),
        "updates": average.num_updates,
        "identity": identity,
    }
    with atomic_write(folder / STATE_NAME) as partial:
        np.savez(partial, notes=json.dumps(notes), **arrays)


def has_checkpoint(folder: Path) -> bool:
    """Return whether a folder holds a checkpoint."""
    return (folder / STATE_NAME).is_file()


@contextmanager
def _open_checkpoint(path: Path) -> Iterator[np.lib.npyio.NpzFile]:
    """Open a checkpoint; raise DataError for anything that is wrong with it."""
    try:
        with open(path, "rb") as stream, np.load(stream) as state:
            yield state
    except (
        OSError,
        EOFError,
        LookupError,
        TypeError,
        ValueError,
        zipfile.BadZipFile,
    ) as error:
        raise DataError(f"{path} cannot be read as a checkpoint: {error}") from error


def load_checkpoint(
    folder: Path, model: keras.Model, average: WeightAverage
) -> TrainingProgress:
    """Restore the state of an interrupted run, in place.

    Args:
        folder: Folder of the checkpoint.
        model: Compiled model with a built optimizer; gets the state of both.
        average: Gets the average of the weights.

    Returns:
        How far that run had come.

    Raises:
        DataError: If there is no checkpoint, or it is of another network.
    """
    with _open_checkpoint(folder / STATE_NAME) as state:
        notes = json.loads(str(state["notes"]))
        for name, variables in _state_variables(model).items():
            values = _read_arrays(state, name, variables)
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
        values = _read_arrays(state, "average", model.weights)
        average.restore(values, notes["updates"])
        return TrainingProgress(**notes["progress"])


def _read_arrays(state: Mapping, name: str, like: Sequence) -> list[np.ndarray]:
    return [state[f"{name}_{index}"] for index in range(len(like))]


def _flatten(nested: dict) -> dict:
    """Move the entries of inner dicts to the top level."""
    entries: dict = {}
    for name, value in nested.items():
        entries.update(_flatten(value) if isinstance(value, dict) else {name: value})
    return entries


def check_identity(folder: Path, identity: dict) -> None:
    """Check that a training is resumed as it was started.

    How long to train may differ. An entry that is missing on one side counts as None,
    so that checkpoints of versions with other options can be resumed.

    Args:
        folder: Folder of the checkpoint.
        identity: Of the resumed run; see `save_checkpoint`.

    Raises:
        DataError: If the cube, the architecture or an option differs; the message
            names both values.
    """
    path = folder / STATE_NAME
    with _open_checkpoint(path) as state:
        before = _flatten(json.loads(str(state["notes"]))["identity"])
    now = _flatten(json.loads(json.dumps(identity)))
    for name in sorted(set(before) | set(now)):
        was, received = before.get(name), now.get(name)
        if was != received and name not in MAY_DIFFER:
            raise DataError(
                f"{path} can only be resumed with the same {name}. Received: "
                f"{received}, but it was started with {was}"
            )
