import numpy as np
import pytest

from augment.intensity import Contrast, Gamma
from augment.spatial import Rescaling, Rotation, Shift


@pytest.mark.parametrize("p", [0.0, 0.2, 1.0])
def test_transform_is_applied_as_often_as_its_probability(p):
    transform, rng, draws = Rotation(5, p=p), np.random.default_rng(0), 2000

    rate = sum(transform.draw(rng) is not None for _ in range(draws)) / draws

    # Four standard deviations of a binomial share.
    assert rate == pytest.approx(p, abs=4 * np.sqrt(p * (1 - p) / draws))


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_probability_outside_0_to_1_is_refused(p):
    with pytest.raises(ValueError, match=rf"of shift .*\[0, 1\]. Received: p={p}"):
        Shift(3, p=p)


@pytest.mark.parametrize("transform", [Rescaling, Gamma, Contrast])
@pytest.mark.parametrize(("low", "high"), [(0, 1), (-0.5, 1), (1.5, 0.7)])
def test_range_that_is_not_positive_and_in_order_is_refused(transform, low, high):
    with pytest.raises(ValueError, match=rf"in order. Received: low={low}, high="):
        transform(low, high)
