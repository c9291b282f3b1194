import pytest
from PIL import Image
from support import small_runs

import train
from runs import progress_pictures


@pytest.fixture
def trained(small_cube, tmp_path, monkeypatch):
    """Return a function that trains three tiny epochs, and the run folder."""

    def run(most_time):
        monkeypatch.setattr(progress_pictures, "MOST_TIME", most_time)
        flags = [*small_runs.TINY, "--model", "unet2d", "--epochs", "3"]
        output = tmp_path / "run"
        assert train.main([str(small_cube), *flags, "--output", str(output)]) == 0
        return output

    return run


def test_curves_and_a_validation_case_are_drawn_as_they_change(trained):
    run = trained(float("inf"))

    assert sorted(path.name for path in (run / "progress").iterdir()) == [
        "030.png",  # after one of three epochs
        "060.png",
        "100.png",
    ]
    for path in (run / "progress.png", run / "progress" / "060.png"):
        with Image.open(path) as picture:
            assert picture.width > 300


def test_pictures_take_no_more_than_their_share_of_the_time(trained):
    run = trained(0.0)

    assert not (run / "progress").exists()
    assert not (run / "progress.png").exists()
