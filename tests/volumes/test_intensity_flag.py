import argparse

import pytest

from system.errors import UsageError
from volumes.intensity_flag import (
    add_intensity_flag,
    describe_intensity,
    parse_intensity,
)


@pytest.mark.parametrize(
    ("words", "mode"),
    [
        (["auto"], ("auto",)),
        (["zscore"], ("zscore",)),
        (["window", "-200", "1e3"], ("window", -200.0, 1000.0)),
    ],
)
def test_words_become_a_mode(words, mode):
    assert parse_intensity(words) == mode


@pytest.mark.parametrize(
    "words",
    [["ct"], ["window"], ["window", "3", "3"], ["window", "0", "inf"], ["zscore", "1"]],
)
def test_other_words_are_refused_as_received(words):
    with pytest.raises(UsageError, match=rf"LOW HIGH\. Received: {' '.join(words)}$"):
        parse_intensity(words)


def test_flag_says_what_auto_means_to_the_script():
    parser = argparse.ArgumentParser()
    add_intensity_flag(parser, "as the model was trained")

    assert parser.parse_args([]).intensity == ["auto"]
    found = parser.parse_args(["--intensity", "window", "-200", "1000"])
    assert found.intensity == ["window", "-200", "1000"]
    assert "default: as the model was trained" in " ".join(parser.format_help().split())


@pytest.mark.parametrize(
    ("mode", "text"),
    [
        (("window", -200.0, 1000.0), "window -200 to 1000 HU"),
        (["zscore"], "z-score of each scan"),
        (("auto",), "window -200 to 1000 HU for a scan that reaches below -500, else"),
    ],
)
def test_mode_is_described_in_words(mode, text):
    assert describe_intensity(mode).startswith(text)
