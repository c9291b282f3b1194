"""What train.py was asked for, and the network that answers it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import keras

from cube.reader import Cube
from models.defaults import (
    DEFAULT_ARCHITECTURE,
    check_patch_size,
    choose_patch_size,
)
from models.device import seed_everything
from models.model_file import (
    ModelMetadata,
    build_network,
    check_unseen,
    content_checksums,
    load_model,
)
from models.transfer import check_transfer, copy_weights, freeze_encoder
from system.errors import DataError


@dataclass(frozen=True)
class TrainingOptions:
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
        freeze: "encoder" keeps its weights as they are; None trains all.
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
    depth: int | None
    norm: str | None
    dropout: float | None
    loss: str
    learning_rate: float | None
    patience: int | None
    seed: int
    augment: str
    mixed_precision: bool
    weights: Path | None
    freeze: str | None
    resume: bool
    fold: int | None = None
    folds: int | None = None


def describe_network(options: TrainingOptions, cube: Cube) -> ModelMetadata:
    """Settle patch size and architecture for a cube.

    Raises:
        UsageError: If the patch size does not fit the network.
    """
    defaults = DEFAULT_ARCHITECTURE
    asked = {name: getattr(options, name) for name in defaults}
    given = {name: value for name, value in asked.items() if value is not None}
    architecture = {
        **defaults,
        **given,
        "dtype": "mixed_float16" if options.mixed_precision else "float32",
    }
    if options.patch_size:
        patch_size = check_patch_size(
            options.model, options.patch_size, cube.spacing, architecture["depth"]
        )
    else:
        patch_size = choose_patch_size(
            options.model, cube.shape, cube.spacing, architecture["depth"]
        )
    return ModelMetadata(
        model=options.model,
        spacing=cube.spacing,
        patch_size=patch_size,
        class_names=cube.class_names,
        label_values=cube.label_values,
        intensity=tuple(cube.intensity),
        architecture=architecture,
        cube_checksum=cube.checksum,
        seen=tuple(
            sorted(
                content_checksums(cube, "train") | content_checksums(cube, "validation")
            )
        ),
    )


def obtain_network(
    options: TrainingOptions, cube: Cube
) -> tuple[keras.Model, ModelMetadata]:
    """Build a network, new or with the weights to start from.

    Raises:
        DataError: If the cube has no training case.
        UsageError: If what was asked for does not fit the weights' network, or
            that has seen what is to be tested.
    """
    if options.epochs != 0 and not cube.rows("train"):
        raise DataError(f"{cube.path} must have a training case. Received: none")
    seed_everything(options.seed)
    trained = None
    if options.weights is not None:
        trained, before = load_model(options.weights)
        kept = check_transfer(asdict(options), before, cube)
        check_unseen(options.weights, before, cube)
        options = replace(options, **kept)
        if options.epochs == 0:
            return trained, _tiled(before, options.patch_size)
    metadata = describe_network(options, cube)
    network = build_network(metadata)
    if trained is not None:
        same_head = before.class_names == metadata.class_names
        copy_weights(trained, network, same_head=same_head)
        metadata = replace(metadata, seen=tuple(sorted({*before.seen, *metadata.seen})))
    if options.freeze is not None:
        freeze_encoder(network)
    return network, metadata


def _tiled(
    metadata: ModelMetadata, patch_size: tuple[int, ...] | None
) -> ModelMetadata:
    """Let a trained network predict in tiles of another size, if one is given."""
    if patch_size is None:
        return metadata
    fitting = metadata.spacing, metadata.architecture["depth"]
    return replace(
        metadata, patch_size=check_patch_size(metadata.model, patch_size, *fitting)
    )
