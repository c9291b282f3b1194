import pytest

from system.text import (
    file_names,
    format_bytes,
    format_interval,
    format_ml,
    format_number,
    format_p,
    format_table,
    has_control,
    is_utf8,
    on_one_line,
    short_repr,
    shorten,
)


def test_long_text_is_truncated_and_its_length_appended():
    assert shorten("x" * 120) == "x" * 120
    assert shorten("x" * 121) == "x" * 120 + "... (121 characters)"
    assert short_repr("a\nb") == r"'a\nb'"


@pytest.mark.parametrize("character", ["\0", "\n", "\r", "\x1b", "\x7f"])
def test_control_characters_are_found(character):
    assert has_control(f"L1{character}upper")


def test_tabs_and_letters_are_no_control_characters():
    assert not has_control("L1\tM\u00fcller \u810a")


@pytest.mark.parametrize(
    ("text", "expected"), [("M\u00fcller", True), ("\udcfc", False)]
)
def test_text_that_is_no_utf8_is_found(text, expected):
    assert is_utf8(text) == expected


def test_text_is_put_on_one_line():
    assert on_one_line("L1\nupper\tha\x00lf") == "L1 upper ha lf"


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, "0 MB"), (1_499_999, "1 MB"), (10**9 - 1, "1000 MB"), (10**9, "1.0 GB")],
)
def test_bytes_are_given_in_mb_or_gb(count, expected):
    assert format_bytes(count) == expected


@pytest.mark.parametrize(
    ("volume", "expected"),
    [(0, "0"), (0.0123, "0.0123"), (1.5, "1.5"), (999.4, "999"), (1234.4, "1234")],
)
def test_volume_has_three_digits_and_no_exponent(volume, expected):
    assert format_ml(volume) == expected


def test_interval_is_low_to_high():
    assert format_interval((-0.25, 1), 1, sign=True) == "-0.2 to +1.0"
    assert format_interval(None, 1) == "n/a"


def test_small_p_value_is_not_zero():
    assert [format_p(p) for p in (None, 0.0004, 0.05)] == ["n/a", "<0.001", "0.050"]


def test_figure_has_no_negative_zero():
    assert format_number(-0.0001, 3) == "0.000"
    assert format_number(-0.0001, 3, sign=True) == "+0.000"
    assert format_number(None, 3) == "n/a"


def test_table_aligns_words_left_and_figures_right():
    table = format_table(["Class", "ml"], [["disc", "12.5"], ["vertebra", "3"]])

    assert table.splitlines() == [
        "Class       ml",
        "--------  ----",
        "disc      12.5",
        "vertebra     3",
    ]


def test_markdown_table_has_a_rule_and_escaped_bars():
    table = format_table(["Run", "Dice"], [["a|b", "0.9"]], markdown=True)

    assert table.splitlines() == [
        "| Run  | Dice |",
        "| ---- | ---: |",
        r"| a\|b |  0.9 |",
    ]


def test_file_names_have_at_most_100_characters_and_200_bytes():
    names = file_names([300 * "x", 300 * "\u9aa8"])  # 3 bytes in UTF-8

    assert [*map(len, names.values())] == [100, 66]


def test_file_names_are_safe_and_distinct():
    names = file_names(
        ["a/b", "a b", "A_B", "..", "Overview", "", "VB2_05", "VB2_05"],
        reserved=["overview"],
    )

    assert names == {
        "a/b": "a_b",
        "a b": "a_b_2",
        "A_B": "A_B_3",
        "..": "_",
        "Overview": "Overview_2",
        "": "__2",
        "VB2_05": "VB2_05",
    }
