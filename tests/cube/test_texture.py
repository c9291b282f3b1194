import numpy as np
import pytest

from cube.texture import find_related, sample_texture

SHAPE = (16, 24, 20)


def noise(seed):
    return np.random.default_rng(seed).normal(0, 30, SHAPE)


@pytest.fixture
def label():
    label = np.zeros(SHAPE, np.uint16)
    label[4:12, 6:18, 5:15] = 1
    return label


def textures(label, *images):
    return [sample_texture(image + 500 * label, label) for image in images]


def test_scan_is_related_to_itself_in_another_contrast_or_inverted(label):
    brighter, inverted = 2 * noise(1) + 9, 700 - noise(1)

    found = find_related(textures(label, noise(1), brighter, inverted, noise(2)))

    assert found == [(0, 1), (0, 2), (1, 2)]


def test_scans_of_one_label_map_with_other_noise_are_unrelated(label):
    found = find_related(textures(label, *(noise(seed) for seed in range(12))))

    assert found == []


def test_air_at_the_same_place_does_not_relate_two_scans(label):
    images = [noise(1), noise(2)]
    for image in images:
        image[:, :3] = image[:, -2:] = -1000

    assert find_related(textures(label, *images)) == []


def test_scan_without_texture_is_related_to_none(label):
    flat = np.zeros(SHAPE)

    assert find_related(textures(label, flat, flat)) == []


def test_smallest_scan_is_sampled_and_related_to_none():
    one = sample_texture(np.ones((1, 1, 1)), np.zeros((1, 1, 1), np.uint16))

    assert one == b"\0"
    assert find_related([one, one]) == []
