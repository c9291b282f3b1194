import pytest

from cube.class_words import read_ignored, take_ignored
from system.errors import UsageError


@pytest.mark.parametrize(
    ("words", "others", "ignored"),
    [
        (["binary"], ["binary"], ()),
        (["L1", "ignore=255"], ["L1"], (255,)),
        (["Ignore=255,254", "20", "ignore=T12"], ["20"], (255, 254, "T12")),
        (["keep", 'ignore="not, drawn"'], ["keep"], ("not, drawn",)),
        # A structure called so may be a class under another name.
        (["other=ignore", "ignored=9"], ["other=ignore", "ignored=9"], ()),
    ],
)
def test_what_is_ignored_is_taken_out_of_the_words(words, others, ignored):
    assert take_ignored(words) == (others, ignored)


def test_group_of_vertebrae_is_ignored_level_by_level():
    _, ignored = take_ignored(["L1", "ignore=cervical"])

    assert ignored == ("C1", "C2", "C3", "C4", "C5", "C6", "C7", "cervical")


@pytest.mark.parametrize("word", ["ignore", "ignore=", "ignore=0", "ignore=binary"])
def test_ignore_must_say_what(word):
    with pytest.raises(UsageError, match=rf"as ignore=255 or .* Received: {word}$"):
        take_ignored(["L1", word])


def test_classes_are_stated_once_beside_what_is_ignored():
    assert read_ignored(["ignore=255"], has_model=True) == (255,)
    assert read_ignored(None, has_model=True) == ()
    with pytest.raises(UsageError, match=r"not allowed .* --labels.* Received: L1"):
        read_ignored(["L1", "ignore=255"], has_model=True)
    with pytest.raises(UsageError, match=r"state the classes .*Received: ignore=255"):
        read_ignored(["ignore=255"], has_model=False)
