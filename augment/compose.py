"""Chains of transforms: draw the parameters, compose the maps, apply and replay."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from augment.contrast_curve import ContrastCurve
from augment.flags import FLAGS
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
        Flip,
        Rescaling,
        Rotation,
        Shift,
        Elastic,
        GaussianBlur,
        LowResolution,
        ContrastCurve,
        Gamma,
        Brightness,
        Contrast,
        BiasField,
        GaussianNoise,
        RicianNoise,
    )
}


def generator_for(seed: int, case_id: str, copy: int) -> np.random.Generator:
    """Return the random generator of one copy, independent of all other copies."""
    digest = hashlib.sha256(case_id.encode()).digest()[:8]
    words = np.frombuffer(digest, np.uint32).tolist()
    sequence = np.random.SeedSequence(seed, spawn_key=(*words, copy))
    return np.random.default_rng(sequence)


def _applied(drawn: Mapping[str, Any]) -> Iterator[tuple[type[Transform], Any]]:
    """Yield the transform and the parameters of each entry that is not None."""
    for key, parameters in drawn.items():
        name, _, number = key.rpartition("_")
        if not number.isdigit():
            name = key
        if name not in TRANSFORMS:
            raise ValueError(
                f"Drawn parameters must be of {', '.join(TRANSFORMS)}. Received: {key}"
            )
        if parameters is not None:
            yield TRANSFORMS[name], parameters


def coordinate_map(
    drawn: Mapping[str, Any], shape: Sequence[int], spacing: Sequence[float]
) -> CoordinateMap:
    """Compose the drawn spatial transforms into one map over an output grid.

    Args:
        drawn: What `Compose.draw` returned.
        shape: Of the output, (I, J, K).
        spacing: Of the output, in mm.

    Returns:
        The map from output points to input points.
    """
    output_to_input, control = np.eye(4), None
    for transform, parameters in _applied(drawn):
        if issubclass(transform, AffineTransform):
            matrix = np.vstack([transform.output_to_input(parameters), (0, 0, 0, 1)])
            # The inverse of a chain has its matrices in reverse order.
            output_to_input = output_to_input @ matrix
        elif transform is Elastic:
            control = Elastic.control(parameters, shape, spacing)
    return CoordinateMap(output_to_input[:3], control)


def apply_intensity(
    image: npt.NDArray[np.float32], drawn: Mapping[str, Any], spacing: Sequence[float]
) -> npt.NDArray[np.float32]:
    """Apply the drawn intensity transforms to a normalised image, shape (I, J, K)."""
    for transform, parameters in _applied(drawn):
        if issubclass(transform, IntensityTransform):
            image = transform.apply(image, parameters, spacing)
    return image


class Compose:
    """A chain of transforms, which interpolates the voxels only once.

    Args:
        transforms: In the order of application; a transform may occur more than
            once. Intensity transforms are applied after all spatial ones. There
            may be one `Elastic`, after the other spatial transforms: there its
            splines are separable, and so fast.

    Raises:
        ValueError: If a spatial transform follows an elastic one.
    """

    def __init__(self, transforms: Sequence[Transform]):
        self.transforms = list(transforms)
        spatial = [t for t in self.transforms if not isinstance(t, IntensityTransform)]
        if any(isinstance(t, Elastic) for t in spatial[:-1]):
            raise ValueError(
                "A chain may hold one elastic transform, after the other spatial ones. "
                f"Received: {[t.name for t in self.transforms]}"
            )

    def draw(self, rng: np.random.Generator) -> dict[str, Any]:
        """Draw the parameters of every transform.

        Returns:
            JSON-safe parameters by name, in the order of application; the second
            rotation is called `rotation_2`. None marks a transform that is not
            applied this time.
        """
        drawn: dict[str, Any] = {}
        for transform in self.transforms:
            key, number = transform.name, 1
            while key in drawn:
                number += 1
                key = f"{transform.name}_{number}"
            drawn[key] = transform.draw(rng)
        return drawn

    def without(self, name: str) -> Compose:
        """Return the chain without the transforms of that name."""
        return Compose([each for each in self.transforms if each.name != name])


def compose_default(**values: float | Sequence[float] | None) -> Compose:
    """Build the chain of makeCube.py.

    Args:
        **values: By the names in `augment.flags.FLAGS`, whose defaults apply to
            those not given; None leaves a transform out.

    Raises:
        TypeError: If there is no such flag.
        ValueError: If a transform does not accept its value.
    """
    unknown = values.keys() - FLAGS.keys()
    if unknown:
        raise TypeError(
            f"Names must be among {', '.join(FLAGS)}. Received: {', '.join(unknown)}"
        )
    transforms = []
    for name, flag in FLAGS.items():
        value = values.get(name, flag.default)
        flag.check(name, value)
        if value is not None:
            arguments = value if flag.is_range else [value]
            transforms.append(TRANSFORMS[name](*arguments))
    return Compose(transforms)


def compose_of(arguments: Mapping[str, Any]) -> Compose:
    """Rebuild the chain from the stored arguments of a cube, or their defaults."""
    return compose_default(
        **{name: arguments[name] for name in FLAGS if name in arguments}
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
    """Apply drawn parameters to a scan and its label map, as rows of a cube are built.

    Args:
        drawn: The parameters, as a dict or as the cube's JSON; `{}` for none.
        image: The scan's voxels, shape (I, J, K) of `source`; blurred beforehand
            (`antialias`) where the target is coarser.
        label: Label map of unsigned integers, same shape, or None.
        source: The scan's grid.
        target: The grid of the result. Defaults to the scan's own, whose axes
            are then taken as right, anterior and superior.
        intensity: Normalisation, which intensity transforms expect. Defaults to
            none, with the smallest value outside the scan.
        classes: Class of each label value. Defaults to the value, up to 255.

    Returns:
        The image and the label map on `target`; the label map is empty if there
        was none. The same arguments give the same bytes.
    """
    parameters: Mapping[str, Any] = (
        json.loads(drawn) if isinstance(drawn, str) else drawn
    )
    target = source if target is None else target
    through = coordinate_map(parameters, target.shape, target.spacing)
    if classes is not None and label is not None:
        label = classify_labels(label, classes)
    background = image.min() if intensity is None else intensity.background
    image, label = resample(
        image, label, source, target, background=background, through=through
    )
    if intensity is not None:
        image = intensity.normalise(image)
    # The padding stays constant, so that it compresses well.
    extent = filled_extent(source, target, through.output_to_input)
    filled = tuple(slice(first, last) for first, last in extent)
    if image[filled].size:
        image[filled] = apply_intensity(image[filled], parameters, target.spacing)
    return image, label
