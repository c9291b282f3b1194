"""What several test files share: one lopsided grid on which no mistake hides."""

from __future__ import annotations

import numpy as np
import pytest

from volumes.geometry import Grid, affine_from


@pytest.fixture
def oblique_grid() -> Grid:
    """Unequal sides and spacing, permuted and flipped axes, turned by 30 degrees."""
    cos, sin = np.cos(np.pi / 6), 0.5
    # I -> inferior, J -> anterior and right, K -> right and posterior.
    direction = [[0, sin, cos], [0, cos, -sin], [-1, 0, 0]]
    return Grid(
        (3, 4, 5), affine_from((0.5, 1.25, 3.0), (-70.5, 12.25, 800), direction)
    )
