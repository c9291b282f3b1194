import itertools

import pytest
from matplotlib.patches import FancyBboxPatch
from PIL import Image

from models.unet import Block
from runs.architecture import draw_architecture

BLOCKS = [
    Block("input", 1, (16, 8)),
    Block("encoder_1", 2, (16, 8), (3, 3), (2, 2), 2),
    Block("encoder_2", 4, (8, 4), (3, 1), (2, 1), 2),
    Block("bottom", 8, (4, 4), (3, 3), (), 2),
    Block("decoder_2", 4, (8, 4), (3, 1), (), 2),
    Block("decoder_1", 2, (16, 8), (3, 3), (), 2),
    Block("probabilities", 3, (16, 8), (1, 1), (), 1),
]


@pytest.fixture
def axes(tmp_path, figures):
    path = tmp_path / "architecture.png"
    draw_architecture(BLOCKS, "UNet-2D", "Two levels.", path)
    with Image.open(path) as picture:
        assert picture.width > picture.height > 300
    return figures[0].axes[0]


def boxes_of(axes):
    return [patch for patch in axes.patches if isinstance(patch, FancyBboxPatch)]


def arrows_of(axes):
    return [note for note in axes.texts if getattr(note, "arrowprops", None)]


def test_each_box_has_name_sides_channels_and_convolutions(axes):
    texts = [text.get_text() for text in axes.texts]

    assert "encoder 2" in texts
    assert "8 × 4\n4 channels\n2 conv 3 × 1" in texts
    assert "16 × 8\n1 channel" in texts
    # The pooling of an encoder is undone by the decoder of its level.
    assert texts.count("max pool 2 × 1") == texts.count("up-conv 2 × 1") == 1
    assert axes.figure.get_supxlabel() == "Two levels."


def test_boxes_form_a_u(axes):
    corners = [box.get_x() + box.get_width() / 2 for box in boxes_of(axes)]
    heights = [box.get_y() for box in boxes_of(axes)]

    assert corners == sorted(corners)
    assert corners == pytest.approx([-x for x in reversed(corners)])
    assert heights == pytest.approx(heights[::-1])
    assert heights[0] == heights[1] > heights[2] > heights[3]


def test_arrows_join_the_edges_of_boxes_and_cross_none(axes):
    boxes = [box.get_bbox() for box in boxes_of(axes)]
    arrows = arrows_of(axes)

    # Six from block to block, and a skip connection per level.
    assert len(arrows) == 6 + 2
    for arrow in arrows:
        start, end = arrow.xyann, arrow.xy
        for point in (start, end):
            assert any(on_edge(point, box) for box in boxes)
        middle = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
        assert not any(box.contains(*middle) for box in boxes)
    for first, second in itertools.combinations(boxes, 2):
        assert not first.overlaps(second)


def on_edge(point, box):
    x, y = point
    on_side = min(abs(x - box.x0), abs(x - box.x1)) < 1e-9 and box.y0 <= y <= box.y1
    on_top = min(abs(y - box.y0), abs(y - box.y1)) < 1e-9 and box.x0 <= x <= box.x1
    return on_side or on_top


def test_other_number_of_blocks_is_refused(tmp_path):
    with pytest.raises(ValueError, match="zip"):
        draw_architecture(BLOCKS[:-1], "UNet-2D", "", tmp_path / "architecture.png")

    assert list(tmp_path.iterdir()) == []
