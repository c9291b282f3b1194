"""What several test files share: a grid on which no mistake hides, and a short run."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure
from support import small_runs

import train
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


@pytest.fixture(scope="session")
def small_cube(tmp_path_factory):
    """The cube of four small scans, which lie beside it."""
    return small_runs.write_cube(tmp_path_factory.mktemp("small_cube"))


@pytest.fixture(scope="session")
def small_run(small_cube, tmp_path_factory):
    """What train.py leaves of a tiny UNet-2D; to be read only."""
    run = tmp_path_factory.mktemp("small_run") / "run"
    flags = ["--model", "unet2d", "--epochs", "2", *small_runs.TINY]
    code = train.main([str(small_cube), "--output", str(run), *flags])
    if code:
        raise RuntimeError(f"train.py ended with {code}")
    return run


@pytest.fixture
def figures(monkeypatch):
    """Collect the figures that are written, to look at what they show."""
    written, savefig = [], Figure.savefig

    def keep(figure, *args, **options):
        written.append(figure)
        savefig(figure, *args, **options)

    monkeypatch.setattr(Figure, "savefig", keep)
    return written
