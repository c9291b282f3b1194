import json
from dataclasses import replace

import numpy as np
import pytest
from support import small_runs
from support.small_runs import CASES, TINY, call, training_options

import makeCube
from cube.reader import Cube
from models.model_file import load_model
from models.setup import build_metadata, prepare_network
from models.transfer import content_checksums
from system.errors import DataError, UsageError

TINY_OPTIONS = training_options(filters=2, depth=1)


def test_metadata_of_a_new_network_is_that_of_the_cube(small_cube):
    with Cube(small_cube) as cube:
        metadata = build_metadata(TINY_OPTIONS, cube)
        seen = content_checksums(cube, "train") | content_checksums(cube, "validation")

        assert metadata.spacing == cube.spacing == (2.0, 2.0, 2.0)
        assert metadata.class_names == ("background", "L1", "L2")
        assert metadata.label_values == ((), (20,), (21,))
        assert metadata.cube_checksum == cube.checksum
    assert set(metadata.seen) == seen
    assert len(seen) == 2
    assert metadata.architecture["filters"] == 2


def test_patch_size_is_the_users_or_chosen_for_the_cube(small_cube):
    with Cube(small_cube) as cube:
        chosen = build_metadata(TINY_OPTIONS, cube).patch_size
        given = build_metadata(replace(TINY_OPTIONS, patch_size=(4, 6)), cube)
        sides = zip(chosen[1:], cube.shape[1:], strict=True)

        # The whole slice, rounded up to the multiples of two that depth 1 needs.
        assert all(side == -(-length // 2) * 2 for side, length in sides)
    assert given.patch_size == (1, 4, 6)


def test_new_network_follows_from_the_seed(small_cube):
    with Cube(small_cube) as cube:
        networks = [
            prepare_network(replace(TINY_OPTIONS, seed=seed), cube)[0].get_weights()
            for seed in (3, 3, 4)
        ]

    for one, same in zip(networks[0], networks[1], strict=True):
        np.testing.assert_array_equal(one, same)
    assert (networks[0][0] != networks[2][0]).any()


def test_cube_without_a_training_case_is_refused(tmp_path):
    path = small_runs.write_cube(tmp_path, {"ann": "validation", "ben": "test"})

    with (
        Cube(path) as cube,
        pytest.raises(DataError, match=r"must have a training case. Received: none"),
    ):
        prepare_network(TINY_OPTIONS, cube)


@pytest.mark.parametrize(
    ("patch_size", "expected"), [(None, (1, 16, 16)), ((8, 4), (1, 8, 4))]
)
def test_network_that_is_only_tested_may_get_another_tile_size(
    small_cube, small_run, patch_size, expected
):
    weights = small_run / "model.keras"
    options = training_options(epochs=0, weights=weights, patch_size=patch_size)

    with Cube(small_cube) as cube:
        network, metadata = prepare_network(options, cube)

    trained, before = load_model(weights)
    assert metadata == replace(before, patch_size=expected)
    for one, other in zip(network.get_weights(), trained.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("epochs", [0, 1])
def test_test_cases_that_a_network_was_trained_on_are_refused(
    small_run, tmp_path, epochs
):
    path = small_runs.write_cube(tmp_path, {"ann": "test", "ben": "train"})
    weights = small_run / "model.keras"
    options = training_options(epochs=epochs, weights=weights)

    with Cube(path) as cube:
        with pytest.raises(UsageError, match=r"trained or validated on.*Received: ann"):
            prepare_network(options, cube)
        both = content_checksums(cube, "test") | content_checksums(cube, "train")

    assert set(load_model(weights)[1].seen) == both


def test_network_of_a_network_has_seen_what_both_have(small_run, tmp_path):
    path = small_runs.write_cube(tmp_path, {**CASES, "dan": "train"})
    weights = small_run / "model.keras"
    _, before = load_model(weights)

    with Cube(path) as cube:
        _, metadata = prepare_network(training_options(weights=weights), cube)
        learned = content_checksums(cube, "train")

    assert len(learned - set(before.seen)) == 1
    assert set(metadata.seen) == learned.union(before.seen)


@pytest.fixture(scope="module")
def binary_cube(small_cube, tmp_path_factory):
    """The same scans with one class, at another spacing."""
    cube = tmp_path_factory.mktemp("binary") / "cube.h5"
    flags = ["--spacing", "2.5", "--copies", "0", "--workers", "1"]
    pairs = str(small_cube.parent / "pairs.txt")
    assert makeCube.main([pairs, "--output", str(cube), *flags]) == 0
    return cube


def test_other_classes_get_a_new_head_on_the_trained_weights(binary_cube, small_run):
    weights = small_run / "model.keras"

    with Cube(binary_cube) as cube:
        network, metadata = prepare_network(training_options(weights=weights), cube)

    trained, _ = load_model(weights)
    for layer in trained.layers:
        if layer.name != "scores":
            after = network.get_layer(layer.name).get_weights()
            for value, found in zip(layer.get_weights(), after, strict=True):
                np.testing.assert_array_equal(value, found)
    assert network.output_shape[-1] == 2
    assert metadata.spacing == (2.5, 2.5, 2.5)
    assert metadata.class_names == ("background", "spine")


@pytest.mark.slow
def test_trained_network_learns_another_cube(binary_cube, small_run, tmp_path, capsys):
    weights = ["--weights", str(small_run / "model.keras")]

    assert call(binary_cube, tmp_path, *weights, "--epochs", "1", *TINY[4:]) == 0

    shown = capsys.readouterr().out
    assert "Its spacing was 2 x 2 x 2 mm, the cube's is 2.5 x 2.5 x 2.5 mm" in shown
    assert "the cube's are background, spine: it gets a new head." in shown
    _, metadata = load_model(tmp_path / "model.keras")
    assert metadata.class_names == ("background", "spine")
    scores = json.loads((tmp_path / "summary.json").read_text())["scores"]
    assert scores["num_cases"] == 2


@pytest.mark.parametrize(
    ("flags", "shown"),
    [
        (
            ["--epochs", "0"],
            "in their order: background, L1, L2. Received",
        ),
        (["--epochs", "1", "--filters", "4"], "model.keras, 2. Received: 4"),
    ],
)
def test_weights_that_do_not_fit_end_with_two(
    binary_cube, small_run, tmp_path, capsys, flags, shown
):
    weights = ["--weights", str(small_run / "model.keras")]

    assert call(binary_cube, tmp_path, *weights, *flags) == 2
    assert shown in capsys.readouterr().err
