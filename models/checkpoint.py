"""All that a resumed training needs, in one file."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np

from models.averaging import WeightAverage
from models.training_loop import TrainingProgress
from system.atomic import atomic_write
from system.errors import DataError

STATE_NAME = "state.npz"
MAY_DIFFER = ("epochs", "minutes", "patience")  # how long to train


def _variables(model: keras.Model) -> dict[str, list[keras.Variable]]:
    """Name every list of variables that the training moves."""
    weights = {id(variable) for variable in model.weights}
    return {
        "weights": model.weights,
        # Of dropout: else a resumed training drops what the first epochs dropped.
        "generators": [each for each in model.variables if id(each) not in weights],
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
        folder: Of the checkpoint; made if absent.
        model: With its optimizer.
        average: Of its weights.
        progress: How far the training is.
        identity: What must be the same when it goes on, JSON-safe: the cube's
            checksum, the architecture, the flags.
    """
    arrays = {
        f"{name}_{index}": np.asarray(value)
        for name, values in {**_variables(model), "average": average.values}.items()
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
    """Say whether a training got as far as its first checkpoint."""
    return (folder / STATE_NAME).is_file()


@contextmanager
def _reading(path: Path) -> Iterator:
    """Open a checkpoint; whatever is wrong with it becomes a DataError."""
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
    """Put the state of an earlier run back, in place.

    Returns:
        How far that run came.

    Raises:
        DataError: If there is no checkpoint, or not one of this network.
    """
    with _reading(folder / STATE_NAME) as state:
        notes = json.loads(str(state["notes"]))
        model.optimizer.build(model.trainable_variables)
        for name, variables in _variables(model).items():
            values = _take(state, name, variables)
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
        average.values = _take(state, "average", average.values)
        average.num_updates = notes["updates"]
        return TrainingProgress(**notes["progress"])


def _take(state, name: str, like: Sequence) -> list[np.ndarray]:
    return [state[f"{name}_{index}"] for index in range(len(like))]


def _flat(nested: dict) -> dict:
    """Bring the entries of inner dicts to the top, so that one can be named."""
    entries: dict = {}
    for name, value in nested.items():
        entries.update(_flat(value) if isinstance(value, dict) else {name: value})
    return entries


def check_identity(folder: Path, identity: dict) -> None:
    """Refuse to go on with something else than what was begun.

    How long to train may differ; it is said then, as the learning rate follows.

    Raises:
        DataError: If the cube, the architecture or a flag changed; both values
            are named.
    """
    path = folder / STATE_NAME
    with _reading(path) as state:
        before = _flat(json.loads(str(state["notes"]))["identity"])
    now = _flat(json.loads(json.dumps(identity)))
    for name in sorted(set(before) | set(now)):
        was, received = before.get(name), now.get(name)
        if was != received and name in MAY_DIFFER:
            print(f"{name}: {received}, but the run was begun with {was}")
        elif was != received:
            raise DataError(
                f"{path} can only be resumed with the same {name}. Received: "
                f"{received}, but it was begun with {was}"
            )
