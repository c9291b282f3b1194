"""A chain of transforms: drawn once, composed into one map, applied purely."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from augment.intensity import Gamma, GaussianBlur, GaussianNoise
from augment.spatial import Elastic, Flip, Rescaling, Rotation
from volumes.resample import CoordinateMap

Spatial = Rotation | Rescaling | Flip
Grey = GaussianBlur | Gamma | GaussianNoise


def generator_for(seed: int, case_id: str, copy: int) -> np.random.Generator:
    """Give a case's copy its own random numbers, whoever makes it and when."""
    digest = hashlib.sha256(case_id.encode()).digest()[:8]
    words = np.frombuffer(digest, np.uint32).tolist()
    sequence = np.random.SeedSequence(seed, spawn_key=(*words, copy))
    return np.random.default_rng(sequence)


class Compose:
    """Apply transforms one after the other, at the price of one interpolation.

    Args:
        transforms: In the order in which they act. Grey-value transforms act
            after all spatial ones; at most one `Elastic`, the last spatial one.

    Raises:
        ValueError: If a spatial transform follows the elastic one.
    """

    def __init__(self, transforms: Sequence[Spatial | Elastic | Grey]):
        self.spatial = [t for t in transforms if isinstance(t, Spatial)]
        self.grey = [t for t in transforms if isinstance(t, Grey)]
        bends = [t for t in transforms if isinstance(t, Elastic)]
        moving = [t for t in transforms if not isinstance(t, Grey)]
        if len(bends) > 1 or (bends and moving[-1] is not bends[0]):
            raise ValueError(
                "One elastic transform may stand in a chain, after the other spatial "
                f"ones. Received: {[t.name for t in transforms]}"
            )
        self.elastic = bends[0] if bends else None
        self.transforms = list(transforms)

    def draw(self, rng: np.random.Generator) -> dict[str, object]:
        """Choose every transform's values, by name, as JSON keeps them."""
        return {transform.name: transform.draw(rng) for transform in self.transforms}

    def coordinate_map(
        self, drawn: dict, shape: Sequence[int], spacing: Sequence[float]
    ) -> CoordinateMap:
        """Compose the spatial transforms into one map on an output grid.

        Args:
            drawn: What `draw` returned.
            shape: Of the output, (I, J, K).
            spacing: Of the output, in mm.

        Returns:
            Where each point of the output comes from.
        """
        linear = np.eye(3)
        for transform in self.spatial:  # the first to act is the last to be pulled
            linear = linear @ transform.pull(drawn[transform.name])
        if self.elastic is None:
            return CoordinateMap(linear)
        control = self.elastic.control(drawn[self.elastic.name], shape, spacing)
        return CoordinateMap(linear, control)

    def apply_grey(
        self, image: npt.NDArray[np.float32], drawn: dict, spacing: Sequence[float]
    ) -> npt.NDArray[np.float32]:
        """Change the grey values of `image`, shape (I, J, K), as drawn."""
        for transform in self.grey:
            image = transform.apply(image, drawn[transform.name], spacing)
        return image


def compose_default(
    *,
    rotation: float | None = 10.0,
    rescaling: Sequence[float] | None = (0.9, 1.1),
    elastic: float | None = 6.0,
    flip: float | None = 0.5,
    blur: float | None = 1.0,
    gamma: Sequence[float] | None = (0.7, 1.5),
    noise: float | None = 0.15,
) -> Compose:
    """Build the chain of makeCube.py; None leaves a transform out.

    Args:
        rotation: Largest angle in degrees.
        rescaling: Smallest and largest factor.
        elastic: Largest displacement in mm.
        flip: Probability.
        blur: Largest sigma in mm.
        gamma: Smallest and largest exponent.
        noise: Largest standard deviation.
    """
    chain = [
        (Flip, flip),
        (Rescaling, rescaling),
        (Rotation, rotation),
        (Elastic, elastic),
        (GaussianBlur, blur),
        (Gamma, gamma),
        (GaussianNoise, noise),
    ]
    return Compose(
        [
            make(*(value if isinstance(value, Sequence) else (value,)))
            for make, value in chain
            if value is not None
        ]
    )
