import numpy as np
from PIL import Image

from cube.thumbnails import MAX_BYTES, choose_for_overview, write_thumbnail


def test_thumbnail_of_noise_is_made_small_enough(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (400, 300, 3), dtype=np.uint8)

    write_thumbnail(Image.fromarray(noise), tmp_path / "a" / "noise.jpg")

    assert (tmp_path / "a" / "noise.jpg").stat().st_size <= MAX_BYTES
    with Image.open(tmp_path / "a" / "noise.jpg") as picture:
        assert picture.format == "JPEG"
        assert picture.width in (300, 150, 75)


def test_thumbnail_keeps_its_size_where_it_can(tmp_path):
    write_thumbnail(Image.new("L", (30, 40), 90), tmp_path / "plain.jpg")

    with Image.open(tmp_path / "plain.jpg") as picture:
        assert picture.size == (30, 40)


def test_overview_shows_all_of_48_cases_and_48_of_more():
    cases = [f"case {number}" for number in range(95)]

    assert choose_for_overview(cases[:48]) == cases[:48]
    # Steps of 94 / 47 = 2.
    assert choose_for_overview(cases) == cases[::2]
