from pathlib import Path

import numpy as np
import pytest
from support.box_spines import box_spine

from runs.vertebra_files import label_prediction
from runs.vertebra_plan import VertebraFiles
from runs.vertebrae import choose_structures, label_vertebrae
from system.errors import DataError, UsageError
from volumes.formats.files import read_label_map
from volumes.volume import Segment, Volume

NAMES = {3: "L1", 4: "L2", 9: "sacrum"}


@pytest.mark.parametrize(
    ("present", "names", "words", "chosen"),
    [
        ([3, 4, 9], NAMES, [], [3, 4]),
        ([3, 4, 9], NAMES, ["l2", "9"], [4, 9]),
        ([3, 4, 9], NAMES, ["lumbar"], [3, 4]),
        ([1, 2], {1: "vertebral bodies", 2: "discs"}, [], [1]),
        ([1, 2], {1: "vertebra", 2: "L1"}, [], [2]),
        ([5, 6, 7], {}, [], [5, 6, 7]),
        ([7], {7: "bone"}, [], [7]),
        ([], {}, [], []),
    ],
)
def test_vertebrae_are_chosen_by_name(present, names, words, chosen):
    assert choose_structures(present, names, words) == chosen


def test_names_that_are_no_vertebrae_and_words_without_a_structure_are_refused():
    with pytest.raises(DataError, match=r"--labels states which.*Received: rib, lung"):
        choose_structures([1, 2], {1: "rib", 2: "lung"})
    with pytest.raises(DataError, match="Received: intervertebral discs"):
        choose_structures([5], {5: "intervertebral discs"})
    with pytest.raises(UsageError, match="Received: 'L5'; it has 3 L1, 4 L2, 9 sacrum"):
        choose_structures([3, 4, 9], NAMES, ["L5"])


def test_c1_has_no_measures_and_an_end_of_half_the_height_is_partial():
    label_map, grid = box_spine((12, 24, 24, 24, 24))

    found = label_vertebrae(
        "eve",
        label_map,
        grid,
        {
            1: "C5",
            2: "C4",
            3: "C3",
            4: "C2",
            5: "C1",
        },
    )

    notes = [row["notes"] for row in found.rows]
    assert [row["partial"] for row in found.rows] == ["yes", *["no"] * 4]
    assert "not measured: partial" in notes[0]
    assert notes[3] == notes[4] == "not measured: it has no vertebral body"
    measured = ["height_middle_mm" in row for row in found.rows]
    assert measured == [False, True, True, False, False]
    assert found.lines[1:] == ["warning: C5 is seen in part"]


def test_vertebrae_above_c1_and_beside_levels_have_values_of_their_own():
    label_map, grid = box_spine()

    found = label_vertebrae("eve", label_map > 0, grid, {1: ""}, lowest="C2")

    names = [(segment.name, segment.value) for segment in found.segments]
    assert names == [("C2", 2), ("C1", 1), ("V3", 103), ("V4", 104), ("V5", 105)]


def test_a_prediction_of_one_class_is_written_with_a_segment_for_each(tmp_path):
    label_map, grid = box_spine()
    prediction = np.where(label_map > 0, 1, 0).astype(np.uint8)
    prediction[0, :, :4] = 2  # a disc
    image = Volume(label_map.astype(np.float32), grid, Path("eve.nrrd"))
    files = VertebraFiles("eve", tmp_path / "eve.seg.nrrd", tmp_path / "eve.png")
    segments = [Segment(1, "vertebra", (1, 0, 0)), Segment(2, "disc", (0, 1, 0))]

    found = label_prediction(files, prediction, segments, image, lowest="L5")

    written = read_label_map(files.label_map)
    np.testing.assert_array_equal(written.array > 0, label_map > 0)
    assert [segment.name for segment in written.segments][:2] == ["L5", "L4"]
    assert files.picture.exists()
    assert found.spine["dropped_ml"] == 0
