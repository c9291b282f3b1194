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
from models.defaults import LEARNING_RATE, choose_batch_size
from models.device import jit_compile, report_out_of_memory
from models.logs import TensorBoardLog
from models.losses import LOSSES
from models.metrics import DiceCoefficient
from models.model_file import ModelMetadata, load_model, save_model
from models.options import TrainingOptions
from models.training_loop import (
    ScheduleSettings,
    TrainingLoop,
    validation_dice,
    write_history,
)
from models.unet import describe_blocks
from volumes.formats.files import checksum

MODEL_NAME = "model.keras"
HISTORY_NAME = "history.csv"
CHECKPOINT_NAME = "checkpoint"


def check_resumed(options: TrainingOptions, metadata: ModelMetadata, run: Path) -> None:
    """See, before anything is written, that a run goes on as it was begun.

    Raises:
        DataError: If the cube, the architecture or a flag changed.
    """
    if not options.resume or options.epochs == 0:
        return
    if has_checkpoint(run / CHECKPOINT_NAME):
        check_identity(run / CHECKPOINT_NAME, _identity(options, metadata))
    else:
        print("No epoch of this run was finished: it begins anew.")


@dataclass(frozen=True)
class TrainingResult:
    """A network after training.

    Args:
        network: With its best weights, ready to predict.
        metadata: What it was trained for.
        history: A row per epoch; none where nothing was trained.
        minutes: Of training and validation.
        peak_mib: Most memory that they held, before a resumption too.
    """

    network: keras.Model
    metadata: ModelMetadata
    history: list[dict]
    minutes: float
    peak_mib: float

    @property
    def layout(self) -> list[tuple[str, int, tuple[int, ...]]]:
        """Name, filters and shape of the output of every block, in order."""
        return describe_blocks(self.network, self.metadata.patch_size)


def fit(
    options: TrainingOptions,
    cube: Cube,
    run: Path,
    network: keras.Model,
    metadata: ModelMetadata,
) -> TrainingResult:
    """Train a network and leave its best weights in the run folder.

    Args:
        options: What was asked for.
        cube: Open.
        run: The run folder; model, history, checkpoint and logs go there.
        network: To train, from `obtain_network`.
        metadata: What it is trained for.

    Returns:
        The best network, and how it came about.

    Raises:
        UsageError: If the request does not fit the cube.
    """
    if options.epochs == 0:
        save_model(run / MODEL_NAME, network, metadata)
        return TrainingResult(network, metadata, [], 0.0, 0.0)
    training = _prepare(options, cube, run, network, metadata)
    progress, identity = training.progress, _identity(options, metadata)
    log = TensorBoardLog(run / "tensorboard")

    def checkpoint() -> None:
        state = (training.model, training.average, progress)
        save_checkpoint(run / CHECKPOINT_NAME, *state, identity)

    def publish(is_best: bool) -> None:
        if is_best:
            save_model(run / MODEL_NAME, network, metadata)
        write_history(run / HISTORY_NAME, progress.history)
        log.write(progress.history[-1])

    def validate() -> float:
        return validation_dice(training.model, cube, validation, metadata.patch_size)

    validation = cube.rows("validation", copy=0)
    sampler = training.sampler
    patch = " x ".join(map(str, metadata.patch_size))
    with report_out_of_memory(
        f"A batch of {sampler.batch_size} patches of {patch} voxels"
    ):
        training.run(validate if validation else None, checkpoint, publish)
    best, _ = load_model(run / MODEL_NAME)
    minutes = progress.seconds / 60
    return TrainingResult(best, metadata, progress.history, minutes, progress.peak_mib)


def _settled(options: TrainingOptions, metadata: ModelMetadata) -> tuple[int, float]:
    """Give the batch size and the highest learning rate."""
    batch_size = choose_batch_size(options.model, metadata.patch_size)
    return options.batch_size or batch_size, options.learning_rate or LEARNING_RATE


def _identity(options: TrainingOptions, metadata: ModelMetadata) -> dict:
    """Gather all that decides a training: every flag, and what stands for None."""
    batch_size, rate = _settled(options, metadata)
    weights = options.weights and checksum(options.weights)
    settled = {"batch_size": batch_size, "learning_rate": rate, "weights": weights}
    identity = {**asdict(options), **settled, **asdict(metadata)}
    del identity["resume"]
    return identity


def _prepare(
    options: TrainingOptions,
    cube: Cube,
    run: Path,
    network: keras.Model,
    metadata: ModelMetadata,
) -> TrainingLoop:
    """Compile, set up sampling, and put an earlier run's state back."""
    batch_size, rate = _settled(options, metadata)
    # The network itself stays uncompiled, so that its file holds no optimizer.
    model = keras.Model(network.inputs, network.outputs, name=network.name)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=1e-4, global_clipnorm=1.0)
    if options.mixed_precision:  # float16 gradients would vanish below 6e-8
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    model.compile(
        optimizer,
        LOSSES[options.loss](),
        metrics=[DiceCoefficient()],
        jit_compile=jit_compile(),
    )
    online = options.augment == "online"
    sampler = PatchSampler(
        cube,
        training_rows(cube, copy=0 if online else None),
        compose=compose_of(cube.arguments) if online else None,
        patch_size=metadata.patch_size,
        batch_size=batch_size,
        seed=options.seed,
    )
    settings = ScheduleSettings(
        options.epochs, options.minutes, options.steps, rate, options.patience
    )
    average = WeightAverage(model, settings.average_decay)
    progress = None
    if options.resume and has_checkpoint(run / CHECKPOINT_NAME):
        progress = load_checkpoint(run / CHECKPOINT_NAME, model, average)
        print(f"Going on after epoch {progress.epoch}, step {progress.step}.")
    return TrainingLoop(model, sampler, settings, progress=progress, average=average)
