import os
from dataclasses import dataclass

import pytest
from jinja2 import UndefinedError

from pages.rendering import FOLDER, keep_flags, quote_link, write_page


@pytest.mark.parametrize(
    ("path", "link"),
    [
        ("thumbnails/a b.jpg", "thumbnails/a%20b.jpg"),
        ("50 % of #1?.png", "50%20%25%20of%20%231%3F.png"),
        ('M\u00fcller\'s "x".png', "M%C3%BCller%27s%20%22x%22.png"),
        (os.fsdecode(b"m\xfcller/x.png"), "m%FCller/x.png"),  # bytes, not UTF-8
        ("c:run/x.png", "c%3Arun/x.png"),  # "c:" would be another scheme
    ],
)
def test_link_is_quoted(path, link):
    assert quote_link(path) == link


def test_flags_are_marked_and_everything_is_escaped():
    text = keep_flags("--copies 4 --a<b> x--y\n--seed")

    assert text == (
        "<span>--copies</span> 4 <span>--a</span>&lt;b&gt; x--y\n<span>--seed</span>"
    )


def test_page_that_lacks_a_field_is_not_written(tmp_path):
    @dataclass
    class Page:
        title: str = "a"

    with pytest.raises(UndefinedError, match="has no attribute"):
        write_page(tmp_path / "page.html", "report", Page())
    assert list(tmp_path.iterdir()) == []


def test_script_is_plain_and_short_and_no_file_asks_for_another():
    script = (FOLDER / "page.js").read_text(encoding="utf-8")
    style = (FOLDER / "style.css").read_text(encoding="utf-8")

    assert len(script.splitlines()) < 60
    assert ".aria" not in script  # a plain property in Firefox before 119
    text = script + style
    assert "</" not in text
    assert not [
        word for word in ("@import", "import(", "url(", "//w", "http") if word in text
    ]
