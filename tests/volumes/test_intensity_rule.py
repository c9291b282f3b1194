import json

import numpy as np
import pytest

from volumes.intensity_rule import (
    IntensityProfile,
    describe_misfit,
    describe_saturation,
    describe_span,
    describe_unit,
    find_disagreements,
    measure_profile,
    settle_intensity,
)

WINDOW = ("window", -200.0, 1000.0)
# 10 planes of 100 voxels, so that a plane is a tenth of the scan.
SHAPE = (10, 10, 10)


def make_ct(*, air=False, padding=None):
    """Return soft tissue of 40 HU, a tenth bone of 400 HU, both with noise."""
    rng = np.random.default_rng(0)
    image = rng.normal(40, 30, SHAPE)
    image[0] = rng.normal(400, 60, SHAPE[1:])
    if air:
        image[1:4] = -1000
    if padding is not None:
        image[7:] = padding
    return image


def make_mr():
    return np.random.default_rng(0).normal(300, 60, SHAPE).clip(0)


def profile(kind, low=0, high=900):
    return IntensityProfile(low, 200, high, 0.1 if kind == "air" else 0, kind)


def named(*kinds):
    return {f"c{number}": profile(kind) for number, kind in enumerate(kinds, start=1)}


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32, np.float64])
@pytest.mark.parametrize(
    ("image", "kind"),
    [
        (make_ct(air=True), "air"),
        (make_ct(), "cropped"),
        (make_ct() + 1024, ""),  # no air: it can be MR as well
        (make_ct(air=True) + 1024, "offset"),
        (make_mr(), ""),
        (make_mr() - 32767, ""),
        (np.zeros(SHAPE), ""),
        (np.full(SHAPE, -1000), ""),  # air alone shows nothing
    ],
    ids=["air", "cropped", "offset, cropped", "offset", "MR", "MR - 32767", "0", "air"],
)
def test_unit_is_told_by_the_voxels_in_any_type(image, kind, dtype):
    assert measure_profile(image.astype(dtype)).kind == kind


@pytest.mark.parametrize("padding", [-1024, -2000, -3024, -32768])
@pytest.mark.parametrize(("air", "kind"), [(True, "air"), (False, "cropped")])
def test_padding_is_set_aside(padding, air, kind):
    image = make_ct(air=air, padding=padding)
    if padding == -1024:  # is air itself
        kind = "air"

    assert measure_profile(image).kind == kind


def test_share_of_air_is_of_the_voxels_without_padding():
    # 3 planes of air, 3 of padding, 4 of tissue.
    found = measure_profile(make_ct(air=True, padding=-3024))

    assert found.air == pytest.approx(3 / 7, abs=1e-4)
    assert (found.low, found.median) == (-3024, -1000)


@pytest.mark.parametrize(
    "image",
    [
        np.random.default_rng(0).uniform(-32767, 32767, SHAPE),
        np.random.default_rng(0).uniform(-4096, 4095, SHAPE),  # phase images
        np.random.default_rng(0).normal(0, 1, SHAPE),  # z-scores
        np.where(np.arange(1000).reshape(SHAPE) < 400, -32767, make_mr() - 32767),
        make_mr() - 10,  # a little below 0 by interpolation
        make_mr() * 20 - 1000,  # high contrast around 5000
    ],
    ids=["16 bits", "phase", "z-scores", "masked", "ringing", "bright"],
)
def test_mr_of_negative_values_is_not_taken_for_ct(image):
    assert not measure_profile(image).is_hounsfield


@pytest.mark.parametrize(
    "spoil",
    [
        np.random.default_rng(1).uniform(-4000, -1600, SHAPE[1:]),  # no padding
        np.where(np.arange(100).reshape(SHAPE[1:]) < 20, 9000, 40),  # 2 % of all
    ],
    ids=["uneven below -1500", "beyond 12 bits"],
)
def test_ct_with_values_that_no_scanner_gives_is_not_in_hu(spoil):
    image = make_ct(air=True)
    image[9] = spoil

    assert not measure_profile(image).is_hounsfield


def test_air_without_soft_tissue_is_not_ct():
    image = make_mr() * 5  # around 1500
    image[:3] = -1000

    assert not measure_profile(image).is_hounsfield


