"""UNet-2D and UNet-3D: one builder for both ranks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import keras
from keras import layers

from models.layers import InstanceNormalization, Softmax
from volumes.pooling import pooling_sizes

NORMS = ("instance", "group", "batch", "none")
MAX_FILTERS = 320
MAX_DEPTH = 7


def _norm(kind: str, name: str, **options) -> keras.Layer | None:
    """Build a normalisation layer; None for "none"."""
    if kind == "none":
        return None
    if kind == "batch":
        return layers.BatchNormalization(name=name, **options)
    if kind == "instance":
        return InstanceNormalization(name=name, **options)
    return layers.GroupNormalization(8, epsilon=1e-5, name=name, **options)


def _block(x, filters: int, kernels: Sequence, make: dict, name: str):
    """Convolve twice, each followed by norm and leaky ReLU, then drop out."""
    for number, kernel in enumerate(kernels, start=1):
        x = make["conv"](filters, kernel, name=f"{name}_conv_{number}")(x)
        norm = make["norm"](name=f"{name}_norm_{number}")
        x = x if norm is None else norm(x)
        x = make["activation"](name=f"{name}_activation_{number}")(x)
    if make["dropout"]:
        x = layers.Dropout(make["dropout"], name=f"{name}_dropout")(x)
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

    Departures from the papers: padded convolutions, so that output and input
    share a grid; leaky ReLU and a choice of norm as in nnU-Net (Isensee et al.,
    2021); an axis is not halved, nor convolved, while its spacing is more than
    twice the finest of the others'.

    Args:
        spacing: Of the input in mm, two or three figures.
        num_classes: Output channels, background included; at least 2.
        filters: Of the first level; doubled at each level up to 320.
        depth: How many times the input is halved.
        norm: "instance", "group" (of 8 groups), "batch" or "none".
        dropout: Share of features dropped after each block, in [0, 1).
        dtype: Keras dtype policy; the softmax is float32 in any.

    Returns:
        A model from (B, *spatial, 1) to probabilities (B, *spatial, C). Each
        spatial side must be divisible by the product of its halvings.

    Raises:
        ValueError: If the rank, the classes or the norm is not as above.

    Reference:
        [Ronneberger et al., 2015](https://doi.org/10.1007/978-3-319-24574-4_28),
        [Çiçek et al., 2016](https://doi.org/10.1007/978-3-319-46723-8_49).
    """
    rank = len(spacing)
    if rank not in (2, 3) or num_classes < 2 or norm not in NORMS:
        raise ValueError(
            f"A U-Net needs 2 or 3 axes, at least 2 classes and a norm of {NORMS}. "
            f"Received: spacing={spacing}, num_classes={num_classes}, norm={norm}"
        )
    convolution = {2: layers.Conv2D, 3: layers.Conv3D}[rank]
    transpose = {2: layers.Conv2DTranspose, 3: layers.Conv3DTranspose}[rank]
    pool = {2: layers.MaxPooling2D, 3: layers.MaxPooling3D}[rank]
    pools = pooling_sizes(spacing, depth)
    # An axis that is not halved at a level is not convolved there either.
    kernels = [tuple(3 if size == 2 else 1 for size in sizes) for sizes in pools]
    kernels.append((3,) * rank)
    make = {
        "conv": partial(
            convolution, padding="same", use_bias=norm == "none", dtype=dtype
        ),
        "norm": partial(_norm, norm, dtype=dtype),
        "activation": partial(layers.LeakyReLU, negative_slope=0.01, dtype=dtype),
        "dropout": dropout,
    }
    widths = [min(filters * 2**level, MAX_FILTERS) for level in range(depth + 1)]

    inputs = keras.Input((*(None,) * rank, 1), name="image")
    x, skips = inputs, []
    for level in range(depth + 1):
        name = f"encoder_{level + 1}" if level < depth else "bottom"
        x = _block(x, widths[level], [kernels[level]] * 2, make, name)
        if level < depth:
            skips.append(x)
            x = pool(pools[level], name=f"{name}_pool", dtype=dtype)(x)
    for level in reversed(range(depth)):
        name, size = f"decoder_{level + 1}", pools[level]
        x = transpose(
            widths[level], size, strides=size, name=f"{name}_up", dtype=dtype
        )(x)
        x = layers.Concatenate(name=f"{name}_skip", dtype=dtype)([skips[level], x])
        x = _block(x, widths[level], [kernels[level]] * 2, make, name)
    x = convolution(num_classes, 1, name="scores", dtype=dtype)(x)
    outputs = Softmax(name="probabilities", dtype="float32")(x)
    return keras.Model(inputs, outputs, name=f"unet_{rank}d")


def unet_2d(spacing: Sequence[float], num_classes: int, **options) -> keras.Model:
    """Build a UNet-2D for sagittal slices; see `build_unet`.

    Args:
        spacing: Of the volume in mm, right, anterior, superior.
        num_classes: Output channels, background included.
        **options: As of `build_unet`.
    """
    return build_unet(spacing=spacing[1:], num_classes=num_classes, **options)


def unet_3d(spacing: Sequence[float], num_classes: int, **options) -> keras.Model:
    """Build a UNet-3D for patches; see `build_unet`.

    Args:
        spacing: Of the volume in mm, right, anterior, superior.
        num_classes: Output channels, background included.
        **options: As of `build_unet`.
    """
    return build_unet(spacing=spacing, num_classes=num_classes, **options)


BUILDERS = {"unet2d": unet_2d, "unet3d": unet_3d}


def describe_blocks(
    model: keras.Model, patch_size: Sequence[int]
) -> list[tuple[str, int, tuple[int, ...]]]:
    """List a U-Net's blocks as they come, for a picture of it.

    Args:
        model: Of `build_unet`.
        patch_size: Of its input, (I, J, K); I is left out for rank 2.

    Returns:
        For each block its name, its filters, and the sides of its output.
    """
    rank = len(model.input_shape) - 2
    sides = tuple(patch_size[-rank:])
    shape = model.compute_output_shape((1, *sides, 1))
    blocks = [("input", 1, sides)]
    for layer in model.layers:
        if layer.name.endswith("_pool"):
            pool = layer.pool_size
            sides = tuple(s // p for s, p in zip(sides, pool, strict=True))
        elif layer.name.endswith("_up"):
            sides = tuple(s * p for s, p in zip(sides, layer.strides, strict=True))
        elif layer.name.endswith("_conv_2"):
            blocks.append((layer.name.removesuffix("_conv_2"), layer.filters, sides))
    blocks.append(("probabilities", shape[-1], sides))
    return blocks
