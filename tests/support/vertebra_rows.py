"""Label maps of vertebrae in a row, of a few voxels, and their scores as instances."""

import numpy as np

from evaluation.instances import score_instances
from volumes.geometry import Grid, affine_from

# Axis I leads down: the vertebrae of a row are listed from above.
DIRECTION = [[0, 0, 1], [0, 1, 0], [-1, 0, 0]]
AFFINE = affine_from((4.0, 2.0, 3.0), (1.0, 2.0, -900.0), DIRECTION)


def row(*values):
    """Place voxels of the given values along I, shape (len(values), 2, 3)."""
    label_map = np.zeros((len(values), 2, 3), np.uint16)
    label_map[:, 1, 2] = values
    return label_map


def judge(prediction, reference, **options):
    predicted, annotated = row(*prediction), row(*reference)
    grid = Grid(annotated.shape, AFFINE)
    return score_instances(predicted, annotated, grid=grid, **options)
