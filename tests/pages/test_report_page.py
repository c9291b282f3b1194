import pytest
from justhtml import JustHTML

from pages.report_page import (
    CaseEntry,
    Picture,
    ReportPage,
    Section,
    write_report_page,
)
from system.text import Table

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a page and returns its text, checked strictly."""

    def write_checked(**content):
        page = ReportPage("UNet-2D", "It is good.", [("Cube", "c.h5")], ["cmd"])
        page = ReportPage(**{**vars(page), **content})
        write_report_page(tmp_path / "report.html", page)
        text = (tmp_path / "report.html").read_text(encoding="utf-8")
        JustHTML(text, strict=True)
        return text

    return write_checked


def test_page_without_scores_has_neither_scores_nor_cases(write):
    text = write()

    assert '<h1>UNet-2D</h1>\n<p class="lead">It is good.</p>' in text
    assert "<pre><code>cmd</code></pre>" in text
    assert "<table" not in text
    assert "cases-title" not in text


def test_tables_have_heads_with_a_scope_and_every_text_is_escaped(write):
    text = write(
        scores=[Table(["Metric", SCRIPT], [["Dice", "0.9"]]), SCRIPT],
        sections=[Section("Costs", [Table(["Cost"], [[SCRIPT]])])],
        commands=[f"python train.py {SCRIPT}"],
    )

    assert text.count('<th scope="col">') == 3
    assert text.count('<th scope="row">') == 2
    assert SCRIPT not in text
    assert text.count("<script>") == 1


def test_cases_keep_their_order_and_are_linked_to_their_pictures(write):
    picture = Picture("over lays/#1.png", "Slices", "UNet-2D: Dice 0.1")
    cases = [
        CaseEntry(SCRIPT, [SCRIPT, "0.1"], [picture]),
        CaseEntry("ben", ["ben", "0.2"], ["UNet-2D: Dice 0.2. There is no picture."]),
    ]

    text = write(scores=["-"], case_heads=["Case", "Dice"], cases=cases)

    escaped = "&lt;script&gt;alert(1)&lt;/script&gt;"
    assert f'<th scope="row"><a href="#case-0">{escaped}</a></th>' in text
    assert '<img src="over%20lays/%231.png" alt="Slices" loading="lazy">' in text
    assert text.index('id="case-0"') < text.index('id="case-1"')
    assert "<p>UNet-2D: Dice 0.2. There is no picture.</p>" in text
