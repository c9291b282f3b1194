from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.cubes import clean_rows, write_cube
from support.rows_of_balls import grid_around, mark_balls, spine_of

from cube.reader import Cube
from runs.instances import find_merged_class, score_vertebrae
from volumes.volume import Segment, Volume

CENTERS = spine_of(4)
GRID = grid_around(CENTERS)
BALLS = [mark_balls(GRID, [center], 11.0) for center in CENTERS]
LUMBAR = {5: "L4", 7: "L3", 2: "L2", 9: "L1"}  # from below


def label_map(*values, names=()):
    """Return the balls with a value each, 0 for none, from below."""
    array = np.zeros(GRID.shape, np.uint16)
    for ball, value in zip(BALLS, values, strict=True):
        array[ball] = value
    segments = tuple(Segment(value, name, (0, 0, 0)) for value, name in names)
    return Volume(array, GRID, Path("label.nrrd"), segments=segments)


@pytest.fixture
def open_cube(tmp_path):
    """Return a function that opens a cube of given classes and their values."""
    cubes = []

    def open_one(class_names, *values, names=()):
        path = tmp_path / f"{len(cubes)}.h5"
        classes = {"class_names": class_names, "label_values": [[], *values]}
        source = {"label_names": {str(value): name for value, name in names}}
        rows = [replace(r, source={**r.source, **source}) for r in clean_rows()]
        cubes.append(Cube(write_cube(path, rows, **classes)))
        return cubes[-1]

    yield open_one
    for cube in cubes:
        cube.close()


def merge(volume):
    return (volume.array > 0).astype(np.uint8)


def test_one_class_of_several_values_is_scored_as_instances(open_cube):
    cube = open_cube(("background", "spine"), sorted(LUMBAR))
    reference = label_map(*LUMBAR)
    # The second from below is missed, and with it the place of those above.
    predicted = merge(label_map(1, 0, 1, 1))

    (score,) = score_vertebrae(cube, 0, reference, merge(reference), predicted)

    assert (score.case_id, score.subject) == ("ann", "subject of ann")
    assert (score.num_reference, score.num_predicted, score.num_matched) == (4, 3, 3)
    assert score.matched_dice == 1
    assert (score.num_named, score.num_identified) == (2, 0)


def test_values_without_names_are_ordered_by_their_height(open_cube):
    cube = open_cube(("background", "spine"), sorted(LUMBAR))
    reference = label_map(*LUMBAR)  # on a grid whose first axis leads down
    classes = merge(reference)

    (score,) = score_vertebrae(cube, 0, reference, classes, classes)

    assert (score.num_named, score.num_identified) == (3, 3)


def test_nothing_predicted_is_no_vertebra_found(open_cube):
    cube = open_cube(("background", "spine"), sorted(LUMBAR))
    reference = label_map(*LUMBAR)

    (score,) = score_vertebrae(
        cube, 0, reference, merge(reference), np.zeros(GRID.shape, np.uint8)
    )

    assert (score.num_predicted, score.precision, score.recall) == (0, 0, 0)


def test_values_with_other_names_are_no_instances(open_cube):
    cube = open_cube(("background", "spine"), sorted(LUMBAR))
    names = LUMBAR | {5: "sacrum"}
    reference = label_map(*LUMBAR, names=names.items())
    everything = merge(reference)

    (score,) = score_vertebrae(cube, 0, reference, everything, everything)

    # The sacrum was predicted as a vertebra, which counts neither way.
    assert (score.num_reference, score.num_predicted, score.num_matched) == (3, 3, 3)
    assert (score.num_named, score.num_identified) == (2, 2)

    # The same, where the pair list states the names.
    cube = open_cube(("background", "spine"), sorted(LUMBAR), names=names.items())
    unnamed = label_map(*LUMBAR)
    assert score_vertebrae(cube, 0, unnamed, everything, everything) == [score]

    columns = label_map(5, 5, 2, 2, names=[(5, "lumbar column"), (2, "chest")])
    cube = open_cube(("background", "spine"), [2, 5])
    assert score_vertebrae(cube, 0, columns, everything, everything) == []


def test_voxels_that_are_not_scored_do_not_count(open_cube):
    cube = open_cube(("background", "spine"), sorted(LUMBAR))
    reference = label_map(0, 7, 2, 9)
    predicted = merge(label_map(1, 1, 1, 1))

    (score,) = score_vertebrae(
        cube, 0, reference, merge(reference), predicted, BALLS[0]
    )

    assert (score.num_predicted, score.num_matched, score.precision) == (3, 3, 1)


def test_classes_that_are_levels_are_instances_with_names(open_cube):
    cube = open_cube(("background", "L2", "sacrum", "L3"), [2], [5], [7])
    reference = label_map(2, 3, 1, 0).array.astype(np.uint8)
    predicted = label_map(2, 1, 3, 3).array.astype(np.uint8)

    (score,) = score_vertebrae(cube, 1, label_map(5, 7, 2, 0), reference, predicted)

    # L2 on L3; two balls of L3, one of them on L2: an IoU of half. The sacrum is none.
    assert (score.num_reference, score.num_predicted, score.num_matched) == (2, 2, 2)
    assert (score.num_named, score.num_identified) == (2, 0)


def test_class_of_several_values_is_found(open_cube):
    assert find_merged_class(open_cube(("background", "a"), [1, 2])) == 1
    assert find_merged_class(open_cube(("background", "a", "b"), [1], [2, 3])) == 2
    assert find_merged_class(open_cube(("background", "a", "b"), [1], [2])) is None
    names = ("background", "disc", "Vertebral body", "Vertebrae")
    assert find_merged_class(open_cube(names, [1, 2], [3], [4, 5])) == 3
    for names in (("a", "b"), ("upper vertebrae", "lower vertebrae")):
        two = open_cube(("background", *names), [1, 2], [3, 4])
        assert find_merged_class(two) is None


def test_class_that_tells_no_vertebrae_apart_has_no_score(open_cube):
    cube = open_cube(("background", "spine"), [1])
    reference = label_map(1, 1, 1, 1)
    classes = merge(reference)

    assert score_vertebrae(cube, 0, reference, classes, classes) == []
