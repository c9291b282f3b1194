"""The other libraries, each called as in its documentation.

Every function takes the arrays, the spacing in mm and the number of threads,
and returns a call per operation that the library has. Conversions to the shape
or container of a library happen beforehand and are not timed. Image linear, label
map nearest.

Where a library smooths a random field of full size to deform a volume, the sigma is
its default or that of its tutorial, which is less work than one that would deform as
smoothly as splines of 32 mm.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from benchmarks.operations import (
    CONTROL_SPACING,
    DEGREES,
    DISPLACEMENT,
    EXPONENT,
    FACTOR,
    SIGMA,
    STD,
)
from benchmarks.resamplers import Calls, scipy_calls, simpleitk_calls, sitk_threads

RADIANS = tuple(np.deg2rad(DEGREES).tolist())


def torchio_calls(image, label, spacing, threads) -> Calls:
    """TorchIO: transforms with given values, which do without a copy of the scan."""
    import torch
    import torchio as tio

    torch.set_num_threads(threads)
    sitk_threads(threads)
    scan, labels = torch.from_numpy(image[None]), torch.from_numpy(label[None])
    affine = np.diag([*spacing, 1.0])
    counts = [
        int((side - 1) * mm / CONTROL_SPACING) + 4
        for side, mm in zip(image.shape, spacing, strict=True)
    ]
    control = np.random.default_rng(1).uniform(-1, 1, (*counts, 3)) * DISPLACEMENT
    turn = tio.Affine((FACTOR,) * 3, DEGREES, (0, 0, 0), copy=False)
    bend = tio.ElasticDeformation(control, (DISPLACEMENT,) * 3, copy=False)
    blur = tio.Blur((SIGMA,) * 3, copy=False)
    noise = tio.Noise(0.0, STD, 1, copy=False)
    gamma = tio.Gamma(EXPONENT, copy=False)
    flip = tio.Flip((0,), copy=False)
    chain = tio.Compose([flip, turn, bend, blur, gamma, noise], copy=False)

    def call(transform):
        def run():
            subject = tio.Subject(
                image=tio.ScalarImage(tensor=scan, affine=affine),
                label=tio.LabelMap(tensor=labels, affine=affine),
            )
            moved = transform(subject)
            return moved["image"].numpy()[0], moved["label"].numpy()[0]

        return run

    return {
        "affine": call(turn),
        "elastic": call(bend),
        "blur": call(blur),
        "noise": call(noise),
        "chain": call(chain),
    }


def monai_calls(image, label, spacing, threads) -> Calls:
    """MONAI: dictionary transforms on tensors, one warp where it offers one."""
    import torch
    from monai import transforms

    torch.set_num_threads(threads)
    pair = {
        "image": torch.from_numpy(image[None]),
        "label": torch.from_numpy(label[None]),
    }
    keys, both = ("image", "label"), ("bilinear", "nearest")
    scale = (1 / FACTOR - 1,) * 3  # MONAI's grid scales the output's coordinates
    fixed = {
        "rotate_range": [(-angle, -angle) for angle in RADIANS],  # it pulls
        "scale_range": [(part, part) for part in scale],
        "mode": both,
        "padding_mode": "border",
        "prob": 1.0,
    }
    bend = {"sigma_range": (5, 7), "magnitude_range": (100, 150)}
    sigma = [SIGMA / side for side in spacing]
    still = {**fixed, "rotate_range": None, "scale_range": None}
    blur = transforms.GaussianSmooth(sigma)
    noise = transforms.RandGaussianNoise(prob=1.0, std=STD, sample_std=False)
    affine = transforms.RandAffined(keys, **fixed)
    elastic = transforms.Rand3DElasticd(keys, **bend, **still)
    chain = transforms.Compose(
        [
            transforms.RandFlipd(keys, prob=1.0, spatial_axis=0),
            transforms.Rand3DElasticd(keys, **bend, **fixed),
            transforms.GaussianSmoothd("image", sigma),
            transforms.AdjustContrastd("image", gamma=EXPONENT),
            transforms.RandGaussianNoised("image", prob=1.0, std=STD, sample_std=False),
        ]
    )
    return {
        "affine": lambda: affine(pair),
        "elastic": lambda: elastic(pair),
        "blur": lambda: blur(pair["image"]),
        "noise": lambda: noise(pair["image"]),
        "chain": lambda: chain(pair),
    }


def _batchgenerators_warp(image, *, bend: bool, turn: bool):
    """Build the one warp of batchgenerators, elastic, affine or both."""
    from batchgenerators.transforms.spatial_transforms import SpatialTransform

    angle_x, angle_y, angle_z = [(angle, angle) for angle in RADIANS]
    return SpatialTransform(
        image.shape,
        do_elastic_deform=bend,
        alpha=(450.0, 450.0),
        sigma=(9.0, 9.0),
        do_rotation=turn,
        angle_x=angle_x,
        angle_y=angle_y,
        angle_z=angle_z,
        do_scale=turn,
        scale=(FACTOR, FACTOR),
        border_mode_data="constant",
        border_cval_data=float(image.min()),
        border_mode_seg="constant",
        order_data=1,
        order_seg=0,
        random_crop=False,
        p_el_per_sample=1.0,
        p_rot_per_sample=1.0,
        p_scale_per_sample=1.0,
    )


def batchgenerators_calls(image, label, spacing, threads) -> Calls:
    """batchgenerators: nnU-Net's transforms, affine and elastic in one warp."""
    from batchgenerators.transforms import (
        abstract_transforms,
        color_transforms,
        noise_transforms,
        spatial_transforms,
    )

    spatial = partial(_batchgenerators_warp, image)
    scan, labels = image[None, None], label[None, None]

    def call(transform, *, in_place: bool = False):
        # Grey-value transforms write into the array that they are given.
        return lambda: transform(data=scan.copy() if in_place else scan, seg=labels)

    blur = noise_transforms.GaussianBlurTransform(
        (SIGMA, SIGMA), different_sigma_per_channel=False, p_per_sample=1.0
    )
    noise = noise_transforms.GaussianNoiseTransform((STD**2, STD**2), p_per_sample=1.0)
    chain = abstract_transforms.Compose(
        [
            spatial(bend=True, turn=True),
            spatial_transforms.MirrorTransform(axes=(0,)),
            blur,
            color_transforms.GammaTransform(
                (EXPONENT, EXPONENT), per_channel=True, retain_stats=False
            ),
            noise,
        ]
    )
    return {
        "affine": call(spatial(bend=False, turn=True)),
        "elastic": call(spatial(bend=True, turn=False)),
        "blur": call(blur, in_place=True),
        "noise": call(noise, in_place=True),
        "chain": call(chain),
    }


