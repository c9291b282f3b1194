import pytest
from PIL import Image

from evaluation.architecture import draw_architecture

BLOCKS = [
    ("input", 1, (16, 8)),
    ("encoder_1", 2, (16, 8)),
    ("encoder_2", 4, (8, 4)),
    ("bottom", 8, (4, 2)),
    ("decoder_2", 4, (8, 4)),
    ("decoder_1", 2, (16, 8)),
    ("probabilities", 3, (16, 8)),
]


def test_blocks_are_drawn_as_a_u(tmp_path, figures):
    draw_architecture(BLOCKS, "UNet-2D", tmp_path / "architecture.png")

    (axes,) = figures[0].axes
    boxes = [text for text in axes.texts if text.get_text()]
    assert [text.get_text() for text in boxes] == [
        "input\n16 x 8, 1",
        "encoder 1\n16 x 8, 2",
        "encoder 2\n8 x 4, 4",
        "bottom\n4 x 2, 8",
        "decoder 2\n8 x 4, 4",
        "decoder 1\n16 x 8, 2",
        "probabilities\n16 x 8, 3",
    ]
    # Down the left, up the right, mirrored.
    assert [text.xy for text in boxes] == [
        (-1.5, 0),
        (-1, 0),
        (-0.75, -1),
        (0, -2),
        (0.75, -1),
        (1, 0),
        (1.5, 0),
    ]
    # Six arrows from block to block, and a skip connection per level.
    assert len(axes.texts) - len(boxes) == 6 + 2
    with Image.open(tmp_path / "architecture.png") as picture:
        assert picture.width == 1080  # 9 inches at 120 dots


def test_other_number_of_blocks_is_refused(tmp_path):
    with pytest.raises(ValueError, match="zip"):
        draw_architecture(BLOCKS[:-1], "UNet-2D", tmp_path / "architecture.png")

    assert list(tmp_path.iterdir()) == []
