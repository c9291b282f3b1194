import subprocess
import sys

import numpy as np
import pytest
from nibabel.affines import apply_affine
from scipy import ndimage
from support.places import ROOT

from cube.pairs import read_pairs
from phantom.__main__ import main
from phantom.anatomy import L5, make_spine, rod, upright
from phantom.canvas import coverage, footprint
from phantom.cases import SPACES, lay_grid, make_phantom, store, stored_grid
from volumes.formats.files import read_label_map, read_volume
from volumes.geometry import share_a_grid
from volumes.vertebrae import VERTEBRAE


@pytest.fixture(scope="module")
def mr():
    return make_phantom(1, 5)


@pytest.fixture(scope="module")
def ct():
    return make_phantom(3, 5)


@pytest.fixture(scope="module", params=["mr", "ct"])
def phantom(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The folder of one run through main, with one case and the unseen scan."""
    output = tmp_path_factory.mktemp("phantom") / "new" / "scans"
    arguments = [str(output), "--cases", "1", "--seed", "5", "--workers", "1"]
    return output, main(arguments)


def centres(phantom):
    """World mm of the middle of each label, the lowest value first."""
    values = np.unique(phantom.label_map)[1:]
    index = ndimage.center_of_mass(phantom.label_map > 0, phantom.label_map, values)
    return apply_affine(phantom.grid.affine, np.array(index))


def bodies_and_canal(phantom):
    """Voxels deep in bone, and voxels behind the bodies that bone surrounds.

    The canal is found without the code that draws it: it is what a label map,
    filled in each axial plane, encloses.
    """
    axis = [code in "SI" for code in phantom.grid.orientation].index(True)
    planes = np.moveaxis(phantom.label_map > 0, axis, 0)
    filled = np.stack([ndimage.binary_fill_holes(plane) for plane in planes])
    holes = np.moveaxis(filled & ~planes, 0, axis)
    voxel = np.array(phantom.grid.spacing)
    bone = ndimage.distance_transform_edt(phantom.label_map > 0, sampling=voxel) > 6
    return bone, ndimage.distance_transform_edt(holes, sampling=voxel) > 3.5


def test_labels_are_consecutive_verse_numbers_down_to_l5(phantom):
    values = np.unique(phantom.label_map)[1:]

    assert VERTEBRAE[int(values[-1])] == "L5"
    np.testing.assert_array_equal(values, np.arange(values[0], 25))
    assert 5 <= len(values) <= 9


def test_vertebrae_follow_one_another_down_the_patient(phantom):
    steps = np.diff(centres(phantom)[:, 2])

    # A body and a disc, leaning by some 25 degrees at most: 23 to 42 mm apart.
    assert (steps < -20).all()
    assert (steps > -45).all()


def test_each_vertebra_is_one_piece_with_body_and_arch(phantom):
    touching = np.ones((3, 3, 3))
    for value in np.unique(phantom.label_map)[1:]:
        pieces, _ = ndimage.label(phantom.label_map == value, touching)
        sizes = np.bincount(pieces.ravel())[1:]
        points = apply_affine(phantom.grid.affine, np.argwhere(pieces))

        assert sizes.max() >= 0.99 * sizes.sum()
        # A body is at most 38 mm deep; with its spinous process over 55.
        assert 55 < np.ptp(points[:, 1]) < 100


def test_bodies_grow_from_top_to_bottom(phantom):
    values, counts = np.unique(phantom.label_map, return_counts=True)

    # T11 and L5 differ by a quarter in each direction, and by 3 % at random.
    assert counts[-1] > 1.2 * counts[1]
    assert values[-1] == L5


def test_lumbar_spine_is_bent_forwards(phantom):
    """Lordosis: L3 lies in front of the line from L1 to L5."""
    first, third, fifth = centres(phantom)[[-5, -3, -1]]

    share = (third[2] - fifth[2]) / (first[2] - fifth[2])

    assert third[1] > fifth[1] + share * (first[1] - fifth[1]) + 2


def test_grid_is_anisotropic_and_oblique(phantom):
    spacing = sorted(phantom.grid.spacing)
    nearest = np.abs(phantom.grid.direction).max(axis=0)

    assert spacing[2] > 4 * spacing[0]
    # Between cos(9 degrees) and cos(0.2 degrees): askew, but still sagittal.
    assert (nearest > 0.985).all()
    assert nearest.min() < 0.99999


def test_image_label_map_and_grid_have_one_shape(phantom):
    assert phantom.image.shape == phantom.label_map.shape == phantom.grid.shape
    assert phantom.image.dtype == np.int16
    assert phantom.label_map.dtype == np.uint8


def test_sizes_and_axes_differ_between_cases(mr, ct):
    assert sorted(mr.grid.shape) != sorted(ct.grid.shape)
    assert mr.grid.orientation != ct.grid.orientation


def test_canal_is_brighter_than_bone_in_mr_and_darker_in_ct(mr, ct):
    for phantom, brighter in ((mr, True), (ct, False)):
        bone, canal = bodies_and_canal(phantom)

        assert canal.sum() > 100
        difference = np.median(phantom.image[canal]) - np.median(phantom.image[bone])
        assert (difference > 100) if brighter else (difference < -100)


def test_ct_is_in_hounsfield_units(ct):
    lowest = np.quantile(ct.image, 0.002)
    cortex = np.quantile(ct.image[ct.label_map > 0], 0.98)

    # Behind the back lies air, with a noise of 15 to 25 HU, cut at -1024.
    assert lowest == pytest.approx(-1010, abs=15)
    assert 600 < cortex < 1000


def test_marrow_is_not_a_threshold_away_in_mr(mr):
    marrow, _ = bodies_and_canal(mr)
    window = np.quantile(mr.image[marrow], (0.1, 0.9))
    others = mr.image[mr.label_map == 0]

    alike = (others > window[0]) & (others < window[1])

    assert alike.sum() > 2 * np.count_nonzero(mr.label_map)


def test_another_seed_or_case_gives_another_grid():
    grids = [
        lay_grid(make_spine(6, rng), rng)
        for rng in map(np.random.default_rng, ([5, 1], [6, 1], [5, 2]))
    ]

    assert not share_a_grid(grids[0], grids[1])
    assert not share_a_grid(grids[0], grids[2])


def test_another_seed_gives_other_voxels(mr):
    other = make_phantom(1, 6)

    assert other.image.tobytes() != mr.image.tobytes()


def test_modality_is_refused_when_unknown():
    with pytest.raises(ValueError, match=r"MR or CT\. Received: modality='PET'"):
        make_phantom(0, 0, modality="PET")


def test_stored_voxels_keep_their_world_coordinates():
    rng = np.random.default_rng(0)
    grid = lay_grid(make_spine(5, rng), rng)
    array = np.zeros(grid.shape)
    array[3, 50, 70] = 1
    order, flips = np.array([2, 0, 1]), np.array([True, False, True])

    stored, onto = store(array, order, flips), stored_grid(grid, order, flips)

    assert stored.shape == onto.shape
    np.testing.assert_allclose(
        onto.to_world(np.argwhere(stored)[0]), grid.to_world((3, 50, 70)), rtol=1e-6
    )


def test_leaning_forwards_moves_the_top_to_the_anterior():
    # sin(30 degrees) = 1/2.
    np.testing.assert_allclose(upright(30)[:3, 2], (0, 0.5, np.sqrt(0.75)), rtol=1e-12)


def test_rod_is_a_distance_where_it_is_round():
    # From (0, 0, 0) to (0, 4, 0), radius 1: 3 mm aside of it, and 2 mm beyond.
    u, v, w = (np.array(c, np.float32) for c in ([3, 0], [2, 6], [0, 0]))

    np.testing.assert_allclose(
        rod(u, v, w, (0, 0, 0), (0, 4, 0), 1.0), (2, 1), atol=1e-6
    )


def test_coverage_is_the_share_of_a_voxel_behind_an_edge():
    # An edge at index 1.25 along the first axis, in voxels 4 mm thick: voxel 1
    # ends at 1.5, so three quarters of it lie inside.
    shape = np.float32(4) * (np.arange(4, dtype=np.float32) - 1.25)
    shape = np.broadcast_to(shape[:, None, None], (4, 2, 3))

    share = coverage(shape, footprint(shape))

    np.testing.assert_allclose(share[:, 0, 0], (1, 0.75, 0, 0), atol=1e-6)


def test_main_writes_what_the_same_seed_and_case_made_before(written, mr):
    output, status = written

    assert status == 0
    lines = (output / "pairs.txt").read_text().splitlines()
    assert lines[0].startswith("#")
    assert lines[1:] == ["phantom_01/image.nrrd,phantom_01/label.nrrd"]
    (pair,) = read_pairs(output / "pairs.txt")
    assert pair.image == output / "phantom_01" / "image.nrrd"
    assert pair.label == output / "phantom_01" / "label.nrrd"
    for name in ("phantom_01", "unseen"):
        image = read_volume(output / name / "image.nrrd")
        label_map = read_label_map(output / name / "label.nrrd")
        assert share_a_grid(image.grid, label_map.grid)
        assert image.header["space"] in SPACES
    image = read_volume(output / "phantom_01" / "image.nrrd")
    np.testing.assert_array_equal(image.array, mr.image)
    np.testing.assert_allclose(image.grid.affine, mr.grid.affine, atol=1e-6)


def test_a_run_from_the_shell_gives_the_same_bytes(written, tmp_path):
    output, _ = written

    done = subprocess.run(
        [
            *(sys.executable, "-m", "phantom", tmp_path / "again"),
            *("--cases", "1", "--seed", "5", "--workers", "2"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [
        ["phantom_01", "MR"],
        ["unseen", "MR"],
    ]
    for file in sorted(output.glob("**/*.*")):
        same = tmp_path / "again" / file.relative_to(output)
        assert same.read_bytes() == file.read_bytes(), file.name


def test_main_refuses_to_replace_a_list_without_force(tmp_path, capsys):
    (tmp_path / "pairs.txt").write_text("mine\n")

    status = main([str(tmp_path), "--cases", "1"])

    assert status == 2
    assert "pairs.txt exists already; --force replaces it." in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["pairs.txt"]
    assert (tmp_path / "pairs.txt").read_text() == "mine\n"


@pytest.mark.parametrize(
    ("flag", "value", "message"),
    [
        ("--cases", "0", "--cases must be 1 or more. Received: --cases 0"),
        ("--seed", "-1", "--seed must be 0 or more. Received: --seed -1"),
        ("--workers", "0", "--workers must be 1 or more. Received: --workers 0"),
    ],
)
def test_main_refuses_numbers_out_of_range(tmp_path, capsys, flag, value, message):
    status = main([str(tmp_path / "scans"), flag, value])

    assert status == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "scans").exists()
