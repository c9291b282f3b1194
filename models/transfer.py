"""Starting from a network that was trained on another cube."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from cube.reader import Cube
from models.defaults import DEFAULT_ARCHITECTURE
from models.model_file import ModelMetadata
from system.errors import DataError, UsageError
from volumes.pooling import pooling_sizes

HEAD = "scores"  # the layer whose filters are the classes


def check_transfer(asked: dict, before: ModelMetadata, cube: Cube) -> dict:
    """See that a trained network suits what was asked for; print what shifts.

    Args:
        asked: The fields of the request, `weights` among them.
        before: What the network was trained for.
        cube: To train on, or with no epochs to test on.

    Returns:
        The network's `filters`, `depth`, `norm` and `dropout`.

    Raises:
        UsageError: If it is of another model or architecture, has classes of
            other names and is only to be tested, or halves other axes at the
            cube's spacing.
    """
    weights, only_tests = asked["weights"], asked["epochs"] == 0
    kept = {name: before.architecture[name] for name in DEFAULT_ARCHITECTURE}
    for name, value in {"model": before.model, **kept}.items():
        if asked[name] not in (None, value):
            raise UsageError(
                f"--{name} must be that of {weights}, {value}. Received: {asked[name]}"
            )
    other_head = before.class_names != cube.class_names
    if other_head and only_tests:
        raise UsageError(
            f"{weights} can only be tested on its own classes, in their order: "
            f"{_listed(before.class_names)}. Received a cube of: "
            f"{_listed(cube.class_names)}. Trained further, it gets a new head."
        )
    first = 1 if before.model == "unet2d" else 0
    pools, wanted = (
        pooling_sizes(spacing[first:], kept["depth"])
        for spacing in (before.spacing, cube.spacing)
    )
    if pools != wanted and not only_tests:
        raise UsageError(
            f"{weights} halves other axes at its spacing, {_mm(before.spacing)}, than "
            f"at the cube's. Received: {_mm(cube.spacing)}"
        )
    print(f"Starting from {weights}.")
    if before.spacing != cube.spacing:
        print(
            f"Its spacing was {_mm(before.spacing)}, the cube's is "
            f"{_mm(cube.spacing)}" + "; scans are tested at its own." * only_tests
        )
    if before.intensity != tuple(cube.intensity):
        print(
            f"Its intensities were by {_listed(before.intensity)}, the cube's are by "
            f"{_listed(cube.intensity)}"
        )
    if other_head:
        print(
            f"Its classes were {_listed(before.class_names)}, the cube's are "
            f"{_listed(cube.class_names)}: it gets a new head."
        )
    return kept


def _mm(spacing: Sequence[float]) -> str:
    return f"{' x '.join(f'{side:g}' for side in spacing)} mm"


def _listed(values: Sequence) -> str:
    return ", ".join(map(str, values))


def copy_weights(
    trained: keras.Model, network: keras.Model, *, same_head: bool
) -> None:
    """Copy a trained network's weights into a new one of the same architecture.

    Args:
        trained: Gives the weights.
        network: Takes them.
        same_head: Whether the head's too: those of the same classes.

    Raises:
        DataError: If the layers differ, as those of an older version may.
    """
    try:
        for layer in network.layers:
            if same_head or layer.name != HEAD:
                layer.set_weights(trained.get_layer(layer.name).get_weights())
    except ValueError as error:
        raise DataError(f"The weights do not fit the network: {error}") from error


def freeze_encoder(network: keras.Model) -> None:
    """Keep the weights of all blocks up to the bottom as they are."""
    for layer in network.layers:
        layer.trainable = layer.name.startswith(("decoder_", HEAD))
    frozen = [each.count_params() for each in network.layers if not each.trainable]
    print(f"{sum(frozen):,} of {network.count_params():,} parameters are frozen.")
