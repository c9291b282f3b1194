import pytest

from augment.compose import TRANSFORMS
from augment.flags import FLAGS, Flag


def test_every_transform_has_a_flag_in_the_order_of_application():
    assert list(FLAGS) == list(TRANSFORMS)


@pytest.mark.parametrize(
    ("default", "expected"),
    [(None, "none"), (10.0, "10"), (0.15, "0.15"), ((0.9, 1.1), "0.9 1.1")],
)
def test_default_is_shown_as_it_is_typed(default, expected):
    assert Flag("UNIT", "a value", default).default_text == expected


def test_default_of_a_range_has_two_values():
    for name, flag in FLAGS.items():
        if flag.default is not None:
            assert isinstance(flag.default, tuple) == flag.is_range, name
