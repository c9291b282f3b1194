from dataclasses import asdict, replace

import numpy as np
import pytest
from support.rows_of_balls import grid_around, mark_balls, spine_of
from support.small_runs import training_options

from cube.reader import Cube
from models import keeping
from models.keeping import keep_largest, keep_part, settle_keep
from models.metadata import ModelMetadata
from models.model_file import load_model, read_metadata, save_model
from spine.keeping import Kept

METADATA = ModelMetadata(
    model="unet3d",
    spacing=(1.5, 2.0, 3.0),
    patch_size=(4, 4, 4),
    class_names=("background", "spine"),
    label_values=((), (1,)),
    intensity=("zscore",),
    architecture={"depth": 1},
    cube_checksum="",
)


@pytest.mark.parametrize(
    ("keep", "expected"), [("all", 6), ("spine", 5), ("largest", 1)]
)
def test_metadata_say_what_is_kept(keep, expected):
    balls = [*spine_of(5), spine_of(5)[1] + (90, 0, 0)]
    grid = grid_around(balls)
    parts = [mark_balls(grid, [ball], 12.0) for ball in balls]
    classes = np.any(parts, axis=0).astype(np.uint8)

    kept = keep_part(classes, grid, replace(METADATA, keep=keep))

    assert sum((kept.classes[part] == 1).all() for part in parts) == expected
    num_dropped = np.count_nonzero(classes) - np.count_nonzero(kept.classes)
    assert kept.dropped_ml == pytest.approx(num_dropped * 1.5 * 2 * 3 / 1000)


class FakeCube:
    class_names = ("background", "spine")
    spacing = (1.0, 2.0, 3.0)

    def __init__(self, num_validation):
        self.num_validation = num_validation

    def rows(self, split, copy):
        return list(range(self.num_validation))


@pytest.fixture
def two_cases(monkeypatch):
    """Two predictions; keeping the spine drops the first voxel of each."""
    reference = np.zeros((2, 3, 4), np.uint8)
    reference[1, 1] = 1  # four voxels
    prediction = reference.copy()
    prediction[0, 0, 0] = 1

    def keep_spine(classes, grid, levels):
        kept = classes.copy()
        kept[0, 0, 0] = 0
        return Kept(kept, 0.006)

    def predict_cases(network, metadata, cube, rows):
        return [(prediction, reference) for _ in rows]

    monkeypatch.setattr(keeping, "predict_cases", predict_cases)
    monkeypatch.setattr(keeping, "keep_spine", keep_spine)
    return reference


def test_spine_is_kept_where_that_raises_the_dice_of_validation(two_cases, capsys):
    chosen = settle_keep(training_options(), FakeCube(2), None, METADATA)

    assert chosen == replace(METADATA, keep="spine")
    # 2 * 4 / (4 + 5) with the voxel.
    printed = capsys.readouterr().out
    assert "0.8889 with all of the prediction, and 1.0000 with the spine" in printed


def test_all_is_kept_where_the_dice_is_no_higher(two_cases, capsys):
    two_cases[0, 0, 0] = 1

    chosen = settle_keep(training_options(), FakeCube(2), None, METADATA)

    assert chosen == METADATA
    assert capsys.readouterr().out.startswith("keep: all; the validation cases")


def test_all_is_kept_without_validation_cases(capsys):
    assert settle_keep(training_options(), FakeCube(0), None, METADATA) == METADATA
    assert "no validation cases" in capsys.readouterr().out


def test_flag_decides_before_the_model_and_the_model_before_the_cases(capsys):
    trained = replace(METADATA, keep="spine")

    asked = settle_keep(training_options(keep="largest"), FakeCube(2), None, trained)
    tested = settle_keep(training_options(epochs=0), FakeCube(2), None, trained)

    assert (asked.keep, tested.keep) == ("largest", "spine")
    assert capsys.readouterr().out == (
        "keep: largest, by --keep\nkeep: spine, as the model was trained\n"
    )


@pytest.mark.slow
def test_choice_is_stored_with_the_same_weights(small_run, small_cube, tmp_path):
    network, metadata = load_model(small_run / "model.keras")
    assert metadata.keep == "all"  # a scan of two small boxes has no chain
    with Cube(small_cube) as cube:
        options = training_options(keep="spine")
        metadata = settle_keep(options, cube, network, metadata)

    keeping.store_keep(tmp_path / "model.keras", network, metadata)

    again, stored = load_model(tmp_path / "model.keras")
    assert stored == metadata
    for one, other in zip(network.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_model_of_an_earlier_version_keeps_all(small_run, tmp_path, monkeypatch):
    network, metadata = load_model(small_run / "model.keras")
    import models.model_file as model_file

    def without_keep(given):
        entries = asdict(given)
        del entries["keep"]
        return entries

    monkeypatch.setattr(model_file, "asdict", without_keep)
    save_model(tmp_path / "old.keras", network, metadata)

    assert read_metadata(tmp_path / "old.keras").keep == "all"


def test_largest_component_of_each_class_is_kept():
    classes = np.zeros((3, 4, 6), np.uint8)
    classes[0, 0, :3] = 1  # three in a row
    classes[1, 1, 3] = 1  # touches the row by an edge alone
    classes[2, 3, 4:] = 1  # two
    classes[2, 0, 0] = 3
    before = classes.copy()

    kept = keep_largest(classes)

    expected = np.zeros_like(classes)
    expected[0, 0, :3] = 1
    expected[2, 0, 0] = 3
    np.testing.assert_array_equal(kept, expected)
    np.testing.assert_array_equal(classes, before)


def test_no_component_is_kept_of_an_empty_map():
    empty = np.zeros((2, 3, 4), np.uint8)

    np.testing.assert_array_equal(keep_largest(empty), empty)
