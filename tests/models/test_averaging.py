import keras
import numpy as np
import pytest

from models.averaging import WeightAverage


def one_weight(value):
    """Build a model of one weight."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.set_weights([np.full((1, 1), value)])
    return model


def test_average_of_an_earlier_run_is_restored():
    average = WeightAverage(one_weight(3.0))

    average.restore([np.array([[5.0]], np.float32)], 7)

    assert average.values[0] == 5
    assert average.next_share() == np.float32(1 - 9 / 18)  # (1 + 8) / (10 + 8) kept


def test_average_soon_forgets_the_start_and_then_keeps_its_decay():
    model = one_weight(0.0)
    average = WeightAverage(model, decay=0.2)

    model.set_weights([np.full((1, 1), 11.0)])
    average.update(
        average.next_share()
    )  # (1 + 1) / (10 + 1) kept, less than .2: 9 / 11 * 11
    assert average.values[0] == pytest.approx(9.0, rel=1e-6)

    model.set_weights([np.full((1, 1), 19.0)])
    average.update(average.next_share())  # .2 kept, less than 3 / 12: .2 * 9 + .8 * 19
    assert average.values[0] == pytest.approx(17.0, rel=1e-6)


def test_average_is_in_place_for_a_while_even_if_that_fails():
    model = one_weight(5.0)
    average = WeightAverage(model, decay=0.9)
    model.set_weights([np.full((1, 1), 8.0)])

    with average.swapped_in():
        assert model.get_weights()[0] == 5
    assert model.get_weights()[0] == 8
    with pytest.raises(OSError, match="disk"), average.swapped_in():
        raise OSError("disk")
    assert model.get_weights()[0] == 8
