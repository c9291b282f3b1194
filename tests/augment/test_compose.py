from itertools import permutations

import numpy as np
import pytest

from augment.compose import (
    Compose,
    apply_intensity,
    compose_default,
    compose_of,
    coordinate_map,
    generator_for,
)
from augment.intensity import Brightness, Gamma, GaussianBlur, GaussianNoise
from augment.spatial import Elastic, Flip, Rescaling, Rotation, Shift

SHAPE, SPACING = (6, 9, 11), (4.0, 0.7, 1.3)
DEFAULT = ["flip", "rescaling", "rotation", "elastic", "blur", "gamma", "noise"]


def rng(seed=0):
    return np.random.default_rng(seed)


def test_repeated_transforms_are_numbered_in_the_order_of_the_chain():
    chain = Compose([Rotation(5), Shift(3), Rotation(30), Gamma(0.7, 1.5), Rotation(5)])

    drawn = chain.draw(rng())

    assert list(drawn) == ["rotation", "shift", "rotation_2", "gamma", "rotation_3"]
    assert np.abs(drawn["rotation"]).max() <= 5 < np.abs(drawn["rotation_2"]).max()


def test_repeated_transforms_are_all_applied():
    twice = {"shift": [1.0, 2.0, -3.0], "shift_2": [0.5, -4.0, 1.0]}
    image = np.full(SHAPE, 2, np.float32)

    output_to_input = coordinate_map(twice, SHAPE, SPACING).output_to_input
    brighter = apply_intensity(
        image, {"brightness": 0.25, "brightness_2": 1.5}, SPACING
    )

    # What lies at (1.5, -2, -2) lay at the centre.
    np.testing.assert_allclose(
        output_to_input @ (1.5, -2, -2, 1), (0, 0, 0), atol=1e-12
    )
    assert (brighter == 3.75).all()


def test_transforms_of_a_chain_are_left_out_independently():
    chain, random, draws = Compose([Shift(5, p=0.2), Gamma(1, 2, p=0.3)]), rng(), 4000

    drawn = [chain.draw(random) for _ in range(draws)]

    both = np.mean([None not in values.values() for values in drawn])
    # 0.2 * 0.3, four deviations of a share of 4000.
    assert both == pytest.approx(0.06, abs=4 * np.sqrt(0.06 * 0.94 / draws))


def test_transform_that_was_left_out_changes_nothing():
    image = rng().standard_normal(SHAPE, dtype=np.float32)
    drawn = {"flip": None, "elastic": None, "blur": None, "noise": None}

    through = coordinate_map(drawn, SHAPE, SPACING)

    np.testing.assert_array_equal(through.output_to_input, np.eye(3, 4))
    assert through.control is None
    np.testing.assert_array_equal(apply_intensity(image, drawn, SPACING), image)


@pytest.mark.parametrize(
    "key", ["zoom", "rotatoin", "rotation2", "_2", "rotation_2_3", ""]
)
def test_drawn_parameters_of_an_unknown_transform_are_refused(key):
    drawn = {"shift": [0.0, 0.0, 1.0], key: [1.0, 2.0, 3.0]}

    with pytest.raises(ValueError, match=rf"of flip, .*rician_noise. Received: {key}"):
        coordinate_map(drawn, SHAPE, SPACING)


def test_elastic_must_be_the_last_spatial_transform_and_alone():
    with pytest.raises(ValueError, match=r"after the other spatial.*\['elastic', 'fl"):
        Compose([Elastic(6), Flip(0.2)])
    with pytest.raises(ValueError, match="may hold one elastic transform"):
        Compose([Elastic(6), Elastic(6)])
    # Intensity transforms may stand anywhere, as they are applied last.
    Compose([GaussianNoise(0.1), Elastic(6), GaussianBlur(1)])


def test_chain_without_elastic_has_no_control_grid():
    chain = Compose([Flip(0.2), Gamma(0.7, 1.5)])
    assert coordinate_map(chain.draw(rng()), SHAPE, SPACING).control is None

    chain = Compose([Flip(0.2), Elastic(6), Gamma(0.7, 1.5)])
    assert coordinate_map(chain.draw(rng()), SHAPE, SPACING).control is not None


def test_default_chain_has_its_transforms_and_none_leaves_one_out():
    def names(chain):
        return [transform.name for transform in chain.transforms]

    assert names(compose_default()) == DEFAULT
    without = names(compose_default(elastic=None, blur=None))
    assert without == ["flip", "rescaling", "rotation", "gamma", "noise"]
    nothing = compose_default(**dict.fromkeys(DEFAULT))
    assert nothing.draw(rng()) == {}
    np.testing.assert_array_equal(
        coordinate_map({}, SHAPE, SPACING).output_to_input, np.eye(3, 4)
    )


