"""A chain of transforms: drawn once, composed into one map, applied purely."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from augment.intensity import (
    BiasField,
    Brightness,
    Contrast,
    Gamma,
    GaussianBlur,
    GaussianNoise,
    LowResolution,
    RicianNoise,
)
from augment.spatial import (
    Elastic,
    Flip,
    Rescaling,
    Rotation,
    Shift,
)
from augment.transform import AffineTransform, IntensityTransform, Transform
from volumes.classes import classify_labels
from volumes.geometry import Grid
from volumes.intensity import Intensity
from volumes.resample import CoordinateMap, filled_extent, resample

TRANSFORMS: dict[str, type[Transform]] = {
    transform.name: transform
    for transform in (
        *(Flip, Rescaling, Rotation, Shift, Elastic),
        *(GaussianBlur, LowResolution, Gamma, Brightness, Contrast),
        *(BiasField, GaussianNoise, RicianNoise),
    )
}


def generator_for(seed: int, case_id: str, copy: int) -> np.random.Generator:
    """Give a case's copy its own random numbers, whoever makes it and when."""
    digest = hashlib.sha256(case_id.encode()).digest()[:8]
    words = np.frombuffer(digest, np.uint32).tolist()
    sequence = np.random.SeedSequence(seed, spawn_key=(*words, copy))
    return np.random.default_rng(sequence)


def _kinds(drawn: Mapping[str, Any]) -> Iterator[tuple[type[Transform], Any]]:
    """Say which transform each drawn entry belongs to; None was left out."""
    for key, values in drawn.items():
        name, _, number = key.rpartition("_")
        name = name if number.isdigit() else key
        if name not in TRANSFORMS:
            raise ValueError(
                f"Drawn values must be of {', '.join(TRANSFORMS)}. Received: {key}"
            )
        if values is not None:
            yield TRANSFORMS[name], values


def coordinate_map(
    drawn: Mapping[str, Any], shape: Sequence[int], spacing: Sequence[float]
) -> CoordinateMap:
    """Compose the drawn spatial transforms into one map on an output grid.

    Args:
        drawn: What `Compose.draw` returned.
        shape: Of the output, (I, J, K).
        spacing: Of the output, in mm.

    Returns:
        Where each point of the output comes from.
    """
    output_to_input, control = np.eye(4), None
    for kind, values in _kinds(drawn):
        if issubclass(
            kind, AffineTransform
        ):  # the first to act is the last to be pulled
            output_to_input = output_to_input @ np.vstack(
                [kind.output_to_input(values), (0, 0, 0, 1)]
            )
        elif kind is Elastic:
            control = Elastic.control(values, shape, spacing)
    return CoordinateMap(output_to_input[:3], control)


def apply_intensity(
    image: npt.NDArray[np.float32], drawn: Mapping[str, Any], spacing: Sequence[float]
) -> npt.NDArray[np.float32]:
    """Change the grey values of a normalised image, shape (I, J, K), as drawn."""
    for kind, values in _kinds(drawn):
        if issubclass(kind, IntensityTransform):
            image = kind.apply(image, values, spacing)
    return image


class Compose:
    """Apply transforms one after the other, at the price of one interpolation.

    Args:
        transforms: In the order in which they act; the same kind may come more
            than once. Grey-value transforms act after all spatial ones. At most
            one `Elastic`, after the other spatial ones: there its splines are
            separable, which is what makes it fast.

    Raises:
        ValueError: If a spatial transform follows the elastic one.
    """

    def __init__(self, transforms: Sequence[Transform]):
        self.transforms = list(transforms)
        moving = [t for t in self.transforms if not isinstance(t, IntensityTransform)]
        if any(isinstance(t, Elastic) for t in moving[:-1]):
            raise ValueError(
                "One elastic transform may stand in a chain, after the other spatial "
                f"ones. Received: {[t.name for t in self.transforms]}"
            )

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        """Choose every transform's values, as JSON keeps them.

        Returns:
            Values by name, in the order of the chain; the second of a kind is
            called `rotation_2`. None stands for a transform left out this time.
        """
        drawn: dict[str, Any] = {}
        for transform in self.transforms:
            key, number = transform.name, 1
            while key in drawn:
                number += 1
                key = f"{transform.name}_{number}"
            drawn[key] = transform.draw(rng)
        return drawn


