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

    title = "<h1><span>UNet-2D</span></h1>"
    assert f'{title}\n<p class="lead">It is good.</p>' in text
    assert 'href="#networks"' not in text
    assert "<pre><code>cmd</code></pre>" in text
    assert "<table" not in text
    assert "cases-title" not in text


def test_lines_break_in_no_name_of_the_verdict(write):
    text = write(verdict="UNet-3D <scores> as UNet-2D.")

    names = [f"<span>{name}</span>" for name in ("UNet-3D", "UNet-2D")]
    assert f"{names[0]} &lt;scores&gt; as {names[1]}.</p>" in text


@pytest.mark.parametrize("section", ["curves", "networks"])
def test_pictures_are_a_section_with_a_link_at_the_top(write, section):
    text = write(**{section: [Picture("a.png", "A picture")]})

    top, below = text.split("</nav>")
    assert f'href="#{section}"' in top
    assert f'<section id="{section}"' in below


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