def test_default_chain_takes_every_transform_in_the_order_of_application():
    chain = compose_default(
        shift=5.0,
        low_resolution=3.0,
        brightness=0.2,
        contrast=(0.8, 1.2),
        bias_field=0.3,
        rician_noise=0.1,
    )

    assert [transform.name for transform in chain.transforms] == [
        "flip",
        "rescaling",
        "rotation",
        "shift",
        "elastic",
        "blur",
        "low_resolution",
        "gamma",
        "brightness",
        "contrast",
        "bias_field",
        "noise",
        "rician_noise",
    ]
    shift, contrast = chain.transforms[3], chain.transforms[9]
    assert shift.distance == 5
    assert (contrast.low, contrast.high) == (0.8, 1.2)


def test_intensity_transforms_are_applied_in_the_order_of_the_chain():
    image = np.array([0, 1, 2], np.float32).reshape(1, 1, 3)
    brightness, contrast = ("brightness", 2.0), ("contrast", 3.0)

    contrast_last = apply_intensity(image, dict([brightness, contrast]), SPACING)
    gamma_last = apply_intensity(image, {"contrast": 3.0, "gamma": 2.0}, SPACING)
    gamma_first = apply_intensity(image, {"gamma": 2.0, "contrast": 3.0}, SPACING)

    # 2, 3, 4 about their mean 3 are 0, 3, 6.
    np.testing.assert_allclose(contrast_last.ravel(), (0, 3, 6), atol=1e-6)
    # -2, 1, 4: the middle is half of the range, squared a quarter: -0.5.
    np.testing.assert_allclose(gamma_last.ravel(), (-2, -0.5, 4), atol=1e-6)
    # 0, 0.5, 2 about their mean 5/6: -5/3, -1/6, 13/3.
    np.testing.assert_allclose(gamma_first.ravel(), (-5 / 3, -1 / 6, 13 / 3), atol=1e-6)


def test_same_seed_draws_the_same_and_another_does_not():
    chain = Compose([Rotation(9), Rescaling(0.5, 2), Elastic(6), Brightness(1)])

    assert chain.draw(rng(3)) == chain.draw(rng(3))
    assert chain.draw(rng(3)) != chain.draw(rng(4))


def test_generator_depends_on_seed_case_and_copy_alone():
    keys = [(0, "ann", 1), (0, "ann", 2), (0, "ben", 1), (1, "ann", 1), (0, "ann1", 1)]
    first = [generator_for(*key).random() for key in keys]

    backwards = [generator_for(*key).random() for key in reversed(keys)]

    assert first == backwards[::-1]
    assert len(set(first)) == len(keys)


def test_flag_that_does_not_exist_is_refused():
    with pytest.raises(TypeError, match=r"among flip, .*rician_noise. Received: zoom"):
        compose_default(rotation=3.0, zoom=2.0)


def test_chain_of_a_cube_is_rebuilt_from_its_arguments():
    arguments = {"seed": 3, "rotation": 30.0, "gamma": [0.5, 2.0], "elastic": None}

    chain = {
        transform.name: transform for transform in compose_of(arguments).transforms
    }

    assert list(chain) == ["flip", "rescaling", "rotation", "blur", "gamma", "noise"]
    assert chain["rotation"].degrees == 30
    assert (chain["gamma"].low, chain["gamma"].high) == (0.5, 2)


def test_first_transform_of_a_chain_is_applied_first():
    drawn = {"rescaling": [2.0] * 3, "rotation": [90.0, 0.0, 0.0], "flip": True}

    output_to_input = coordinate_map(drawn, SHAPE, SPACING).output_to_input

    # (1, 2, 3) doubled is (2, 4, 6); rotated about right (2, -6, 4); mirrored
    # (-2, -6, 4): that output point maps back to (1, 2, 3).
    np.testing.assert_allclose(output_to_input @ (-2, -6, 4, 1), (1, 2, 3), atol=1e-12)


def test_shift_is_rotated_by_what_follows_it_and_not_by_what_precedes_it():
    shift, rotation = ("shift", [5.0, 0.0, 2.0]), ("rotation", [0.0, 0.0, 90.0])

    before = coordinate_map(dict([shift, rotation]), SHAPE, SPACING).output_to_input
    after = coordinate_map(dict([rotation, shift]), SHAPE, SPACING).output_to_input

    # About superior, right goes to anterior. (1, 2, 3) shifted is (6, 2, 5), then
    # rotated (-2, 6, 5); rotated first it is (-2, 1, 3), then shifted (3, 1, 5).
    np.testing.assert_allclose(before @ (-2, 6, 5, 1), (1, 2, 3), atol=1e-12)
    np.testing.assert_allclose(after @ (3, 1, 5, 1), (1, 2, 3), atol=1e-12)


def test_rotation_and_flip_do_not_commute():
    drawn = [("rotation", [0.0, 0.0, 90.0]), ("flip", True)]
    matrices = [
        coordinate_map(dict(order), SHAPE, SPACING).output_to_input
        for order in permutations(drawn)
    ]

    assert np.abs(matrices[0] - matrices[1]).max() > 1


def test_chain_without_a_name_keeps_all_others_in_order():
    chain = Compose([Flip(0.5), Rotation(3), Flip(0.2), Shift(4)]).without("flip")

    assert [each.name for each in chain.transforms] == ["rotation", "shift"]
