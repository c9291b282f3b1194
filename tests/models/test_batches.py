import threading
from dataclasses import replace

import numpy as np
import pytest
from support.cubes import SHAPE, make_label, make_row, write_cube

from augment.compose import Compose, compose_of
from augment.intensity import Gamma, GaussianNoise
from augment.spatial import Flip, Rotation
from cube.reader import Cube
from models.batches import PatchSampler, feeding_threads, patch_box, prefetch
from volumes.ignored import IGNORED

VOXELS = np.arange(480).reshape(SHAPE)  # (6, 8, 10)


@pytest.fixture
def cube(tmp_path):
    """Every voxel of four rows its own figure, 480 a row, exact in float16."""
    rows = [
        replace(make_row(name), image=(VOXELS + 480 * row).astype(np.float16))
        for row, name in enumerate(("ann", "ben", "cid", "dan"))
    ]
    with Cube(write_cube(tmp_path / "cube.h5", rows)) as cube:
        yield cube


def sampler(cube, rows=(0, 1, 2, 3), patch_size=(2, 3, 4), seed=5, **options):
    options = {"batch_size": 3, **options}
    return PatchSampler(cube, rows, patch_size=patch_size, seed=seed, **options)


@pytest.mark.parametrize(
    ("first", "size", "box", "pads"),
    [
        ((2, 3, 4), (3, 4, 5), ((2, 5), (3, 7), (4, 9)), ((0, 0), (0, 0), (0, 0))),
        ((-1, 2, 7), (3, 4, 5), ((0, 2), (2, 6), (7, 10)), ((1, 0), (0, 0), (0, 2))),
        ((3, 4, 5), (3, 4, 5), ((3, 6), (4, 8), (5, 10)), ((0, 0), (0, 0), (0, 0))),
        ((-1, -2, 0), (8, 12, 10), ((0, 6), (0, 8), (0, 10)), ((1, 1), (2, 2), (0, 0))),
    ],
    ids=["inside", "two borders", "last corner", "larger than the grid"],
)
def test_patch_is_cut_to_a_grid_of_6_8_10(first, size, box, pads):
    found_box, found_pads = patch_box(np.array(first), size, SHAPE)

    assert found_box == tuple(slice(*ends) for ends in box)
    assert found_pads == pads


def test_image_and_classes_come_from_one_place(cube):
    images, labels = sampler(cube, batch_size=40).batch(0)

    assert images.shape == (40, 2, 3, 4, 1)
    assert (images.dtype, labels.dtype) == (np.float32, np.uint8)
    voxels = images[..., 0].astype(int) % 480
    np.testing.assert_array_equal(labels, make_label().ravel()[voxels])
    # Neighbours along I, J, K are 80, 10 and 1 apart: an unbroken patch.
    for axis, step in ((1, 80), (2, 10), (3, 1)):
        assert (np.diff(images[..., 0], axis=axis) == step).all()


