from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cube import resources
from cube.pairs import Pair
from cube.plan import choose_shape, choose_spacing, spacing_for_side
from cube.resources import ResourceEstimate, check_resources, estimate_resources
from cube.survey import CaseInfo, check_duplicates, survey_case
from system.errors import DataError, UsageError
from volumes.formats.files import read_label_map, write_image, write_label_map
from volumes.geometry import Grid, affine_from, canonical_grid
from volumes.pooling import pooling_sizes
from volumes.volume import Segment

# I -> posterior, J -> superior, K -> left.
PERMUTED = [[0, 0, -1], [-1, 0, 0], [0, 1, 0]]


def grid_of(spacing, shape=(10, 20, 30)):
    """A grid whose spacing and shape are given along right, anterior, superior."""
    return Grid(shape, affine_from(spacing))


def case_of(case_id="ann", *, grid=None, checksum=None):
    pair = Pair(Path("a.nrrd"), Path("b.nrrd"), case_id, case_id, None, 1)
    grid = grid or grid_of((1, 1, 1))
    return CaseInfo(pair, grid, (20,), {}, "", "", checksum or case_id, ())


def test_spacing_is_the_median_along_each_direction_and_the_finest_two_equal():
    grids = [
        grid_of((4, 0.8, 0.7)),
        grid_of((3, 0.9, 0.75)),
        # Stored as posterior, superior, left: 0.5 anterior, 0.6 superior, 9 right.
        Grid((5, 6, 7), affine_from((0.5, 0.6, 9), direction=PERMUTED)),
    ]

    # Medians 4, 0.8 and 0.7; the finest two are both the smaller.
    assert choose_spacing(grids) == (4, 0.7, 0.7)


def test_spacing_of_thick_slices_along_any_direction_is_kept():
    assert choose_spacing([grid_of((0.7, 0.6, 5))]) == (0.6, 0.6, 5)
    assert choose_spacing([grid_of((0.6, 3, 0.7))]) == (0.6, 3, 0.6)


def test_spacing_has_four_figures():
    assert choose_spacing([grid_of((4.123456, 0.7031249, 0.71))]) == (
        4.123,
        0.7031,
        0.7031,
    )


def test_side_gives_the_longest_scan_that_many_voxels():
    grids = [
        grid_of((4, 0.5, 0.5), (15, 300, 400)),  # 60, 150 and 200 mm
        Grid((100, 560, 20), affine_from((1, 0.5, 4), direction=PERMUTED)),  # 280 mm
    ]

    spacing = spacing_for_side(grids, 64)

    assert spacing == (280 / 64,) * 3
    # Left, third, is 80 mm: 80 / 4.375 = 18.3; anterior 100 / 4.375 = 22.9.
    assert canonical_grid(grids[1], spacing).shape == (19, 23, 64)


def test_pooling_skips_thick_slices_until_voxels_are_near_cubes():
    # 4 > 2 * 0.7; 4 > 2 * 1.4; 4 <= 2 * 2.8; then 8 <= 2 * 5.6.
    assert pooling_sizes((4, 0.7, 0.7), 4) == [
        (1, 2, 2),
        (1, 2, 2),
        (2, 2, 2),
        (2, 2, 2),
    ]


def test_pooling_halves_all_axes_when_they_differ_by_up_to_two():
    assert pooling_sizes((1, 2, 1.5), 2) == [(2, 2, 2), (2, 2, 2)]
    # 2.1 > 2 * 1, while (2, 2.1, 3) lies within two.
    assert pooling_sizes((1, 2.1, 1.5), 2) == [(2, 1, 2), (2, 2, 2)]


def test_pooling_of_a_slice_takes_two_axes():
    assert pooling_sizes((3, 1), 3) == [(1, 2), (2, 2), (2, 2)]


@pytest.mark.parametrize(
    ("spacing", "expected"),
    [
        # 40, 50 and 90 mm; 16 along every axis.
        ((1, 1, 1), (48, 64, 96)),
        # 40 / 4 = 10 in fours; 50 / 0.7 = 71.4 and 90 / 0.7 = 128.6 in sixteens.
        ((4, 0.7, 0.7), (12, 80, 144)),
    ],
)
def test_shape_holds_the_largest_scan_in_multiples_of_the_poolings(spacing, expected):
    grids = [grid_of((4, 1, 1), (10, 30, 90)), grid_of((4, 1, 1), (5, 50, 10))]

    assert choose_shape(grids, spacing) == expected


def test_shape_that_fits_exactly_is_not_rounded_up():
    assert choose_shape([grid_of((2, 1, 1), (8, 32, 48))], (1, 1, 1)) == (16, 32, 48)


def write_pair(folder, *, origin=(0, 0, 0), shape=(3, 4, 5)):
    scan = Grid((3, 4, 5), affine_from((2, 1, 0.5)))
    write_image(folder / "a.nrrd", np.zeros(scan.shape, np.int16), scan)
    label = np.zeros(shape, np.uint8)
    label[1, 2, 3], label[2, 2, 3] = 21, 20
    write_image(folder / "b.nrrd", label, Grid(shape, affine_from((2, 1, 0.5), origin)))
    return Pair(folder / "a.nrrd", folder / "b.nrrd", "ann", "anna", None, 1)


