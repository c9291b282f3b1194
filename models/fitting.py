"""From a cube to a trained network in its run folder."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import keras

from augment.compose import compose_of
from models.averaging import WeightAverage
from models.batches import PatchSampler
from models.checkpoint import load_checkpoint, save_checkpoint
from models.defaults import (
    FILTERS,
    LEARNING_RATES,
    check_patch_size,
    choose_batch_size,
    choose_patch_size,
)
from models.device import jit_compile, seed_everything
from models.logs import TensorBoardLog
from models.losses import LOSSES
from models.metrics import DiceCoefficient
from models.trained import Traits, check_unseen, load_trained, save_trained
from models.training import Settings, Training, validation_dice, write_history
from models.unet import describe_blocks, unet_2d, unet_3d
from volumes.cube import Cube
from volumes.errors import DataError, UsageError
from volumes.folds import training_rows

BUILDERS = {"unet2d": unet_2d, "unet3d": unet_3d}
MODEL_NAME = "model.keras"
HISTORY_NAME = "history.csv"


@dataclass(frozen=True)
class Request:
    """What train.py was asked for; None means the default of the network.

    Args:
        model: "unet2d" or "unet3d".
        epochs: How many; 0 trains nothing.
        minutes: Budget of wall time.
        steps: Batches an epoch.
        batch_size: Patches a batch.
        patch_size: Two or three sides in voxels.
        filters: Of the first level.
        depth: How many times the input is halved.
        norm: See `build_unet`.
        dropout: See `build_unet`.
        loss: One of `LOSSES`.
        learning_rate: The highest.
        patience: Epochs without improvement.
        seed: Of weights and sampling.
        augment: "stored" trains on the cube's copies, "online" on patches of its
            scans augmented anew, each time they are drawn.
        mixed_precision: Whether to compute in float16.
        weights: Trained model to start from.
        resume: Whether to go on from the run folder's checkpoint.
        fold: Which fold is tested; None for the cube's own splits.
        folds: How many folds there are.
    """

    model: str
    epochs: int | None
    minutes: float | None
    steps: int
    batch_size: int | None
    patch_size: tuple[int, ...] | None
    filters: int | None
    depth: int
    norm: str
    dropout: float
    loss: str
    learning_rate: float | None
    patience: int | None
    seed: int
    augment: str
    mixed_precision: bool
    weights: Path | None
    resume: bool
    fold: int | None = None
    folds: int | None = None

    @property
    def kept_out(self) -> tuple[int, int] | None:
        """The fold that is tested, and of how many; None without folds."""
        return None if self.fold is None else (self.fold, self.folds)


def describe_network(request: Request, cube: Cube) -> Traits:
    """Settle patch size and architecture for a cube.

    Raises:
        UsageError: If the patch size does not fit the network.
    """
    if request.patch_size:
        patch_size = check_patch_size(
            request.model, request.patch_size, cube.spacing, request.depth
        )
    else:
        patch_size = choose_patch_size(
            request.model, cube.shape, cube.spacing, request.depth
        )
    architecture = {
        "filters": request.filters or FILTERS[request.model],
        "depth": request.depth,
        "norm": request.norm,
        "dropout": request.dropout,
        "dtype": "mixed_float16" if request.mixed_precision else "float32",
    }
    return Traits(
        model=request.model,
        spacing=cube.spacing,
        patch_size=patch_size,
        class_names=cube.class_names,
        label_values=cube.label_values,
        intensity=tuple(cube.intensity),
        architecture=architecture,
        cube_checksum=cube.checksum,
        fold=request.kept_out,
    )


def obtain_network(request: Request, cube: Cube) -> tuple[keras.Model, Traits]:
    """Build a new network, or load the one to start from.

    Raises:
        UsageError: If the loaded network is of another kind, spacing or number
            of classes than asked for, or was trained on what this fold tests.
    """
    if request.epochs != 0 and not cube.rows("train"):
        raise DataError(f"{cube.path} must have a training case. Received: none")
    seed_everything(request.seed)
    if request.weights is None:
        traits = describe_network(request, cube)
        network = BUILDERS[request.model](
            cube.spacing, len(cube.class_names), **traits.architecture
        )
        return network, traits
    network, traits = load_trained(request.weights)
    asked = (request.model, cube.spacing, len(cube.class_names))
    found = (traits.model, traits.spacing, len(traits.class_names))
    if asked != found:
        raise UsageError(
            f"{request.weights} must be of the model, spacing in mm and number of "
            f"classes asked for: {asked}. Received: {found}"
        )
    check_unseen(request.weights, traits, cube, request.kept_out)
    if request.patch_size:
        depth = traits.architecture["depth"]
        patch_size = check_patch_size(
            request.model, request.patch_size, cube.spacing, depth
        )
        traits = replace(traits, patch_size=patch_size)
    if request.epochs != 0:
        traits = replace(
            traits,
            cube_checksum=cube.checksum,
            class_names=cube.class_names,
            label_values=cube.label_values,
            fold=request.kept_out,
        )
    return network, traits


@dataclass(frozen=True)
class Fitted:
    """A network after training.

    Args:
        network: With its best weights, ready to predict.
        traits: What it was trained for.
        history: A row per epoch; none where nothing was trained.
        minutes: Of training and validation.
    """

    network: keras.Model
    traits: Traits
    history: list[dict]
    minutes: float

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
        return Fitted(network, traits, [], 0.0)
    training, identity = _prepare(request, cube, run, network, traits)
    log = TensorBoardLog(run / "tensorboard")

    def on_epoch(is_best: bool) -> None:
        if is_best:
            save_trained(run / MODEL_NAME, network, traits)
        write_history(run / HISTORY_NAME, training.progress.history)
        log.write(training.progress.history[-1])

    def checkpoint() -> None:
        state = (training.model, training.average, training.progress)
        save_checkpoint(run / "checkpoint", *state, identity)

    def validate() -> float:
        return validation_dice(training.model, cube, validation, traits.patch_size)

    validation = cube.rows("validation", copy=0)
    training.run(validate if validation else None, on_epoch, checkpoint)
    best, _ = load_trained(run / MODEL_NAME)
    progress = training.progress
    return Fitted(best, traits, progress.history, progress.seconds / 60)


def _prepare(
    request: Request, cube: Cube, run: Path, network: keras.Model, traits: Traits
) -> tuple[Training, dict]:
    """Compile, set up sampling, and put an earlier run's state back.

    Raises:
        DataError: If the cube has no training case, or nothing can be resumed.
    """
    # The network itself stays uncompiled, so that its file holds no optimizer.
    model = keras.Model(network.inputs, network.outputs, name=network.name)
    rate = request.learning_rate or LEARNING_RATES[request.model]
    optimizer = keras.optimizers.AdamW(rate, weight_decay=1e-4, global_clipnorm=1.0)
    if request.mixed_precision:  # float16 gradients would vanish below 6e-8
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    model.compile(
        optimizer,
        LOSSES[request.loss](),
        metrics=[DiceCoefficient()],
        jit_compile=jit_compile(),
    )
    batch_size = request.batch_size or choose_batch_size(
        request.model, traits.patch_size
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
    identity = {
        "traits": asdict(traits),
        "sampling": {
            "batch_size": batch_size,
            "seed": request.seed,
            "augment": request.augment,
        },
        "loss": request.loss,
    }
    average = WeightAverage(model, settings.average_decay)
    progress = None
    if request.resume:
        progress = load_checkpoint(run / "checkpoint", model, average, identity)
    training = Training(model, sampler, settings, progress=progress, average=average)
    return training, identity
