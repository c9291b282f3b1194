from types import SimpleNamespace

import pytest
from support.small_runs import training_options


def metadata(patch_size=(1, 64, 64), intensity=("zscore",)):
    return SimpleNamespace(patch_size=patch_size, intensity=intensity)


def test_architecture_has_defaults_where_nothing_is_given():
    given = training_options(depth=3, dropout=0.0, mixed_precision=True)

    assert training_options().architecture() == {
        "filters": 8,
        "depth": 4,
        "norm": "instance",
        "dropout": 0.0,
        "dtype": "float32",
    }
    assert given.architecture() == {
        "filters": 8,
        "depth": 3,
        "norm": "instance",
        "dropout": 0.0,
        "dtype": "mixed_float16",
    }


def test_a_depth_of_zero_is_not_taken_for_a_default():
    assert training_options(depth=0).architecture()["depth"] == 0


@pytest.mark.parametrize(
    ("model", "patch_size", "batch_size"),
    [
        ("unet2d", (1, 256, 256), 2),  # 98,304 voxels: 1.5, rounded to even
        ("unet2d", (1, 64, 128), 12),
        ("unet3d", (24, 96, 96), 2),  # 442,368 voxels
    ],
)
def test_batch_size_and_learning_rate_follow_from_the_patch(
    model, patch_size, batch_size
):
    found = training_options(model=model).with_defaults(metadata(patch_size))

    assert (found.batch_size, found.learning_rate) == (batch_size, 0.002)


def test_batch_size_and_learning_rate_of_the_user_stay():
    given = training_options(batch_size=5, learning_rate=0.1)

    assert given.with_defaults(metadata()) == given


@pytest.mark.parametrize(
    ("given", "intensity", "share"),
    [
        (None, ("zscore",), 0.75),
        (None, ("window", -200, 1000), 0),
        (0.3, ("window", -200, 1000), 0.3),
        (0.0, ("zscore",), 0),
    ],
)
def test_only_intensities_without_a_unit_change_their_contrast(given, intensity, share):
    options = training_options(contrast_curves=given)

    found = options.with_defaults(metadata(intensity=intensity))

    assert found.contrast_curves == share
