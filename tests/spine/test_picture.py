import numpy as np
import pytest
from PIL.ImageDraw import ImageDraw

from spine.curve import fit_curve
from spine.picture import draw_vertebrae
from volumes.geometry import Grid, affine_from
from volumes.palette import outline_color


@pytest.fixture
def texts(monkeypatch):
    """Return the texts that are written and where, in their order."""
    written, write = [], ImageDraw.text

    def note(self, place, text, *others, **options):
        written.append((text, place))
        write(self, place, text, *others, **options)

    monkeypatch.setattr(ImageDraw, "text", note)
    return written


def test_sides_are_lettered_as_the_labels_lie_and_a_bar_has_the_scale(texts):
    # 60 x 60 x 120 mm; the curve runs through the middle, in label 1. To the right and
    # to the anterior of it lies label 2.
    grid = Grid((30, 30, 60), affine_from((2, 2, 2)))
    label_map = np.ones(grid.shape, np.uint8)
    label_map[18:], label_map[:, 18:] = 2, 2
    curve = fit_curve(np.array([[28.0, 26, 0], [28, 26, 60], [28, 26, 118]]), 10.0)

    picture = draw_vertebrae(label_map, grid, [], {}, curve, title="eve")

    letters = [(text, place) for text, place in texts if len(text) == 1]
    assert "".join(text for text, _ in letters) == "APSIRLSI"
    assert [place[0] for text, place in letters if text in "AR"] == [3, 3]
    written = [text for text, _ in texts]
    assert [text for text in written if "curve" in text] == [
        "sagittal curve, x = 28 mm",
        "coronal curve, y = 26 mm",
    ]
    assert written.count("20 mm") == 2
    pixels = np.asarray(picture)
    for panel in (pixels[:, 10:232], pixels[:, 242:464]):  # 88 mm of .4 mm, and gaps
        second, first = (
            np.flatnonzero((panel == outline_color(label)).all(axis=2).any(axis=0))
            for label in (2, 1)
        )
        assert second.max() < first.min() + 2
        bar = (panel == 255).all(axis=2)
        assert bar.sum(axis=1).max() == 50  # 20 mm of .4 mm