def volumentations_calls(image, label, spacing, threads) -> Calls:
    """volumentations-3D: a warp for each spatial transform; it has no blur.

    Its scaling changes the shape and wants a channel, so it is followed by a crop
    (`RandomScale2`, which would do without, raises a NameError in 1.0.4). Its gamma
    wants figures from 0 to 1, to which the image is brought beforehand.
    """
    import volumentations as v

    low, high = image.min(), image.max()
    unit, labels = ((image - low) / (high - low))[..., None], label[..., None]
    limits = {
        f"{axis}_limit": (angle, angle)
        for axis, angle in zip("xyz", DEGREES, strict=True)
    }
    # The share of a side that is the sigma of the smoothed field.
    share = 9.0 / image.shape[0]
    scale = v.RandomScale([FACTOR, FACTOR], p=1)
    turn = [v.Rotate(**limits, p=1), scale, v.CenterCrop(image.shape)]
    bend = v.ElasticTransform((share, share), p=1)
    noise = v.GaussianNoise(var_limit=(STD**2, STD**2), p=1)
    gamma = v.RandomGamma(gamma_limit=(round(100 * EXPONENT),) * 2, p=1)

    def call(transforms):
        chain = v.Compose(transforms, p=1.0)
        return lambda: chain(image=unit, mask=labels)

    return {
        "affine": call(turn),
        "elastic": call([bend]),
        "noise": call([noise]),
        "chain": call([v.Flip(0, p=1), *turn, bend, gamma, noise]),
    }


# The libraries that the ratio is taken against; the others only resample.
LIBRARIES = ("TorchIO", "MONAI", "batchgenerators", "volumentations")
ALL: dict[str, tuple[str, Callable[..., Calls]]] = {
    "TorchIO": ("torchio", torchio_calls),
    "MONAI": ("monai", monai_calls),
    "batchgenerators": ("batchgenerators", batchgenerators_calls),
    "volumentations": ("volumentations", volumentations_calls),
    "scipy": ("scipy", scipy_calls),
    "SimpleITK": ("SimpleITK", simpleitk_calls),
}


def available() -> dict[str, Callable[..., Calls]]:
    """Find the installed libraries, and print those that are missing."""
    found = {}
    for name, (package, make) in ALL.items():
        if importlib.util.find_spec(package) is None:
            print(f"{name} is not installed and left out (requirements-bench.txt)")
        else:
            found[name] = make
    return found


def arrays_of(result: object) -> list[np.ndarray]:
    """Extract the image, and the label map if any, from a library's result."""
    if isinstance(result, Mapping):
        names = ("image", "label") if "label" in result else ("image", "mask")
        names = ("data", "seg") if "data" in result else names
        result = tuple(result[name] for name in names)
    parts = result if isinstance(result, tuple) else (result,)
    return [np.asarray(part).squeeze() for part in parts if part is not None]


def check(image: np.ndarray, label: np.ndarray, name: str, result: object) -> None:
    """Check that a call changed the image, kept the shape, and added no label."""
    moved, *labels = arrays_of(result)
    assert moved.shape == image.shape, name
    assert np.isfinite(moved).all(), name
    assert np.abs(moved - image).mean() > 1e-3, name
    for found in labels:
        assert np.isin(np.unique(found), np.unique(label)).all(), name