def test_survey_lists_the_values_of_the_label_map(tmp_path):
    found = survey_case(write_pair(tmp_path))

    assert found.label_values == (20, 21)
    assert found.grid.shape == (3, 4, 5)
    np.testing.assert_allclose(found.grid.spacing, (2, 1, 0.5))


def test_segment_s_name_is_brought_to_one_line(tmp_path):
    plain = write_pair(tmp_path)
    pair = replace(plain, label=tmp_path / "b.seg.nrrd")
    volume = read_label_map(plain.label)
    segment = Segment(20, "L4,\nupper\rhalf", (1, 0, 0))
    write_label_map(pair.label, volume.array, like=volume, segments=[segment])

    assert survey_case(pair).segment_names[20] == "L4, upper half"


def test_shifted_label_map_is_refused_with_both_grids_and_the_distance(tmp_path):
    pair = write_pair(tmp_path, origin=(0, 0.3, 0.4))

    with pytest.raises(DataError, match="different grids") as caught:
        survey_case(pair)

    first, image, label = str(caught.value).splitlines()
    # 0.3 and 0.4 mm at right angles are 0.5 mm.
    assert "case 'ann' are on different grids" in first
    assert "corners are up to 0.500 mm apart" in first
    assert str(pair.image) in image
    assert "origin (0, 0, 0) mm" in image
    assert str(pair.label) in label
    assert "origin (0, 0.3, 0.4) mm" in label


def test_label_map_of_another_shape_is_refused(tmp_path):
    pair = write_pair(tmp_path, shape=(3, 4, 6))

    with pytest.raises(DataError, match=r"their shapes differ.\n.*\(3, 4, 5\)") as got:
        survey_case(pair)

    assert "shape (3, 4, 6)" in str(got.value)


def test_same_bytes_under_two_names_are_refused_by_name():
    cases = [case_of("ann", checksum="x"), case_of("ben"), case_of("cid")]
    check_duplicates(cases)

    cases += [case_of("dan", checksum="x"), case_of("eve", checksum="cid")]
    with pytest.raises(DataError, match="the same: ann and dan; cid and eve"):
        check_duplicates(cases)


def test_needs_are_foreseen_by_hand():
    cases = [
        case_of(grid=grid_of((2, 1, 1), (4, 10, 10))),
        case_of(grid=grid_of((1, 1, 1), (5, 40, 8))),
    ]

    needs = estimate_resources(cases, [3, 1], (16, 32, 16))

    # Four rows of images, two bytes a voxel.
    assert needs.cube == 4 * 8192 * 2
    # 12 bytes a voxel of the larger scan; 16 of the cube, and 3 for a row.
    assert needs.memory_per_worker == 1600 * 12 + 8192 * (16 + 3)


def machine(monkeypatch, *, disk, memory):
    usage = type("Usage", (), {"free": disk})
    monkeypatch.setattr(resources.shutil, "disk_usage", lambda folder: usage)
    monkeypatch.setattr(resources, "available_memory", lambda: memory)


def test_workers_are_lowered_to_what_the_memory_holds(monkeypatch, tmp_path):
    machine(monkeypatch, disk=10**12, memory=35 * 10**8)

    assert check_resources(ResourceEstimate(10**9, 10**9), tmp_path / "cube.h5", 8) == 3
    assert check_resources(ResourceEstimate(10**9, 10**9), tmp_path / "cube.h5", 2) == 2


def test_cube_larger_than_the_disk_is_refused(monkeypatch, tmp_path):
    machine(monkeypatch, disk=10**9, memory=10**12)

    # The cube and, until it is complete, its cases beside it.
    output = tmp_path / "new" / "cube.h5"
    check_resources(ResourceEstimate(5 * 10**8, 1), output, 1)
    with pytest.raises(UsageError, match=r"about 700 MB, and .* has 1.0 GB free"):
        check_resources(ResourceEstimate(7 * 10**8, 1), output, 1)
    # Of its cases, 400 MB are there already.
    check_resources(ResourceEstimate(7 * 10**8, 1), output, 1, finished=4 * 10**8)


def test_case_larger_than_the_memory_is_refused(monkeypatch, tmp_path):
    machine(monkeypatch, disk=10**12, memory=2 * 10**9)

    with pytest.raises(UsageError, match=r"about 2.5 GB of memory, but 2.0 GB are"):
        check_resources(ResourceEstimate(1, 25 * 10**8), tmp_path / "cube.h5", 4)


def test_available_memory_heeds_a_limit_of_the_job(monkeypatch, tmp_path):
    (tmp_path / "memory.max").write_text("3000\n")
    (tmp_path / "memory.current").write_text("1000\n")
    monkeypatch.setattr(resources, "CGROUP", tmp_path)

    assert resources.available_memory() == 2000


def test_available_memory_is_a_number_of_bytes():
    # More than 16 MB, or no test would run; less than 64 TB.
    assert 2**24 < resources.available_memory() < 2**46
