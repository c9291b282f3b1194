"""UNet-2D and UNet-3D, from one builder for both ranks.

Departures from the papers: padded convolutions, so that output and input share a grid;
leaky ReLU and a choice of norm as in nnU-Net (Isensee et al., 2021); an axis is neither
pooled nor convolved while its spacing is more than twice the finest spacing of the
other axes.

Reference:
    [Ronneberger et al., 2015](https://doi.org/10.1007/978-3-319-24574-4_28),
    [Çiçek et al., 2016](https://doi.org/10.1007/978-3-319-46723-8_49).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import keras
from keras import layers

from models.layers import InstanceNormalization, Softmax
from volumes.pooling import pooling_sizes

NORMS = ("instance", "group", "batch", "none")
# The layers of networks with two and three axes.
CONVOLUTIONS = {2: layers.Conv2D, 3: layers.Conv3D}
TRANSPOSES = {2: layers.Conv2DTranspose, 3: layers.Conv3DTranspose}
POOLINGS = {2: layers.MaxPooling2D, 3: layers.MaxPooling3D}
MAX_FILTERS = 320
MAX_DEPTH = 7


def _normalise(x, norm: str, dtype: str, name: str):
    """Append a normalisation layer, or nothing for "none"."""
    if norm == "none":
        return x
    if norm == "batch":
        return layers.BatchNormalization(name=name, dtype=dtype)(x)
    if norm == "instance":
        return InstanceNormalization(name=name, dtype=dtype)(x)
    return layers.GroupNormalization(8, epsilon=1e-5, name=name, dtype=dtype)(x)


def _block(
    x,
    filters: int,
    kernel: tuple[int, ...],
    name: str,
    *,
    norm: str,
    dropout: float,
    dtype: str,
):
    """Append two convolutions, each with norm and leaky ReLU, then dropout."""
    convolution = CONVOLUTIONS[len(kernel)]
    for number in (1, 2):
        x = convolution(
            filters,
            kernel,
            padding="same",
            use_bias=norm == "none",
            dtype=dtype,
            name=f"{name}_conv_{number}",
        )(x)
        x = _normalise(x, norm, dtype, f"{name}_norm_{number}")
        x = layers.LeakyReLU(0.01, dtype=dtype, name=f"{name}_activation_{number}")(x)
    if dropout:
        x = layers.Dropout(dropout, name=f"{name}_dropout")(x)
    return x


class _Level(NamedTuple):
    """A resolution of a U-Net: its filters, kernel, and the pool that ends it."""

    filters: int
    kernel: tuple[int, ...]
    pool: tuple[int, ...]


def _plan_levels(spacing: Sequence[float], filters: int, depth: int) -> list[_Level]:
    """Return the levels from the finest on, without the bottom."""
    return [
        # An axis that is not halved at a level is not convolved there either.
        _Level(
            filters=filters_at(number, filters),
            kernel=tuple(3 if size == 2 else 1 for size in pool),
            pool=pool,
        )
        for number, pool in enumerate(pooling_sizes(spacing, depth))
    ]


def filters_at(number: int, first: int) -> int:
    """Return the filters of a level, doubled from those of the first at each."""
    return min(first * 2**number, MAX_FILTERS)


def _encode(x, levels: Sequence[_Level], block: Callable, dtype: str):
    """Append the encoder; return its output, and that of each level before pooling."""
    skips = []
    for number, level in enumerate(levels, start=1):
        name = f"encoder_{number}"
        x = block(x, level.filters, level.kernel, name)
        skips.append(x)
        pool = POOLINGS[len(level.pool)]
        x = pool(level.pool, name=f"{name}_pool", dtype=dtype)(x)
    return x, skips


def _decode(x, skips: list, levels: Sequence[_Level], block: Callable, dtype: str):
    """Append the decoder, which joins the output of each level of the encoder."""
    for number in range(len(levels), 0, -1):
        name, level = f"decoder_{number}", levels[number - 1]
        up = TRANSPOSES[len(level.pool)](
            level.filters, level.pool, level.pool, name=f"{name}_up", dtype=dtype
        )
        join = layers.Concatenate(name=f"{name}_skip", dtype=dtype)
        x = join([skips[number - 1], up(x)])
        x = block(x, level.filters, level.kernel, name)
    return x


def build_unet(
    *,
    spacing: Sequence[float],
    num_classes: int,
    filters: int = 8,
    depth: int = 4,
    norm: str = "instance",
    dropout: float = 0.0,
    dtype: str = "float32",
) -> keras.Model:
    """Build a U-Net whose rank is the length of `spacing`.

    Args:
        spacing: Of the input in mm, two or three values.
        num_classes: Output channels, background included; at least 2.
        filters: Filters of the first level; doubled at each level up to 320.
        depth: Number of down-sampling steps.
        norm: "instance", "group" (8 groups), "batch" or "none".
        dropout: Share of features dropped after each block, in [0, 1).
        dtype: Keras dtype policy; the softmax is always float32.

    Returns:
        A model from (B, *spatial, 1) to probabilities (B, *spatial, C). Each
        spatial side must be divisible by the product of its pooling sizes.

    Raises:
        ValueError: If the rank, the number of classes or the norm is invalid.
    """
    rank = len(spacing)
    if rank not in (2, 3) or num_classes < 2 or norm not in NORMS:
        raise ValueError(
            f"A U-Net needs 2 or 3 axes, at least 2 classes and a norm of {NORMS}. "
            f"Received: spacing={spacing}, num_classes={num_classes}, norm={norm}"
        )
    levels = _plan_levels(spacing, filters, depth)
    block = partial(_block, norm=norm, dropout=dropout, dtype=dtype)
    inputs = keras.Input((*(None,) * rank, 1), name="image")
    x, skips = _encode(inputs, levels, block, dtype)
    x = block(x, filters_at(depth, filters), (3,) * rank, "bottom")
    x = _decode(x, skips, levels, block, dtype)
    x = CONVOLUTIONS[rank](num_classes, 1, name="scores", dtype=dtype)(x)
    outputs = Softmax(name="probabilities", dtype="float32")(x)
    return keras.Model(inputs, outputs, name=f"unet_{rank}d")


def unet_2d(spacing: Sequence[float], num_classes: int, **options) -> keras.Model:
    """Build a UNet-2D for sagittal slices; see `build_unet`.

    Args:
        spacing: Of the volume in mm, right, anterior, superior.
        num_classes: Output channels, background included.
        **options: Passed to `build_unet`.
    """
    return build_unet(spacing=spacing[1:], num_classes=num_classes, **options)


def unet_3d(spacing: Sequence[float], num_classes: int, **options) -> keras.Model:
    """Build a UNet-3D for patches, with the arguments of `unet_2d`."""
    return build_unet(spacing=spacing, num_classes=num_classes, **options)


BUILDERS = {"unet2d": unet_2d, "unet3d": unet_3d}


class Block(NamedTuple):
    """A block of a U-Net.

    Attributes:
        name: Such as "encoder_1".
        filters: Channels of its output.
        sides: Of its output, in voxels.
        kernel: Of its convolutions; empty for the input.
        pool: Size of the max pooling behind it; empty where there is none.
        convolutions: How many there are.
    """

    name: str
    filters: int
    sides: tuple[int, ...]
    kernel: tuple[int, ...] = ()
    pool: tuple[int, ...] = ()
    convolutions: int = 0


def describe_blocks(model: keras.Model, patch_size: Sequence[int]) -> list[Block]:
    """List a U-Net's blocks in order, for a diagram of its architecture.

    Args:
        model: From `build_unet`.
        patch_size: Of its input, (I, J, K); I is ignored for rank 2.

    Returns:
        The input, the encoder, the bottom, the decoder, the probabilities.
    """
    rank = len(model.input_shape) - 2
    sides = tuple(patch_size[-rank:])
    blocks = [Block("input", 1, sides)]
    for layer in model.layers:
        if layer.name.endswith("_pool"):
            sides = tuple(s // p for s, p in zip(sides, layer.pool_size, strict=True))
            blocks[-1] = blocks[-1]._replace(pool=tuple(layer.pool_size))
        elif layer.name.endswith("_up"):
            sides = tuple(s * p for s, p in zip(sides, layer.strides, strict=True))
        elif layer.name.endswith("_conv_2"):
            name = layer.name.removesuffix("_conv_2")
            kernel = tuple(layer.kernel_size)
            blocks.append(Block(name, layer.filters, sides, kernel, convolutions=2))
    classes = model.output_shape[-1]
    blocks.append(Block("probabilities", classes, sides, (1,) * rank, convolutions=1))
    return blocks


def describe_network(model: keras.Model) -> str:
    """Describe a U-Net in a sentence, for the caption of its diagram."""
    parameters = f"{model.count_params():,} parameters"
    names = {layer.name: type(layer).__name__ for layer in model.layers}
    norm = names.get("bottom_norm_1", "").removesuffix("Normalization").lower()
    norm = f"{norm} normalisation" if norm else "no normalisation"
    dropout = [layer.rate for layer in model.layers if layer.name == "bottom_dropout"]
    after = f"; dropout of {dropout[0]:g} after each block" if dropout else ""
    return (
        f"{parameters}; each convolution is followed by {norm} and a leaky ReLU{after}."
    )
