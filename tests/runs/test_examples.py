import numpy as np
import pytest
from PIL import Image
from support.small_runs import write_run

from runs.comparing import compare_runs
from runs.examples import choose_examples, draw_examples
from runs.gathering import gather

# The worst of UNet-2D is the best of UNet-3D.
DICE = {
    "unet2d": {"ann": 0.5, "ben": 0.25, "cid": 0.75, "dan": 1.0},
    "unet3d": {"ann": 0.5, "ben": 1.0, "cid": 0.25, "dan": 0.75},
}
COLORS = {"ann": (200, 0, 0), "ben": (0, 200, 0), "cid": (0, 0, 200), "dan": (9, 9, 0)}


@pytest.fixture
def runs(tmp_path):
    for model, dice in DICE.items():
        write_run(tmp_path / model, dice, model=model)
        (tmp_path / model / "overlays").mkdir()
        for case_id, color in COLORS.items():
            overlay = Image.new("RGB", (40, 30), color)
            overlay.save(tmp_path / model / "overlays" / f"{case_id}.png")
    return [tmp_path / model for model in DICE]


def downwards(pixels):
    """Return the cases whose colour occurs in a picture, by their rows."""
    found = {}
    for case_id, color in COLORS.items():
        rows = np.flatnonzero((pixels == color).all(axis=2).any(axis=1))
        if rows.size:
            found[case_id] = rows[0]
    return sorted(found, key=found.get)


def test_examples_are_the_worst_the_lower_median_and_the_best_case(runs):
    first, second = gather(runs)

    assert choose_examples(first.scores) == [("ben", 0.25), ("ann", 0.5), ("dan", 1.0)]
    assert choose_examples(second.scores) == [("cid", 0.25), ("ann", 0.5), ("ben", 1.0)]
    assert choose_examples(first.scores[:3])[1] == ("ann", 0.5)
    assert choose_examples(first.scores[:2]) == []


def test_picture_has_a_column_per_network_from_worst_to_best(runs, tmp_path):
    assert draw_examples(gather(runs), tmp_path / "examples.png")

    with Image.open(tmp_path / "examples.png") as picture:
        pixels = np.asarray(picture)
    middle = pixels.shape[1] // 2
    assert downwards(pixels[:, :middle]) == ["ben", "ann", "dan"]
    assert downwards(pixels[:, middle:]) == ["cid", "ann", "ben"]


def test_page_shows_the_examples_only_if_every_overlay_is_there(runs, tmp_path):
    compare_runs(runs, tmp_path)
    assert "](examples.png)" in (tmp_path / "comparison.md").read_text()

    (runs[1] / "overlays" / "ben.png").unlink()
    compare_runs(runs, tmp_path, force=True)

    assert "](examples.png)" not in (tmp_path / "comparison.md").read_text()
    assert not (tmp_path / "examples.png").exists()
