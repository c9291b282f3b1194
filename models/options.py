"""What train.py was asked for, and the network that answers it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import keras

from cube.reader import Cube
from models.defaults import (
    ARCHITECTURE,
    FILTERS,
    check_patch_size,
    choose_patch_size,
)
from models.device import seed_everything
from models.model_file import (
    Traits,
    build_network,
    check_unseen,
    contents,
    load_trained,
)
from models.transfer import carry_over, check_transfer, freeze_encoder
from system.errors import DataError


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


def describe_network(request: Request, cube: Cube) -> Traits:
    """Settle patch size and architecture for a cube.

    Raises:
        UsageError: If the patch size does not fit the network.
    """
    defaults = {"filters": FILTERS[request.model], **ARCHITECTURE}
    asked = {name: getattr(request, name) for name in defaults}
    given = {name: value for name, value in asked.items() if value is not None}
    architecture = {
        **defaults,
        **given,
        "dtype": "mixed_float16" if request.mixed_precision else "float32",
    }
    if request.patch_size:
        patch_size = check_patch_size(
            request.model, request.patch_size, cube.spacing, architecture["depth"]
        )
    else:
        patch_size = choose_patch_size(
            request.model, cube.shape, cube.spacing, architecture["depth"]
        )
    return Traits(
        model=request.model,
        spacing=cube.spacing,
        patch_size=patch_size,
        class_names=cube.class_names,
        label_values=cube.label_values,
        intensity=tuple(cube.intensity),
        architecture=architecture,
        cube_checksum=cube.checksum,
        seen=tuple(sorted(contents(cube, "train") | contents(cube, "validation"))),
    )


def obtain_network(request: Request, cube: Cube) -> tuple[keras.Model, Traits]:
    """Build a network, new or with the weights to start from.

    Raises:
        DataError: If the cube has no training case.
        UsageError: If what was asked for does not fit the weights' network, or
            that has seen what is to be tested.
    """
    if request.epochs != 0 and not cube.rows("train"):
        raise DataError(f"{cube.path} must have a training case. Received: none")
    seed_everything(request.seed)
    trained = None
    if request.weights is not None:
        trained, before = load_trained(request.weights)
        kept = check_transfer(asdict(request), before, cube)
        check_unseen(request.weights, before, cube)
        request = replace(request, **kept)
        if request.epochs == 0:
            return trained, _tiled(before, request.patch_size)
    traits = describe_network(request, cube)
    network = build_network(traits)
    if trained is not None:
        same_head = before.class_names == traits.class_names
        carry_over(trained, network, same_head=same_head)
        traits = replace(traits, seen=tuple(sorted({*before.seen, *traits.seen})))
    if request.freeze is not None:
        freeze_encoder(network)
    return network, traits


def _tiled(traits: Traits, patch_size: tuple[int, ...] | None) -> Traits:
    """Let a trained network predict in tiles of another size, if one is given."""
    if patch_size is None:
        return traits
    fitting = traits.spacing, traits.architecture["depth"]
    return replace(
        traits, patch_size=check_patch_size(traits.model, patch_size, *fitting)
    )