def test_batch_depends_on_its_step_only(cube):
    first = sampler(cube)
    for step in (3, 0, 11):
        first.batch(step)

    for found, expected in zip(first.batch(7), sampler(cube).batch(7), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_other_steps_and_seeds_give_other_batches(cube):
    images, _ = sampler(cube).batch(7)

    assert (images != sampler(cube).batch(8)[0]).any()
    assert (images != sampler(cube, seed=6).batch(7)[0]).any()
    assert len(np.unique(images[:, 0, 0, 0, 0])) > 1  # nor are patches alike


def test_only_the_rows_given_are_drawn(cube):
    images, _ = sampler(cube, rows=(1, 3), batch_size=60).batch(0)

    assert set((images.ravel() // 480).tolist()) == {1, 3}


@pytest.mark.parametrize("share", [0.0, 0.2, 1.0])
def test_share_of_patches_lies_on_the_foreground(tmp_path, share):
    # The scan fills k = 8 and 9 alone, beside the foreground at k = 2 to 6: a
    # patch from anywhere in the scan misses it, one around it cannot.
    extent = np.array([[0, 6], [0, 8], [8, 10]])
    rows = [replace(make_row("ann"), extent=extent)]
    num_patches = 400

    with Cube(write_cube(tmp_path / "cube.h5", rows)) as cube:
        _, labels = sampler(
            cube, (0,), (2, 2, 2), batch_size=num_patches, spine_share=share
        ).batch(0)

    found = labels.any(axis=(1, 2, 3)).mean()
    # Four standard deviations of a binomial share.
    bound = 4 * np.sqrt(share * (1 - share) / num_patches)
    assert found == pytest.approx(share, abs=bound)


def test_row_without_foreground_is_sampled_anywhere_in_the_scan(tmp_path):
    rows = [
        replace(
            make_row("ann"),
            label=np.zeros(SHAPE, np.uint8),
            image=VOXELS.astype(np.float16),
            extent=np.array([[1, 6], [2, 7], [3, 9]]),
        )
    ]

    with Cube(write_cube(tmp_path / "cube.h5", rows)) as cube:
        images, _ = sampler(cube, (0,), batch_size=200, spine_share=1.0).batch(0)

    # 5 x 5 x 6 voxels leave a patch of 2 x 3 x 4 the places 4 x 3 x 3.
    firsts = np.unravel_index(images[:, 0, 0, 0, 0].astype(int), SHAPE)
    found = [(axis.min(), axis.max()) for axis in firsts]
    assert found == [(1, 4), (2, 4), (3, 5)]


def test_grid_smaller_than_the_patch_is_padded(cube):
    images, labels = sampler(cube, (1,), patch_size=(8, 8, 16)).batch(0)

    # Two voxels more along I, six more along K; the image's edge goes on.
    pads = ((0, 2), (0, 0), (0, 6))
    image = np.pad(VOXELS + 480, pads, mode="edge")
    for index in range(3):
        np.testing.assert_array_equal(images[index, ..., 0], image)
        np.testing.assert_array_equal(labels[index], np.pad(make_label(), pads))


def test_slices_have_no_right_left_axis(cube):
    images, labels = sampler(cube, patch_size=(1, 4, 5)).batch(0)

    assert images.shape == (3, 4, 5, 1)
    assert labels.shape == (3, 4, 5)
    assert (np.diff(images[..., 0], axis=1) == 10).all()


class CountingSampler:
    """Stands in for a sampler: its batches are the steps themselves."""

    def __init__(self, fails_at=None):
        self.asked, self.fails_at = [], fails_at

    def batch(self, step):
        self.asked.append(step)
        if step == self.fails_at:
            raise OSError("the disk is gone")
        return step


def test_prefetched_batches_come_in_order_and_few_wait():
    counting = CountingSampler()
    batches = prefetch(counting, first_step=3, ahead=2, threads=1)

    assert [next(batches) for _ in range(5)] == [3, 4, 5, 6, 7]
    batches.close()

    assert counting.asked == list(range(3, 3 + len(counting.asked)))
    assert len(counting.asked) <= 5 + 2


@pytest.mark.parametrize("threads", [1, 3])
def test_prefetching_ends_its_threads_when_closed(threads):
    before = set(threading.enumerate())
    batches = prefetch(CountingSampler(), first_step=0, threads=threads)

    next(batches)
    during = set(threading.enumerate()) - before
    batches.close()

    assert 1 <= len(during) <= threads
    assert not set(threading.enumerate()) - before


def test_batches_do_not_depend_on_the_number_of_threads(cube):
    source = sampler(cube, compose=Compose([Rotation(20.0), GaussianNoise(5.0)]))
    expected = [source.batch(step) for step in range(4, 10)]

    batches = prefetch(source, first_step=4, threads=3)
    found = [next(batches) for _ in range(6)]
    batches.close()

    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours[0], theirs[0])
        np.testing.assert_array_equal(ours[1], theirs[1])


@pytest.mark.parametrize(
    ("cpus", "layer", "threads"),
    [(1, "omp", 1), (2, "omp", 1), (5, "tbb", 2), (64, "omp", 4), (64, "workqueue", 1)],
)
def test_a_thread_for_two_cpus_unless_kernels_may_not_run_at_once(
    monkeypatch, cpus, layer, threads
):
    monkeypatch.setattr("models.batches.available_cpus", lambda: cpus)
    monkeypatch.setattr("numba.threading_layer", lambda: layer)

    assert feeding_threads(4) == threads


def test_prefetching_raises_what_the_sampler_raises():
    batches = prefetch(CountingSampler(fails_at=2), first_step=0)

    assert [next(batches), next(batches)] == [0, 1]
    with pytest.raises(OSError, match="the disk is gone"):
        next(batches)


@pytest.mark.parametrize("patch_size", [(2, 3, 4), (1, 4, 6)], ids=["3d", "2d"])
def test_patch_augmented_by_nothing_is_the_stored_one(cube, patch_size):
    plain = sampler(cube, patch_size=patch_size)
    online = sampler(cube, patch_size=patch_size, compose=Compose([]))

    for found, expected in zip(online.batch(3), plain.batch(3), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-3)


def test_patch_is_mirrored_about_its_own_centre(cube):
    plain = sampler(cube).batch(3)
    mirrored = sampler(cube, compose=Compose([Flip(1.0)])).batch(3)

    for found, expected in zip(mirrored, plain, strict=True):
        np.testing.assert_allclose(found, expected[:, ::-1], atol=1e-3)


def test_patch_is_augmented_anew_and_the_same_when_asked_again(cube):
    compose = Compose([Rotation(20.0), Gamma(0.7, 1.5), GaussianNoise(0.5)])
    online = sampler(cube, rows=(0,), compose=compose, batch_size=1)
    online.spine_share = 0.0
    online.patch_size = np.array(SHAPE)  # all patches lie in one place
    images = [online.batch(step)[0] for step in range(4)]

    assert len({image.tobytes() for image in images}) == 4
    np.testing.assert_array_equal(online.batch(2)[0], images[2])
    assert set(np.unique(online.batch(2)[1])) <= {0, 1, 2}


def test_chain_of_a_cube_is_rebuilt_from_its_arguments():
    chain = compose_of({"seed": 3, "flip": None, "rotation": 30.0, "elastic": None})
    names = [transform.name for transform in chain.transforms]

    assert names == ["rescaling", "rotation", "blur", "gamma", "noise"]
    largest = max(
        np.abs(chain.draw(np.random.default_rng(seed))["rotation"]).max()
        for seed in range(50)
    )
    assert 25 < largest <= 30


def partly_labelled(tmp_path, label, **options):
    path = write_cube(
        tmp_path / "cube.h5", [replace(make_row("ann"), label=label)], ignored=[255]
    )
    with Cube(path) as cube:
        return sampler(cube, (0,), (2, 2, 2), **options).batch(0)[1]


def test_ignored_voxels_are_no_foreground_to_draw_patches_around(tmp_path):
    label = np.full(SHAPE, IGNORED, np.uint8)
    label[:, :, 5:] = 0
    label[2:4, 2:6, 8] = 1

    labels = partly_labelled(tmp_path, label, batch_size=100, spine_share=1.0)

    assert (labels == 1).any(axis=(1, 2, 3)).all()


def test_patch_of_ignored_voxels_is_drawn_again_up_to_ten_times(tmp_path):
    label = np.full(SHAPE, IGNORED, np.uint8)
    label[:, :, 8:] = 0

    labels = partly_labelled(tmp_path, label, batch_size=400, spine_share=0.0)

    # Of 9 places along K, 7 lie in what is ignored.
    expected = 1 - (7 / 9) ** 10
    bound = 4 * np.sqrt(expected * (1 - expected) / 400)
    found = (labels != IGNORED).any(axis=(1, 2, 3)).mean()
    assert found == pytest.approx(expected, abs=bound)
