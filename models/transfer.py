"""Starting from a network that was trained on another cube."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras

from cube.reader import Cube
from models.defaults import DEFAULT_ARCHITECTURE
from models.metadata import ModelMetadata
from models.options import TrainingOptions
from system.errors import DataError, UsageError
from system.text import shorten
from volumes.pooling import pooling_sizes

HEAD = "scores"  # name of the layer with one filter per class


def check_transfer(options: TrainingOptions, before: ModelMetadata, cube: Cube) -> dict:
    """Check that a trained network fits the options; print what differs.

    Args:
        options: With the trained network's file as `weights`.
        before: What the network was trained for.
        cube: To train on, or to test on where `epochs` is 0.

    Returns:
        The network's `filters`, `depth`, `norm` and `dropout`.

    Raises:
        UsageError: If the model or the architecture differs, if the network is
            only tested and its classes differ from the cube's, or if it is
            trained and down-samples other axes at the cube's spacing.
    """
    architecture = {name: before.architecture[name] for name in DEFAULT_ARCHITECTURE}
    for name, value in {"model": before.model, **architecture}.items():
        received = getattr(options, name)
        if received not in (None, value):
            raise UsageError(
                f"--{name} must be that of {options.weights}, {value}. "
                f"Received: {received}"
            )
    if options.epochs == 0:
        check_classes(options.weights, before, cube)
    else:
        _check_pooling(options, before, cube)
    print(f"Starting from {options.weights}.")
    _print_differences(before, cube, only_tests=options.epochs == 0)
    return architecture


def check_classes(path: Path | None, before: ModelMetadata, cube: Cube) -> None:
    """Check that a network that is only tested has the cube's classes.

    Args:
        path: Of the network, for the message.
        before: What it was trained for.
        cube: To test it on.

    Raises:
        UsageError: If it has others, or a class of one name has other structures, as
            far as both have names; names both.
    """
    if before.class_names != cube.class_names:
        raise UsageError(
            f"{path} can only be tested on its own classes, in their "
            f"order: {_listed(before.class_names)}. Received a cube of: "
            f"{_listed(cube.class_names)}. makeCube.py --labels-from {path} "
            "builds a cube of its classes; with --epochs above 0 it gets a new head."
        )
    both = zip(before.class_members or (), cube.class_members or (), strict=False)
    for name, (own, received) in zip(cube.class_names, both, strict=False):
        structures = {*(own or ()), *(received or ())}
        is_named = all(isinstance(each, str) for each in structures)
        if own and received and is_named and not set(own) & set(received):
            raise UsageError(
                f"{path} can only be tested on its own structures: its class {name} "
                f"is {shorten(_listed(own))}. Received a cube whose class {name} is "
                f"{shorten(_listed(received))}."
            )


def _check_pooling(options: TrainingOptions, before: ModelMetadata, cube: Cube) -> None:
    """Check that the cube's spacing gives the same poolings."""
    first = 1 if before.model == "unet2d" else 0
    depth = before.architecture["depth"]
    own = pooling_sizes(before.spacing[first:], depth)
    if pooling_sizes(cube.spacing[first:], depth) != own:
        raise UsageError(
            f"The cube's spacing must make the network down-sample the same axes as "
            f"the spacing of {options.weights}, {_mm(before.spacing)}. "
            f"Received: {_mm(cube.spacing)}"
        )


def _print_differences(before: ModelMetadata, cube: Cube, *, only_tests: bool) -> None:
    """Print in what the cube differs from the one that the network learned from."""
    if before.spacing != cube.spacing:
        end = (
            "; test cases are predicted at the network's spacing" if only_tests else ""
        )
        print(
            f"Its spacing was {_mm(before.spacing)}, the cube's is "
            f"{_mm(cube.spacing)}{end}."
        )
    if before.intensity != tuple(cube.intensity):
        print(
            f"Its intensity normalisation was {_listed(before.intensity)}, the cube's "
            f"is {_listed(cube.intensity)}."
        )
    if before.class_names != cube.class_names:
        print(
            f"Its classes were {_listed(before.class_names)}, the cube's are "
            f"{_listed(cube.class_names)}: it gets a new head."
        )


def _mm(spacing: Sequence[float]) -> str:
    return f"{' x '.join(f'{side:g}' for side in spacing)} mm"


def _listed(values: Sequence) -> str:
    return ", ".join(map(str, values))


def copy_weights(
    trained: keras.Model, network: keras.Model, *, with_head: bool
) -> None:
    """Copy a trained network's weights into a new one of the same architecture.

    Args:
        trained: Network to copy from.
        network: Network to copy to.
        with_head: Whether to copy the head too, which needs the same classes.

    Raises:
        DataError: If the layers differ, as those of an older version may.
    """
    try:
        for layer in network.layers:
            if with_head or layer.name != HEAD:
                layer.set_weights(trained.get_layer(layer.name).get_weights())
    except ValueError as error:
        raise DataError(f"The weights do not fit the network: {error}") from error


def content_checksums(cube: Cube, split: str) -> set[str]:
    """Return the content checksums of a split's scans."""
    rows = cube.rows(split, copy=0)
    return {cube.sources[row].get("content_checksum", "") for row in rows} - {""}


def check_unseen(path: Path, metadata: ModelMetadata, cube: Cube) -> None:
    """Check that a network was not trained or validated on a cube's test cases.

    Args:
        path: The network's file, for the message.
        metadata: Of the network.
        cube: With the test cases.

    Raises:
        UsageError: If it was, from this cube or any other; names the cases.
    """
    known = [
        cube.case_ids[row]
        for row in cube.rows("test", copy=0)
        if cube.sources[row].get("content_checksum") in metadata.seen
    ]
    if known:
        raise UsageError(
            f"{path} must not have been trained or validated on the test cases. "
            f"Received: {shorten(', '.join(known))}"
        )
