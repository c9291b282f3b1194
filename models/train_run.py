"""From a cube to a trained network in its run folder."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import keras

from augment.compose import compose_of
from cube.folds import training_rows
from cube.reader import Cube
from models.averaging import WeightAverage
from models.batches import PatchSampler
from models.checkpoint import (
    check_identity,
    has_checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from models.defaults import LEARNING_RATES, choose_batch_size
from models.device import jit_compile, memory_told
from models.logs import TensorBoardLog
from models.losses import LOSSES
from models.metrics import DiceCoefficient
from models.model_file import Traits, load_trained, save_trained
from models.options import Request
from models.training_loop import Settings, Training, validation_dice, write_history
from models.unet import describe_blocks
from volumes.formats.files import checksum

MODEL_NAME = "model.keras"
HISTORY_NAME = "history.csv"
CHECKPOINT_NAME = "checkpoint"


def check_resumed(request: Request, traits: Traits, run: Path) -> None:
    """See, before anything is written, that a run goes on as it was begun.

    Raises:
        DataError: If the cube, the architecture or a flag changed.
    """
    if not request.resume or request.epochs == 0:
        return
    if has_checkpoint(run / CHECKPOINT_NAME):
        check_identity(run / CHECKPOINT_NAME, _identity(request, traits))
    else:
        print("No epoch of this run was finished: it begins anew.")


@dataclass(frozen=True)
class Fitted:
    """A network after training.

    Args:
        network: With its best weights, ready to predict.
        traits: What it was trained for.
        history: A row per epoch; none where nothing was trained.
        minutes: Of training and validation.
        peak_mib: Most memory that they held, before a resumption too.
    """

    network: keras.Model
    traits: Traits
    history: list[dict]
    minutes: float
    peak_mib: float

    @property
    def layout(self) -> list[tuple[str, int, tuple[int, ...]]]:
        """Name, filters and shape of the output of every block, in order."""
        return describe_blocks(self.network, self.traits.patch_size)


def fit(
    request: Request, cube: Cube, run: Path, network: keras.Model, traits: Traits
) -> Fitted:
    """Train a network and leave its best weights in the run folder.

    Args:
        request: What was asked for.
        cube: Open.
        run: The run folder; model, history, checkpoint and logs go there.
        network: To train, from `obtain_network`.
        traits: What it is trained for.

    Returns:
        The best network, and how it came about.

    Raises:
        UsageError: If the request does not fit the cube.
    """
    if request.epochs == 0:
        save_trained(run / MODEL_NAME, network, traits)
        return Fitted(network, traits, [], 0.0, 0.0)
    training = _prepare(request, cube, run, network, traits)
    progress, identity = training.progress, _identity(request, traits)
    log = TensorBoardLog(run / "tensorboard")

    def checkpoint() -> None:
        state = (training.model, training.average, progress)
        save_checkpoint(run / CHECKPOINT_NAME, *state, identity)

    def publish(is_best: bool) -> None:
        if is_best:
            save_trained(run / MODEL_NAME, network, traits)
        write_history(run / HISTORY_NAME, progress.history)
        log.write(progress.history[-1])

    def validate() -> float:
        return validation_dice(training.model, cube, validation, traits.patch_size)

    validation = cube.rows("validation", copy=0)
    sampler = training.sampler
    patch = " x ".join(map(str, traits.patch_size))
    with memory_told(f"A batch of {sampler.batch_size} patches of {patch} voxels"):
        training.run(validate if validation else None, checkpoint, publish)
    best, _ = load_trained(run / MODEL_NAME)
    minutes = progress.seconds / 60
    return Fitted(best, traits, progress.history, minutes, progress.peak_mib)


def _settled(request: Request, traits: Traits) -> tuple[int, float]:
    """Give the batch size and the highest learning rate."""
    batch_size = choose_batch_size(request.model, traits.patch_size)
    rate = LEARNING_RATES[request.model]
    return request.batch_size or batch_size, request.learning_rate or rate


def _identity(request: Request, traits: Traits) -> dict:
    """Gather all that decides a training: every flag, and what stands for None."""
    batch_size, rate = _settled(request, traits)
    weights = request.weights and checksum(request.weights)
    settled = {"batch_size": batch_size, "learning_rate": rate, "weights": weights}
    identity = {**asdict(request), **settled, **asdict(traits)}
    del identity["resume"]
    return identity


def _prepare(
    request: Request, cube: Cube, run: Path, network: keras.Model, traits: Traits
) -> Training:
    """Compile, set up sampling, and put an earlier run's state back."""
    batch_size, rate = _settled(request, traits)
    # The network itself stays uncompiled, so that its file holds no optimizer.
    model = keras.Model(network.inputs, network.outputs, name=network.name)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=1e-4, global_clipnorm=1.0)
    if request.mixed_precision:  # float16 gradients would vanish below 6e-8
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    model.compile(
        optimizer,
        LOSSES[request.loss](),
        metrics=[DiceCoefficient()],
        jit_compile=jit_compile(),
    )
    online = request.augment == "online"
    sampler = PatchSampler(
        cube,
        training_rows(cube, copy=0 if online else None),
        compose=compose_of(cube.arguments) if online else None,
        patch_size=traits.patch_size,
        batch_size=batch_size,
        seed=request.seed,
    )
    settings = Settings(
        request.epochs, request.minutes, request.steps, rate, request.patience
    )
    average = WeightAverage(model, settings.average_decay)
    progress = None
    if request.resume and has_checkpoint(run / CHECKPOINT_NAME):
        progress = load_checkpoint(run / CHECKPOINT_NAME, model, average)
        print(f"Going on after epoch {progress.epoch}, step {progress.step}.")
    return Training(model, sampler, settings, progress=progress, average=average)
