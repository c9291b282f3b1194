import json
from itertools import permutations

import numpy as np
import pytest

from augment.compose import Compose, compose_default, generator_for
from augment.intensity import Gamma
from augment.spatial import Elastic, Flip, Rescaling, Rotation

SHAPE, SPACING = (6, 9, 11), (4.0, 0.7, 1.3)


def rng(seed=0):
    return np.random.default_rng(seed)


def test_first_transform_of_a_chain_acts_first():
    chain = Compose([Rescaling(1, 2), Rotation(90), Flip(1)])
    drawn = {"rescaling": [2.0] * 3, "rotation": [90.0, 0.0, 0.0], "flip": True}

    linear = chain.coordinate_map(drawn, SHAPE, SPACING).linear

    # (1, 2, 3) doubled is (2, 4, 6); turned about right (2, -6, 4); mirrored
    # (-2, -6, 4): that point reads (1, 2, 3).
    np.testing.assert_allclose(linear @ (-2, -6, 4), (1, 2, 3), atol=1e-12)


def test_order_of_the_chain_matters_where_it_should():
    drawn = {"rotation": [0.0, 0.0, 90.0], "flip": True}
    maps = [
        Compose(chain).coordinate_map(drawn, SHAPE, SPACING).linear
        for chain in permutations([Rotation(90), Flip(1)])
    ]

    assert np.abs(maps[0] - maps[1]).max() > 1


def test_chain_without_elastic_has_no_control_grid():
    chain = Compose([Flip(0.2), Gamma(0.7, 1.5)])
    assert chain.coordinate_map(chain.draw(rng()), SHAPE, SPACING).control is None

    chain = Compose([Flip(0.2), Elastic(6), Gamma(0.7, 1.5)])
    assert chain.coordinate_map(chain.draw(rng()), SHAPE, SPACING).control is not None


def test_elastic_must_be_the_last_spatial_transform_and_alone():
    with pytest.raises(ValueError, match=r"after the other spatial.*\['elastic', 'fl"):
        Compose([Elastic(6), Flip(0.2)])
    with pytest.raises(ValueError, match="One elastic transform"):
        Compose([Elastic(6), Elastic(6)])


def test_default_chain_has_every_transform_and_none_leaves_one_out():
    def names(chain):
        return [transform.name for transform in chain.transforms]

    everything = ["flip", "rescaling", "rotation", "elastic", "blur", "gamma", "noise"]
    assert names(compose_default()) == everything
    assert names(compose_default(elastic=None, blur=None)) == [
        *("flip", "rescaling", "rotation", "gamma", "noise")
    ]
    nothing = compose_default(**dict.fromkeys(everything))
    assert nothing.draw(rng()) == {}
    np.testing.assert_array_equal(
        nothing.coordinate_map({}, SHAPE, SPACING).linear, np.eye(3)
    )


def test_draw_survives_json_and_gives_the_same_image_and_map():
    chain = compose_default()
    drawn = chain.draw(rng(5))
    again = json.loads(json.dumps(drawn))
    image = rng(1).standard_normal(SHAPE, dtype=np.float32)

    assert again == drawn
    first, second = (chain.coordinate_map(d, SHAPE, SPACING) for d in (drawn, again))
    np.testing.assert_array_equal(first.linear, second.linear)
    np.testing.assert_array_equal(first.control.values, second.control.values)
    np.testing.assert_array_equal(
        chain.apply_grey(image, drawn, SPACING), chain.apply_grey(image, again, SPACING)
    )


def test_same_seed_draws_the_same_and_another_does_not():
    chain = compose_default()

    assert chain.draw(rng(3)) == chain.draw(rng(3))
    assert chain.draw(rng(3)) != chain.draw(rng(4))


def test_generator_belongs_to_seed_case_and_copy_whatever_came_before():
    keys = [(0, "ann", 1), (0, "ann", 2), (0, "ben", 1), (1, "ann", 1), (0, "ann1", 1)]
    first = [generator_for(*key).random() for key in keys]

    backwards = [generator_for(*key).random() for key in reversed(keys)]

    assert first == backwards[::-1]
    assert len(set(first)) == len(keys)
