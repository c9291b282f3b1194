import numpy as np
import pytest
import SimpleITK
from scipy.spatial.transform import Rotation
from support.itk import (
    GRIDS,
    check_against_itk,
    itk_affine,
    itk_spline,
    make_scan,
)

from augment.compose import coordinate_map, replay
from volumes.geometry import canonical_grid
from volumes.resample import CoordinateMap, resample

TURNED = Rotation.from_euler("xyz", [-8, 5, 12], degrees=True).as_matrix() / 1.1
SHIFT = np.array([1.7, -2.3, 0.9])
DRAWN = {
    "rescaling": [1.15, 0.9, 1.05],
    "rotation": [8.0, -6.0, 11.0],
    "shift": [1.5, -0.7, 2.0],
    "flip": True,
}
BENT = {"displacement": 2.3, "control_spacing": 6.0, "seed": 3}


def composite(*transforms):
    """Chain SimpleITK's transforms; a point goes through the last one first."""
    chain = SimpleITK.CompositeTransform(3)
    for transform in transforms:
        chain.AddTransform(transform)
    return chain


def pulled_back(target, drawn):
    """Build the chain of `DRAWN` from SimpleITK's own inverses."""
    forward = [
        itk_affine(target, np.diag(drawn["rescaling"])),
        itk_affine(
            target,
            Rotation.from_euler("xyz", drawn["rotation"], degrees=True).as_matrix(),
        ),
        itk_affine(target, np.eye(3), drawn["shift"]),
        itk_affine(target, np.diag([-1.0, 1.0, 1.0])),
    ]
    return composite(*(transform.GetInverse() for transform in forward))


@pytest.mark.parametrize(
    ("matrix", "shift"),
    [(np.eye(3), np.zeros(3)), (TURNED, np.zeros(3)), (TURNED, SHIFT)],
    ids=["straight", "turned", "turned and shifted"],
)
@pytest.mark.parametrize("name", GRIDS)
def test_image_and_labels_equal_simpleitk(name, matrix, shift):
    source, spacing, shape = GRIDS[name]
    target = canonical_grid(source, spacing, shape)
    image, label = make_scan(source)
    through = CoordinateMap(np.column_stack([matrix, shift]))

    found = resample(image, label, source, target, background=-950.0, through=through)

    expected = itk_affine(target, matrix, shift)
    check_against_itk(found, (image, label), source, target, expected, -950.0)


@pytest.mark.parametrize("name", GRIDS)
def test_drawn_chain_equals_simpleitk_s_transforms_one_after_the_other(name):
    source, spacing, shape = GRIDS[name]
    target = canonical_grid(source, spacing, shape)
    image, label = make_scan(source)

    found = replay(DRAWN, image, label, source=source, target=target)

    # Without an intensity the image's own darkest value lies outside.
    expected, background = pulled_back(target, DRAWN), float(image.min())
    check_against_itk(found, (image, label), source, target, expected, background)


@pytest.mark.parametrize("name", GRIDS)
def test_bent_chain_equals_simpleitk_s_spline_and_transforms(name):
    source, spacing, shape = GRIDS[name]
    target = canonical_grid(source, spacing, shape)
    image, label = make_scan(source)
    drawn = {**DRAWN, "elastic": BENT}

    found = replay(drawn, image, label, source=source, target=target)

    values = coordinate_map(drawn, target.shape, target.spacing).control.values
    assert np.abs(values).max() > 2
    spline = itk_spline(target, values, BENT["control_spacing"])
    expected = composite(pulled_back(target, drawn), spline)
    background = float(image.min())
    check_against_itk(found, (image, label), source, target, expected, background)
