from dataclasses import asdict

import numpy as np
import pytest

from volumes.traits import QUANTILES, find_ranges, measure_traits, parse_ranges


def scan(spread=1.0, label=(slice(1, 3), slice(2, 5), slice(3, 7)), **changed):
    """Measure a scan of 4 x 8 x 10 voxels of 5 x 2 x 3 mm, with a labelled box."""
    classes = np.zeros((4, 8, 10), np.uint8)
    classes[label] = 2
    arguments = {
        "voxels": np.linspace(-spread, spread, 101),
        "labelled": np.array([0.25, 0.75]),
        "spacing": (5.0, 2.0, 3.0),
        "scan_spacing": (2.0, 3.0, 4.0),
        "is_hounsfield": False,
    }
    return measure_traits(classes=classes, **arguments | changed)


def test_traits_are_in_mm_and_ml():
    traits = scan()

    quantiles = traits.pop("quantiles")
    np.testing.assert_allclose(quantiles, [q / 50 - 1 for q in QUANTILES])
    assert traits == {
        "hounsfield": False,
        "spacing": 4.0,
        "field_width": 20.0,
        "field_depth": 16.0,
        "field_height": 30.0,
        "volume": pytest.approx(2 * 3 * 4 * 0.03),
        "side_width": 10.0,
        "side_depth": 6.0,
        "side_height": 12.0,
        "brightness": 0.5,
    }


def test_few_voxels_far_away_do_not_count_as_a_side():
    classes = np.zeros((4, 8, 100), np.uint8)
    classes[:, :, 40:60] = 1
    classes[0, 0, [0, 99]] = 1  # 2 of 642

    found = measure_traits(
        np.zeros(9), np.zeros(2), classes, (1, 1, 1), (1, 1, 1), is_hounsfield=None
    )

    assert found["side_height"] == 20


def test_empty_prediction_has_a_volume_of_zero_and_no_sides():
    traits = scan(label=(slice(0, 0),) * 3, labelled=np.zeros(0))

    assert traits["volume"] == 0
    assert "side_width" not in traits
    assert "brightness" not in traits
    assert find_ranges([scan()]).describe(traits) == ""


def test_scan_like_the_training_scans_is_like_them():
    ranges = find_ranges([scan(), scan(1.4)])

    assert ranges.num_scans == 2
    assert ranges.ranges["spacing"] == (4.0, 4.0)
    # The mean of 1 and 1.4 is 1.2; quantiles of .1 to .9 have a mean of .5.
    assert ranges.ranges["intensity"] == pytest.approx((0.1, 0.1))
    assert ranges.describe(scan(1.2)) == ""
    assert ranges.describe(scan(2)) == ""  # .4 is below 2.5 times .1 and .2
    assert ranges.describe(scan(scan_spacing=(0.5, 0.5, 0.5))) == ""  # finer


DEEPER = (slice(1, 3), slice(0, 5), slice(3, 7))
# As deep in mm as the box of `scan` where voxels are about 4 or 1 mm deep.
ONE_DEEP = (slice(1, 3), slice(2, 3), slice(3, 7))
SIX_DEEP = (slice(1, 3), slice(2, 8), slice(3, 7))
SCAN = "the scan is unlike the 2 training scans: "
PREDICTION = "the prediction is unlike the labels of the 2 training scans: "


@pytest.mark.parametrize(
    ("changed", "shown"),
    [
        (
            {"spread": 2.2},
            f"{SCAN}its intensities are distributed unlike theirs (distance "
            "0.5, in training at most 0.1); for another contrast, fine-tune with "
            "train.py --weights, or train with --contrast-curves if that was 0",
        ),
        (
            {"scan_spacing": (1, 1, 9)},
            f"{SCAN}coarsest spacing 9 mm (in training 4 to 4)",
        ),
        ({"is_hounsfield": True}, f"{SCAN}it looks like CT (in training no scan does)"),
        ({"labelled": np.array([1.1])}, f"{PREDICTION}mean intensity 1.1 (in"),
        (
            {"spacing": (5, 4.1, 3), "label": ONE_DEEP},
            f"{SCAN}depth of the scan 32.8 mm (in training 16 to 16)",
        ),
        (
            {"spacing": (5, 0.9, 3), "label": SIX_DEEP},
            f"{SCAN}depth of the scan 7.2 mm (in training 16 to 16)",
        ),
        (
            {"label": DEEPER},
            f"{PREDICTION}depth 10 mm (in training 6 to 6); the network may be "
            "undertrained or the scan unlike those of the training",
        ),
    ],
)
def test_scan_unlike_the_training_scans_is_described(changed, shown):
    found = find_ranges([scan(), scan(1.4)]).describe(scan(**changed))

    assert found.startswith(shown)
    assert found.count("in training") == 1


def test_volume_may_be_a_third_of_those_of_the_training():
    ranges = find_ranges([scan()] * 2)  # 24 voxels of 30 mm3

    third = scan(label=(slice(1, 3), slice(2, 3), slice(3, 7)))
    quarter = scan(label=(slice(1, 3), slice(2, 5), slice(3, 4)))

    assert "volume" not in ranges.describe(third)
    assert f"{PREDICTION}volume 0.2 ml (in" in ranges.describe(quarter)
    large = scan(label=(slice(1, 3),) * 3) | {"volume": 1545.6}
    assert "volume 1545.6 ml (in training 0.7 to 0.7)" in ranges.describe(large)


def test_scan_and_prediction_are_told_apart():
    found = find_ranges([scan()] * 2).describe(
        scan(scan_spacing=(1, 1, 9), label=DEEPER)
    )

    assert found.startswith(f"{SCAN}coarsest spacing 9 mm (in training 4 to 4); ")
    assert f"; {PREDICTION}depth 10 mm" in found


@pytest.mark.parametrize(("depth", "label"), [(4, ONE_DEEP), (1, SIX_DEEP)])
def test_scan_up_to_twice_or_half_as_large_is_like_the_others(depth, label):
    ranges = find_ranges([scan(), scan(1.4)])

    assert ranges.describe(scan(spacing=(5, depth, 3), label=label)) == ""


def test_kind_of_intensity_is_compared_only_where_all_training_scans_tell():
    ct = find_ranges([scan(is_hounsfield=True)] * 2)
    mixed = find_ranges([scan(is_hounsfield=True), scan()])
    unknown = find_ranges([scan(is_hounsfield=None), scan()])

    assert ct.describe(scan()).endswith(
        "scans: it does not look like CT (in training all scans do)"
    )
    assert ct.describe(scan(is_hounsfield=True)) == ""
    for ranges in (mixed, unknown):
        assert ranges.describe(scan(is_hounsfield=True)) == ""
        assert ranges.describe(scan()) == ""


def test_ranges_survive_json_and_damaged_ones_are_refused():
    ranges = find_ranges([scan(), scan(1.4)])
    found = asdict(ranges)

    assert find_ranges([]) is None
    assert parse_ranges(found) == ranges
    for changed in (
        {"ranges": {"spacing": [1]}},
        {"ranges": {"weight": [1, 2]}},
        {"ranges": [1]},
        {"quantiles": [1.0]},
        {"quantiles": [float("nan")] * len(QUANTILES)},
        {"num_scans": 0},
        {"num_hounsfield": "all"},
    ):
        with pytest.raises(ValueError, match=r"valid ranges|unpack"):
            parse_ranges(found | changed)
    with pytest.raises(ValueError, match="no valid ranges"):
        parse_ranges([])
