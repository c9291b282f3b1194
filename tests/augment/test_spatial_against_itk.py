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

DRAWN = {
    "rescaling": [1.15, 0.9, 1.05],
    "rotation": [8.0, -6.0, 11.0],
    "shift": [1.5, -0.7, 2.0],
    "flip": True,
}
ELASTIC = {"displacement": 2.3, "control_spacing": 6.0, "seed": 3}


def composite(*transforms):
    """Chain SimpleITK's transforms; the last one is applied to a point first."""
    chain = SimpleITK.CompositeTransform(3)
    for transform in transforms:
        chain.AddTransform(transform)
    return chain


def output_to_input(target, drawn):
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


@pytest.mark.parametrize("name", GRIDS)
def test_drawn_chain_equals_simpleitk_s_transforms_one_after_the_other(name):
    source, spacing, shape = GRIDS[name]
    target = canonical_grid(source, spacing, shape)
    image, label = make_scan(source)

    found = replay(DRAWN, image, label, source=source, target=target)

    # Without a normalisation, the image's own minimum lies outside.
    expected, background = output_to_input(target, DRAWN), float(image.min())
    check_against_itk(found, (image, label), source, target, expected, background)


@pytest.mark.parametrize("name", GRIDS)
def test_elastic_chain_equals_simpleitk_s_spline_and_transforms(name):
    source, spacing, shape = GRIDS[name]
    target = canonical_grid(source, spacing, shape)
    image, label = make_scan(source)
    drawn = {**DRAWN, "elastic": ELASTIC}

    found = replay(drawn, image, label, source=source, target=target)

    values = coordinate_map(drawn, target.shape, target.spacing).control.values
    assert np.abs(values).max() > 2
    spline = itk_spline(target, values, ELASTIC["control_spacing"])
    expected = composite(output_to_input(target, drawn), spline)
    background = float(image.min())
    check_against_itk(found, (image, label), source, target, expected, background)
