"""The network that a training run starts from: new, or with trained weights."""

from __future__ import annotations

from dataclasses import replace

import keras

from cube.reader import Cube
from models.defaults import check_patch_size, choose_patch_size
from models.metadata import ModelMetadata
from models.model_file import build_network, load_model
from models.options import TrainingOptions
from models.training_scans import measure_training_scans
from models.transfer import (
    check_transfer,
    check_unseen,
    content_checksums,
    copy_weights,
)
from system.errors import DataError


def build_metadata(options: TrainingOptions, cube: Cube) -> ModelMetadata:
    """Build the metadata of a new network for a cube.

    Raises:
        UsageError: If the patch size does not fit the network.
    """
    model, architecture = options.model, options.architecture()
    depth = architecture["depth"]
    if options.patch_size:
        patch_size = check_patch_size(model, options.patch_size, cube.spacing, depth)
    else:
        patch_size = choose_patch_size(model, cube.shape, cube.spacing, depth)
    seen = content_checksums(cube, "train") | content_checksums(cube, "validation")
    return ModelMetadata(
        model=model,
        spacing=cube.spacing,
        patch_size=patch_size,
        class_names=cube.class_names,
        label_values=cube.label_values,
        intensity=tuple(cube.intensity),
        architecture=architecture,
        cube_checksum=cube.checksum,
        seen=tuple(sorted(seen)),
        class_members=cube.class_members,
        training=measure_training_scans(cube),
    )


def prepare_network(
    options: TrainingOptions, cube: Cube
) -> tuple[keras.Model, ModelMetadata]:
    """Build a new network, or one with trained weights to start from.

    Raises:
        DataError: If the cube has no training case.
        UsageError: If the options do not fit the trained network, or it was
            trained on a test case of the cube.
    """
    if options.epochs != 0 and not cube.rows("train"):
        raise DataError(f"{cube.path} must have a training case. Received: none")
    keras.utils.set_random_seed(options.seed)  # of initialisers and dropout
    if options.weights is None:
        metadata = build_metadata(options, cube)
        return build_network(metadata), metadata
    trained, before = load_model(options.weights)
    architecture = check_transfer(options, before, cube)
    check_unseen(options.weights, before, cube)
    if options.epochs == 0:
        if options.patch_size is None:
            return trained, before
        sides = check_patch_size(
            before.model, options.patch_size, before.spacing, architecture["depth"]
        )
        return trained, replace(before, patch_size=sides)
    metadata = build_metadata(replace(options, **architecture), cube)
    metadata = replace(metadata, seen=tuple(sorted({*before.seen, *metadata.seen})))
    network = build_network(metadata)
    copy_weights(trained, network, with_head=before.class_names == metadata.class_names)
    return network, metadata
