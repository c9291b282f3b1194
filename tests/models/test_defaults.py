import pytest

from models import defaults
from models.defaults import (
    check_patch_size,
    choose_batch_size,
    choose_patch_size,
    halve_patch_size,
    patch_multiples,
)
from system.errors import UsageError

# 4 mm stays while .7 and 1.4 are halved; at depth 4 all are halved twice more.
THICK = (4.0, 0.7, 0.7)


@pytest.fixture(autouse=True)
def sizes(monkeypatch):
    """Limits that are easy to compute with, whatever the tuned ones are."""
    monkeypatch.setattr(defaults, "PATCH_VOXELS", {"unet2d": 60_000, "unet3d": 50_000})
    monkeypatch.setattr(defaults, "BATCH_VOXELS", {"unet2d": 90_000, "unet3d": 50_000})


@pytest.mark.parametrize(
    ("model", "depth", "multiples"),
    [
        ("unet2d", 4, (1, 16, 16)),
        ("unet2d", 2, (1, 4, 4)),
        ("unet3d", 2, (1, 4, 4)),
        ("unet3d", 4, (4, 16, 16)),
    ],
)
def test_sides_are_multiples_of_their_poolings(model, depth, multiples):
    assert patch_multiples(model, THICK, depth) == multiples


def test_slice_that_is_small_enough_is_taken_whole_and_rounded_up():
    # 100 to 112, 500 to 512: 57,344 voxels.
    assert choose_patch_size("unet2d", (20, 100, 500), THICK, 4) == (1, 112, 512)


@pytest.mark.parametrize(
    ("shape", "spacing", "patch"),
    [
        ((80, 240, 272), (2.0, 2.0, 2.0), (1, 128, 128)),
        ((20, 512, 900), (4.0, 0.6, 0.6), (1, 128, 128)),
        ((80, 60, 272), (2.0, 2.0, 2.0), (1, 64, 256)),  # of a narrow scan
        ((20, 100, 100), (4.0, 4.0, 4.0), (1, 112, 112)),  # all of a small one
        # Slices of 3 mm are halved twice less: about equal sides in mm.
        ((20, 200, 100), (1.0, 1.0, 3.0), (1, 208, 72)),
    ],
)
def test_default_patch_of_unet2d(monkeypatch, shape, spacing, patch):
    monkeypatch.undo()  # the limits as they are

    assert choose_patch_size("unet2d", shape, spacing, 4) == patch
    assert 6 <= choose_batch_size("unet2d", patch) <= 8


def test_patch_is_shortened_where_it_is_longest_in_mm():
    # At first (20, 112, 208): 80, 78.4 and 145.6 mm, 465,920 voxels. K loses 16
    # (11.2 mm) down to 112, 78.4 mm: 250,880 voxels. Then I is longest: 16 of
    # 64 mm, 200,704. J and K in turn, the first of equals first, to 96:
    # 147,456; to 80 (56 mm): 102,400. Then I to 12, 48 mm: 76,800. J to 64:
    # 61,440, K to 64: 49,152.
    assert choose_patch_size("unet3d", (18, 104, 200), THICK, 4) == (12, 64, 64)


def test_patch_is_never_smaller_than_its_divisors(monkeypatch):
    monkeypatch.setitem(defaults.PATCH_VOXELS, "unet3d", 10)

    assert choose_patch_size("unet3d", (18, 104, 200), THICK, 4) == (4, 16, 16)


def test_batch_holds_about_as_many_voxels_as_wanted():
    assert choose_batch_size("unet2d", (1, 100, 300)) == 3
    assert choose_batch_size("unet2d", (1, 100, 340)) == 3  # 2.6
    assert choose_batch_size("unet3d", (16, 100, 100)) == 1  # .3


def test_patch_size_of_the_user_gets_three_sides():
    assert check_patch_size("unet2d", (32, 48), THICK, 4) == (1, 32, 48)
    assert check_patch_size("unet3d", [8, 32, 48], THICK, 4) == (8, 32, 48)


@pytest.mark.parametrize(
    ("model", "patch", "shown"),
    [
        ("unet2d", (1, 32, 48), r"takes 2 numbers.*\(16, 16\).*\(1, 32, 48\)"),
        ("unet2d", (32, 40), r"divisible by \(16, 16\) at depth 4.*\(32, 40\)"),
        ("unet2d", (0, 32), r"divisible by \(16, 16\)"),
        ("unet3d", (32, 48), r"takes 3 numbers.*\(4, 16, 16\).*\(32, 48\)"),
        ("unet3d", (6, 32, 48), r"divisible by \(4, 16, 16\).*\(6, 32, 48\)"),
        ("unet3d", (8, -16, 48), r"\(8, -16, 48\)"),
        ("unet3d", (16,), r"takes 3 numbers.*\(16,\)"),
    ],
)
def test_patch_size_that_does_not_fit_is_refused(model, patch, shown):
    with pytest.raises(UsageError, match=shown):
        check_patch_size(model, patch, THICK, 4)


@pytest.mark.parametrize(
    ("model", "patch", "spacing", "halved"),
    [
        ("unet2d", (1, 128, 128), (2, 2, 2), (1, 64, 64)),
        ("unet2d", (1, 112, 48), (2, 2, 2), (1, 64, 32)),  # up to a multiple of 16
        ("unet3d", (48, 96, 96), (2, 2, 2), (48, 48, 48)),
        ("unet3d", (16, 16, 16), (2, 2, 2), (16, 16, 16)),  # no smaller one is valid
    ],
)
def test_patch_is_halved_within_the_slice(model, patch, spacing, halved):
    assert halve_patch_size(model, patch, spacing, depth=4) == halved
