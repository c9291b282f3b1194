import pytest
from PIL import Image
from support import small_runs

import train
from cube.reader import Cube
from runs import progress_pictures
from runs.progress_pictures import ProgressPictures


@pytest.mark.slow
def test_curves_and_a_validation_case_are_drawn_as_they_change(
    small_cube, tmp_path, monkeypatch
):
    monkeypatch.setattr(progress_pictures, "MOST_TIME", float("inf"))
    flags = [*small_runs.TINY, "--model", "unet2d", "--epochs", "3"]
    run = tmp_path / "run"

    assert train.main([str(small_cube), *flags, "--output", str(run)]) == 0

    assert sorted(path.name for path in (run / "progress").iterdir()) == [
        "030.png",  # after one of three epochs
        "060.png",
        "100.png",
    ]
    for path in (run / "progress.png", run / "progress" / "060.png"):
        with Image.open(path) as picture:
            assert picture.width > 300


def test_pictures_take_no_more_than_their_share_of_the_time(small_cube, tmp_path):
    with Cube(small_cube) as cube:
        pictures = ProgressPictures(tmp_path, "UNet-2D", cube, None, None)
        # Curves are expected to take a second, a fortieth of 40 seconds.
        pictures.draw([{"epoch": 1, "minutes": 0.6, "dice": 0.5}], 0.5)
        assert list(tmp_path.iterdir()) == []

        pictures.draw([{"epoch": 1, "minutes": 0.7, "dice": 0.5}], 0.5)

    # The case takes three seconds, too many of these 42.
    assert [path.name for path in tmp_path.iterdir()] == ["progress.png"]
