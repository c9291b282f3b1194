"""From a cube to a trained network in its run folder."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import keras

from augment.compose import Compose, compose_of
from augment.contrast_curve import ContrastCurve
from cube.folds import training_rows
from cube.reader import Cube
from models.batches import PatchSampler
from models.checkpoint import (
    check_identity,
    has_checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from models.defaults import halve_patch_size
from models.device import JIT_COMPILE, report_out_of_memory
from models.earlier import EARLIER
from models.epoch_lines import describe_resuming
from models.logs import TensorBoardLog
from models.losses import LOSSES
from models.metadata import ModelMetadata
from models.model_file import load_model, save_model
from models.options import TrainingOptions
from models.process_group import ProcessGroup
from models.training_loop import TrainingLoop, TrainingProgress, write_history
from models.training_step import TrainingStep, separate_dropout
from models.validation import validation_dice
from system.errors import DataError
from volumes.formats.checksums import checksum

MODEL_NAME = "model.keras"
HISTORY_NAME = "history.csv"
CHECKPOINT_NAME = "checkpoint"


def check_resumable(
    options: TrainingOptions, metadata: ModelMetadata, run: Path
) -> None:
    """Check, before anything is written, that a resumed run has not changed.

    Raises:
        DataError: If the cube, the architecture or an option differs from those
            that the run was started with.
    """
    if not options.resume or options.epochs == 0:
        return
    if has_checkpoint(run / CHECKPOINT_NAME):
        check_identity(run / CHECKPOINT_NAME, training_identity(options, metadata))
    else:
        print("The run has no checkpoint yet: training starts from the beginning.")


def training_identity(options: TrainingOptions, metadata: ModelMetadata) -> dict:
    """Return everything that determines the result of a training, by name."""
    identity = {
        **asdict(options.with_defaults(metadata)),
        **asdict(metadata),
        "weights": options.weights and checksum(options.weights),
    }
    for name in ("resume", "keep", "training"):  # which do not change the weights
        del identity[name]
    for name, earlier in EARLIER.items():  # absent from earlier checkpoints
        if identity[name] == earlier:
            del identity[name]
    return identity


@dataclass(frozen=True)
class TrainingResult:
    """A network after training.

    Args:
        network: With its best weights, ready to predict.
        history: A row per epoch; empty where nothing was trained.
        minutes: Of training and validation.
        peak_mib: Peak memory of the training, including interrupted runs of it.
    """

    network: keras.Model
    history: list[dict]
    minutes: float
    peak_mib: float


def fit(
    options: TrainingOptions,
    cube: Cube,
    run: Path,
    network: keras.Model,
    metadata: ModelMetadata,
    group: ProcessGroup | None = None,
    watch: Callable[[Sequence[dict], float], None] | None = None,
) -> TrainingResult:
    """Train a network and leave its best weights in the run folder.

    Args:
        options: How to train.
        cube: Open.
        run: The run folder, for the model, history, checkpoint and logs.
        network: To train, from `prepare_network`.
        metadata: What it is trained for.
        group: The processes that train it together; the first writes the files. By
            default this one alone.
        watch: Called by the first process after each epoch, with the averaged weights
            in the network; receives the history and the share of the training that
            is done, in [0, 1].

    Returns:
        The best network, its history and its costs; of another process than the
        first, the latest network.

    Raises:
        DataError: If memory runs out, or another process ends.
        UsageError: If there are more processes than patches in a batch.
    """
    group = group or ProcessGroup()
    if options.epochs == 0:
        save_model(run / MODEL_NAME, network, metadata)
        return TrainingResult(network, [], 0.0, 0.0)
    identity = training_identity(options, metadata)
    options = options.with_defaults(metadata)
    model = compile_for_training(network, options, ignores=cube.ignores)
    loop = _build_loop(options, cube, run, model, metadata, group)
    progress, rows = loop.progress, cube.rows("validation", copy=0)
    validate = partial(validation_dice, model, metadata, cube, rows, group)
    writers = _build_writers(run, loop, network, metadata, identity, watch)
    with _report_failures(options, metadata, group):
        _check_alike(identity, progress, group)
        loop.run(validate if rows else None, *writers)
    # Only the first process knows that the file is complete.
    best = network if group.rank else load_model(run / MODEL_NAME)[0]
    minutes = progress.seconds / 60
    return TrainingResult(best, progress.history, minutes, progress.peak_mib)


@contextmanager
def _report_failures(
    options: TrainingOptions, metadata: ModelMetadata, group: ProcessGroup
) -> Iterator[None]:
    """Raise DataError where memory runs out, or another process ends."""
    sides = " x ".join(map(str, metadata.patch_size))
    activity = f"training on batches of {options.batch_size} patches of {sides} voxels"
    with report_out_of_memory(activity), group.report_lost():
        yield


def _check_alike(
    identity: dict, progress: TrainingProgress, group: ProcessGroup
) -> None:
    """Check that all processes train the same, from the same state."""
    described = json.dumps([identity, progress.step], sort_keys=True, default=str)
    group.check_same(
        zlib.crc32(described.encode()), "flags, defaults, cube and checkpoint to resume"
    )


def _do_nothing(*_: object) -> None:
    """Write nothing, as all processes but the first."""


def _build_writers(
    run: Path,
    loop: TrainingLoop,
    network: keras.Model,
    metadata: ModelMetadata,
    identity: dict,
    watch: Callable[[Sequence[dict], float], None] | None,
) -> tuple[Callable, Callable]:
    """Build what writes the checkpoint, and what publishes an epoch.

    Only the first process writes; those of the others do nothing.
    """
    step, progress = loop.step, loop.progress
    if step.group.rank:
        return _do_nothing, _do_nothing
    folder, log = run / CHECKPOINT_NAME, TensorBoardLog(run / "tensorboard")

    def publish(is_best: bool) -> None:
        """Write the history, and the model if its current weights are the best."""
        if is_best:
            save_model(run / MODEL_NAME, network, metadata)
        write_history(run / HISTORY_NAME, progress.history)
        log.write(progress.history[-1])
        if watch is not None:
            watch(progress.history, progress.share(loop.options))

    return (
        partial(save_checkpoint, folder, step.model, step.average, progress, identity),
        publish,
    )


def compile_for_training(
    network: keras.Model, options: TrainingOptions, *, ignores: bool = False
) -> keras.Model:
    """Return a compiled model that shares the network's layers and weights.

    The network itself stays uncompiled, so that its file holds no optimizer.

    Args:
        network: Built.
        options: Learning rate, loss and dtype.
        ignores: Whether a voxel of the class `IGNORED` has no loss.
    """
    model = keras.Model(network.inputs, network.outputs, name=network.name)
    optimizer = keras.optimizers.AdamW(
        options.learning_rate, weight_decay=1e-4, global_clipnorm=1.0
    )
    # float16 gradients would vanish below 6e-8.
    if options.architecture()["dtype"] == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    model.compile(
        optimizer,
        LOSSES[options.loss](ignores=ignores),
        jit_compile=JIT_COMPILE,
    )
    return model


def _contrast(share: float | None) -> Compose | None:
    """Return what changes the contrast of that share of the patches; None for 0."""
    return Compose([ContrastCurve(p=share)]) if share else None


def _chain_of(cube: Cube) -> Compose:
    """Return the transforms of a cube, to be applied during training."""
    try:
        return compose_of(cube.arguments)
    except ValueError as error:
        raise DataError(f"{cube.path} must hold valid `arguments`. {error}") from error


def _build_samplers(
    options: TrainingOptions, cube: Cube, metadata: ModelMetadata, group: ProcessGroup
) -> tuple[PatchSampler, PatchSampler]:
    """Build the sources of whole patches and of small ones, of as many voxels."""
    online = options.augment == "online"
    rows = training_rows(cube, copy=0 if online else None)

    def build(patch_size: Sequence[int], batch_size: int) -> PatchSampler:
        return PatchSampler(
            cube,
            rows,
            patch_size=patch_size,
            batch_size=batch_size,
            part=group.part_of(batch_size),
            compose=_chain_of(cube) if online else None,
            contrast=_contrast(options.contrast_curves),
            seed=options.seed,
            spine_share=options.spine_share,
        )

    whole = metadata.patch_size
    small = halve_patch_size(
        options.model, whole, cube.spacing, metadata.architecture["depth"]
    )
    more = math.prod(whole) / math.prod(small)
    num_small = round(options.batch_size * more)
    return build(whole, options.batch_size), build(small, num_small)


def _build_loop(
    options: TrainingOptions,
    cube: Cube,
    run: Path,
    model: keras.Model,
    metadata: ModelMetadata,
    group: ProcessGroup,
) -> TrainingLoop:
    """Build the training loop, in the state of the run that is resumed, if any."""
    whole, small = _build_samplers(options, cube, metadata, group)
    step, progress = TrainingStep(model, group=group), None
    if options.resume and has_checkpoint(run / CHECKPOINT_NAME):
        progress = load_checkpoint(run / CHECKPOINT_NAME, model, step.average)
        print(describe_resuming(progress.epoch, progress.seconds, options))
        if progress.share(options) >= 1:
            print(
                "Nothing is left to train; more --minutes or --epochs would train on."
            )
    separate_dropout(model, group)
    return TrainingLoop(step, whole, options, small=small, progress=progress)
