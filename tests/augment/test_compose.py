import numpy as np
import pytest

from augment.compose import (
    Compose,
    apply_intensity,
    compose_default,
    coordinate_map,
    generator_for,
)
from augment.intensity import Brightness, Gamma, GaussianBlur, GaussianNoise
from augment.spatial import Elastic, Flip, Rescaling, Rotation, Shift

SHAPE, SPACING = (6, 9, 11), (4.0, 0.7, 1.3)
DEFAULT = ["flip", "rescaling", "rotation", "elastic", "blur", "gamma", "noise"]


def rng(seed=0):
    return np.random.default_rng(seed)


def test_second_and_third_of_a_kind_are_numbered_in_the_order_of_the_chain():
    chain = Compose([Rotation(5), Shift(3), Rotation(30), Gamma(0.7, 1.5), Rotation(5)])

    drawn = chain.draw(rng())

    assert list(drawn) == ["rotation", "shift", "rotation_2", "gamma", "rotation_3"]
    assert np.abs(drawn["rotation"]).max() <= 5 < np.abs(drawn["rotation_2"]).max()


def test_every_entry_of_a_kind_acts():
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


@pytest.mark.parametrize("p", [0.0, 0.2, 1.0])
def test_transform_is_drawn_as_often_as_its_probability(p):
    chain, random, draws = Compose([Rotation(5, p=p)]), rng(), 2000

    rate = sum(chain.draw(random)["rotation"] is not None for _ in range(draws)) / draws

    # Four standard deviations of a binomial share.
    assert rate == pytest.approx(p, abs=4 * np.sqrt(p * (1 - p) / draws))


def test_transforms_of_a_chain_are_left_out_independently_of_each_other():
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


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_what_is_no_probability_is_refused(p):
    with pytest.raises(ValueError, match=rf"in \[0, 1\]. Received: p={p}"):
        Shift(3, p=p)


@pytest.mark.parametrize("key", ["zoom", "rotation2", "_2", "rotation_2_3", ""])
def test_drawn_values_of_an_unknown_transform_are_refused(key):
    drawn = {"shift": [0.0, 0.0, 1.0], key: [1.0, 2.0, 3.0]}

    with pytest.raises(ValueError, match=rf"of flip, .*rician_noise. Received: {key}"):
        coordinate_map(drawn, SHAPE, SPACING)


def test_elastic_must_be_the_last_spatial_transform_and_alone():
    with pytest.raises(ValueError, match=r"after the other spatial.*\['elastic', 'fl"):
        Compose([Elastic(6), Flip(0.2)])
    with pytest.raises(ValueError, match="may hold one elastic transform"):
        Compose([Elastic(6), Elastic(6)])
    # Grey values come after all spatial transforms, wherever they stand.
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
    assert names(compose_default(elastic=None, blur=None)) == [
        *("flip", "rescaling", "rotation", "gamma", "noise")
    ]
    nothing = compose_default(**dict.fromkeys(DEFAULT))
    assert nothing.draw(rng()) == {}
    np.testing.assert_array_equal(
        coordinate_map({}, SHAPE, SPACING).output_to_input, np.eye(3, 4)
    )


def test_default_chain_takes_every_transform_in_the_order_of_acting():
    chain = compose_default(
        shift=5.0,
        low_resolution=3.0,
        brightness=0.2,
        contrast=(0.8, 1.2),
        bias_field=0.3,
        rician_noise=0.1,
    )

    assert [transform.name for transform in chain.transforms] == [
        *("flip", "rescaling", "rotation", "shift", "elastic"),
        *("blur", "low_resolution", "gamma", "brightness", "contrast"),
        *("bias_field", "noise", "rician_noise"),
    ]
    shift, contrast = chain.transforms[3], chain.transforms[9]
    assert shift.distance == 5
    assert (contrast.low, contrast.high) == (0.8, 1.2)


def test_grey_transforms_act_in_the_order_of_the_chain():
    image = np.array([0, 1, 2], np.float32).reshape(1, 1, 3)
    brighter, bent = ("brightness", 2.0), ("contrast", 3.0)

    first = apply_intensity(image, dict([brighter, bent]), SPACING)
    squeezed = apply_intensity(image, {"contrast": 3.0, "gamma": 2.0}, SPACING)
    bent_first = apply_intensity(image, {"gamma": 2.0, "contrast": 3.0}, SPACING)

    # 2, 3, 4 about their mean 3 are 0, 3, 6.
    np.testing.assert_allclose(first.ravel(), (0, 3, 6), atol=1e-6)
    # -2, 1, 4: the middle is half of the range, squared a quarter: -0.5.
    np.testing.assert_allclose(squeezed.ravel(), (-2, -0.5, 4), atol=1e-6)
    # 0, 0.5, 2 about their mean 5/6: -5/3, -1/6, 13/3.
    np.testing.assert_allclose(bent_first.ravel(), (-5 / 3, -1 / 6, 13 / 3), atol=1e-6)


def test_same_seed_draws_the_same_and_another_does_not():
    chain = Compose([Rotation(9), Rescaling(0.5, 2), Elastic(6), Brightness(1)])

    assert chain.draw(rng(3)) == chain.draw(rng(3))
    assert chain.draw(rng(3)) != chain.draw(rng(4))


def test_generator_belongs_to_seed_case_and_copy_whatever_came_before():
    keys = [(0, "ann", 1), (0, "ann", 2), (0, "ben", 1), (1, "ann", 1), (0, "ann1", 1)]
    first = [generator_for(*key).random() for key in keys]

    backwards = [generator_for(*key).random() for key in reversed(keys)]

    assert first == backwards[::-1]
    assert len(set(first)) == len(keys)
