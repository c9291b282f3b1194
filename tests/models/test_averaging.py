import numpy as np
import pytest

from models.averaging import WeightAverage


class OneWeight:
    """Stands in for a model of one weight."""

    def __init__(self, weight):
        self.weights = [np.array([weight], np.float32)]

    def get_weights(self):
        return [value.copy() for value in self.weights]

    def set_weights(self, values):
        self.weights = [np.array(value) for value in values]


def test_average_soon_forgets_the_start_and_then_keeps_its_decay():
    model = OneWeight(0.0)
    average = WeightAverage(model, decay=0.2)

    model.set_weights([[11.0]])
    average.update()  # (1 + 1) / (10 + 1) kept, less than .2: 9 / 11 * 11
    assert average.values[0] == pytest.approx(9.0, rel=1e-6)

    model.set_weights([[19.0]])
    average.update()  # .2 kept, less than 3 / 12: .2 * 9 + .8 * 19
    assert average.values[0] == pytest.approx(17.0, rel=1e-6)


def test_average_is_in_place_for_a_while_even_if_that_fails():
    model = OneWeight(5.0)
    average = WeightAverage(model, decay=0.9)
    model.set_weights([[8.0]])

    with average.swapped_in():
        assert model.weights[0] == 5
    assert model.weights[0] == 8
    with pytest.raises(OSError, match="disk"), average.swapped_in():
        raise OSError("disk")
    assert model.weights[0] == 8