def test_profile_survives_json():
    found = measure_profile(make_ct(air=True))

    assert IntensityProfile(**json.loads(json.dumps(found.to_dict()))) == found


@pytest.mark.parametrize(
    ("kinds", "mode", "reason"),
    [
        (
            ["air", "air", "cropped", "cropped", "offset", "offset"],
            WINDOW,
            "4 of 6 scans can be in HU, c1 shows air",
        ),
        (["", "cropped", "air"], WINDOW, "2 of 3 scans can be in HU, c3 shows air"),
        (["air", ""], ("zscore",), "only 1 of 2 scans can be in HU"),
        (["", ""], ("zscore",), "no scan is in HU"),
        (["cropped", "cropped"], ("zscore",), "none shows air; if these are CT, give"),
    ],
)
def test_rule_is_settled_once_for_all_scans(kinds, mode, reason):
    found, why = settle_intensity(named(*kinds))

    assert found == mode
    assert reason in why


@pytest.mark.parametrize(
    ("kinds", "mode", "mixtures", "cases"),
    [
        (["air", "cropped", "air", ""], WINDOW, False, ["c4"]),  # is cut wrongly
        (["air", "", "", "", ""], ("zscore",), False, ["c1"]),  # a fifth
        (["air", "", "", ""], ("zscore",), False, []),  # a quarter is a mixture
        (["air", "", "", ""], ("zscore",), True, ["c1"]),
        (["air", "air", "air", "air", ""], ("zscore",), False, ["c5"]),
        (["", "", "", ""], WINDOW, False, []),  # a window of the user's own
        (["air", ""], WINDOW, True, []),  # neither is unlike the others
        ([], WINDOW, True, []),
    ],
)
def test_scans_unlike_the_others_are_named(kinds, mode, mixtures, cases):
    found = find_disagreements(named(*kinds), mode, mixtures=mixtures)

    assert list(found) == cases


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (
            profile("offset", 24, 1569),
            "values 24 to 1569 are not in HU; likely CT stor",
        ),
        (profile("", 0, 894), "values 0 to 894 are not in HU; likely MR"),
        (profile("", -32767, -31000), "likely stored with an offset"),
        (profile("air", -1000, 500), "values -1000 to 500 are in HU, with air"),
        (profile("cropped", -70, 500), "can be in HU, without air"),
    ],
)
def test_unit_is_described_with_values_and_the_likely_cause(found, text):
    assert text in describe_unit(found)


@pytest.mark.parametrize(
    ("bottom", "top", "text"),
    [
        (0.94, 0.0, ""),  # a chest, mostly air
        (0.96, 0.0, "96 % of its voxels are at the lower end of the window"),
        (0.0, 0.4, ""),
        (0.0, 0.41, "41 % of its voxels are at the upper end of the window"),
    ],
)
def test_saturation_is_described_if_it_is_not_of_air(bottom, top, text):
    assert describe_saturation(bottom, top) == text


def test_span_is_described_if_it_is_a_small_part_of_the_window():
    assert describe_span(0.05) == ""
    assert describe_span(0.001) == "99 % of its voxels lie within 0.1 % of the window"


@pytest.mark.parametrize(
    ("image", "mode", "text"),
    [
        (make_ct(air=True), WINDOW, ""),
        (make_ct(), WINDOW, ""),
        (make_ct(air=True) + 1024, WINDOW, "likely CT stored with +1024"),
        (make_mr(), WINDOW, "are not in HU; likely MR"),
        (make_mr(), ("window", 0.0, 600.0), ""),  # a window of the user's own
        (make_mr() + 2000, ("window", 0.0, 600.0), "100 % of its voxels are at the up"),
        (make_mr() / 600, ("window", 0.0, 600.0), "% of the window; it may be in anot"),
        (make_mr(), ("zscore",), ""),
        (make_ct(air=True), ("zscore",), ""),
        (make_mr(), ("auto",), ""),
    ],
)
def test_new_scan_is_compared_with_the_rule_of_its_network(image, mode, text):
    found = describe_misfit(image, mode)

    assert text in found
    assert bool(found) == bool(text)


def test_streaks_of_metal_leave_a_scan_in_hu():
    streaks = make_ct(air=True)
    streaks[5, 0, :3] = (-1620, -1710, -1550)  # 0.3 % of the voxels

    assert measure_profile(streaks).kind == "air"