def compose_default(
    *,
    flip: float | None = 0.5,
    rescaling: Sequence[float] | None = (0.9, 1.1),
    rotation: float | None = 10.0,
    shift: float | None = None,
    elastic: float | None = 6.0,
    blur: float | None = 1.0,
    low_resolution: float | None = None,
    gamma: Sequence[float] | None = (0.7, 1.5),
    brightness: float | None = None,
    contrast: Sequence[float] | None = None,
    bias_field: float | None = None,
    noise: float | None = 0.15,
    rician_noise: float | None = None,
) -> Compose:
    """Build the chain of makeCube.py; None leaves a transform out.

    Args:
        flip: Probability.
        rescaling: Smallest and largest factor.
        rotation: Largest angle in degrees.
        shift: Largest distance in mm.
        elastic: Largest displacement in mm.
        blur: Largest sigma in mm.
        low_resolution: Largest factor.
        gamma: Smallest and largest exponent.
        brightness: Largest change.
        contrast: Smallest and largest factor.
        bias_field: Largest coefficient.
        noise: Largest standard deviation.
        rician_noise: Largest standard deviation of each channel.
    """
    asked = locals()
    return Compose(
        [
            make(*(value if isinstance(value, Sequence) else (value,)))
            for name, make in TRANSFORMS.items()
            if (value := asked[name]) is not None
        ]
    )


def compose_of(arguments: Mapping[str, Any]) -> Compose:
    """Rebuild the chain that a cube's copies were drawn from.

    Args:
        arguments: The cube's; transforms it does not name get their default.
    """
    return compose_default(
        **{name: arguments[name] for name in TRANSFORMS if name in arguments}
    )


def replay(
    drawn: str | Mapping[str, Any],
    image: np.ndarray,
    label: np.ndarray | None,
    *,
    source: Grid,
    target: Grid | None = None,
    intensity: Intensity | None = None,
    classes: npt.NDArray[np.uint8] | None = None,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    """Apply drawn values to a scan and its label map, as the cube's rows were made.

    Args:
        drawn: What was drawn, as a dict or as the cube's JSON; `{}` for nothing.
        image: The scan's voxels, shape (I, J, K) of `source`; blurred beforehand
            (`smooth_for`) where the target is coarser.
        label: Unsigned integers of the same shape, or None.
        source: The scan's grid.
        target: The grid of the result. Defaults to the scan's own, whose axes
            then stand for right, anterior and superior.
        intensity: How to normalise; grey-value transforms expect it. Defaults to
            leaving values as they are, with the smallest outside the scan.
        classes: Class of each label value. Defaults to the value, up to 255.

    Returns:
        The image and the label map on `target`. The same arguments give the
        same bytes.
    """
    drawn = json.loads(drawn) if isinstance(drawn, str) else drawn
    target = source if target is None else target
    through = coordinate_map(drawn, target.shape, target.spacing)
    if classes is not None and label is not None:
        label = classify_labels(label, classes)
    background = image.min() if intensity is None else intensity.background
    image, label = resample(
        image,
        label,
        source,
        target,
        background=background,
        through=through,
    )
    if intensity is not None:
        image = intensity.normalise(image)
    # The padding stays constant, so that it compresses to nothing.
    extent = filled_extent(source, target, through.output_to_input)
    filled = tuple(slice(first, last) for first, last in extent)
    if image[filled].size:
        image[filled] = apply_intensity(image[filled], drawn, target.spacing)
    return image, label
