from dataclasses import replace

import numpy as np
import pytest
from support.cubes import SHAPE, make_row, write_cube
from support.scans import make_case

from cube.intensities import (
    describe_rule,
    find_faults,
    measure_scan,
    settle_rule,
)
from cube.reader import Cube
from volumes.intensity_rule import IntensityProfile

CT = IntensityProfile(low=-1000, median=30, high=600, air=0.3, kind="air")
MR = IntensityProfile(low=0, median=200, high=900, air=0, kind="")
WINDOW = ["window", -200, 1000]


def make_cases(*profiles):
    return [make_case(f"c{n}", profile=p) for n, p in enumerate(profiles, start=1)]


def test_rule_of_the_flag_is_taken_as_it_is():
    cases = make_cases(CT, CT, MR)

    assert settle_rule(cases, ("zscore",)) == (("zscore",), "by --intensity")
    assert settle_rule(cases, ("auto",))[0] == ("window", -200.0, 1000.0)


def test_rule_and_scans_that_it_does_not_suit_are_listed():
    cases = make_cases(CT, CT, MR)

    lines = describe_rule(cases, *settle_rule(cases, ("auto",)))

    assert lines == [
        "intensity window -200 to 1000 HU (auto: 2 of 3 scans can be in HU, c1 shows "
        "air)",
        "note      c3: values 0 to 900 are not in HU; likely MR, or CT in another "
        "unit, unlike 2 of 3 scans",
    ]


def test_a_dozen_of_unlike_scans_is_shortened():
    cases = make_cases(*[MR] * 30, *[CT] * 12)

    lines = describe_rule(cases, *settle_rule(cases, ("auto",)))

    assert len(lines) == 12
    assert lines[-1] == "note      and 2 more such scans"


def test_scan_is_measured_on_its_finite_voxels():
    image = np.array([-1, -1, -1, 0, 1, np.nan], np.float16)

    found = measure_scan(image)

    assert found.mean == pytest.approx(-2 / 5)
    assert (found.bottom, found.top) == pytest.approx((3 / 5, 1 / 5))
    # The 99.5 percentile of five values lies 0.02 of a step below the last.
    assert found.span == pytest.approx(1.98)
    assert measure_scan(np.full(3, np.nan, np.float16)) is None


@pytest.fixture
def faults_of(tmp_path):
    """Return a function that finds the faults of a cube, by case id."""

    def find(mode, profiles, images=None, kind="window"):
        rows = []
        for number, profile in enumerate(profiles):
            row = make_row(f"c{number + 1}")
            source = {"intensity": {"kind": kind, "low": -200.0, "high": 1000.0}}
            if profile is not None:
                source["profile"] = profile.to_dict()
            row = replace(row, source=row.source | source)
            if images is not None:
                row = replace(row, image=images[number].astype(np.float16))
            rows.append(row)
        path = write_cube(tmp_path / "cube.h5", rows, intensity=mode)
        with Cube(path) as cube:
            measured = {row: measure_scan(cube.image(row)) for row in range(len(rows))}
            return {
                cube.case_ids[row]: text for row, text in find_faults(cube, measured)
            }

    return find


def spread_images(*means):
    """Return noise of spread 0.2 around each mean, clipped as by a window."""
    rng = np.random.default_rng(0)
    return [rng.normal(mean, 0.2, SHAPE).clip(-1, 1) for mean in means]


def test_scans_of_one_unit_give_no_fault(faults_of):
    images = spread_images(-0.5, -0.6, -0.4, -0.5, -0.55)

    assert faults_of(WINDOW, [CT] * 5, images) == {}
    assert faults_of(["zscore"], [MR] * 5, images) == {}
    assert faults_of(WINDOW, [None] * 5, images) == {}  # of an older cube


def test_scan_stored_in_another_unit_is_one_fault_with_all_its_signs(faults_of):
    images = spread_images(-0.5, -0.6, -0.4, -0.5, 1.5)
    offset = replace(MR, low=24, high=1600, kind="offset")

    found = faults_of(WINDOW, [CT] * 4 + [offset], images)

    assert list(found) == ["c5"]
    assert found["c5"].startswith("values 24 to 1600 are not in HU; likely CT stored")
    assert (
        "unlike 4 of 5 scans; mean 1.00, the median of all scans is -0.5" in found["c5"]
    )
    assert "% of its voxels are at the upper end of the window" in found["c5"]


def test_mean_far_from_the_others_is_found_without_profiles(faults_of):
    images = spread_images(-0.5, -0.6, -0.4, -0.5, 0.5)

    found = faults_of(WINDOW, [None] * 5, images)

    assert list(found) == ["c5"]
    assert "the median of all scans is -0.50 with a spread of" in found["c5"]
    assert found["c5"].endswith("; it may be in another unit")
    # Of four scans, the spread says little.
    few = spread_images(-0.5, -0.5, -0.5, 0.5)
    assert faults_of(WINDOW, [None] * 4, few) == {}


def test_scan_that_uses_little_of_the_window_is_found(faults_of):
    images = [*spread_images(-0.5, -0.6), np.linspace(0, 0.09, 480).reshape(SHAPE)]

    assert list(faults_of(WINDOW, [None] * 3, images)) == ["c3"]


def test_mixture_in_a_cube_of_z_scores_is_no_fault(faults_of):
    images = spread_images(*[0] * 8)

    assert faults_of(["zscore"], [CT, CT, *[MR] * 6], images) == {}
    assert list(faults_of(["zscore"], [CT, *[MR] * 7], images)) == ["c1"]


def test_older_cube_that_normalised_each_scan_by_itself_is_told_to_be_built_again(
    tmp_path,
):
    rows = []
    kinds = ["zscore", "window", "zscore", "zscore", "zscore"]
    for number, kind in enumerate(kinds):
        row = make_row(f"c{number}")
        image = row.image + (5 if kind == "window" else 0)  # one finding all the same
        source = row.source | {
            "intensity": {"kind": kind, "low": -200.0, "high": 1000.0}
        }
        rows.append(replace(row, image=image, source=source))
    with Cube(write_cube(tmp_path / "cube.h5", rows, intensity=["auto"])) as cube:
        measured = {row: measure_scan(cube.image(row)) for row in range(5)}
        found = dict(find_faults(cube, measured))

    assert list(found) == [1]
    assert found[1] == (
        "normalised by window, unlike 4 of 5 scans; build the cube again, where "
        "makeCube.py settles one rule for all"
    )
