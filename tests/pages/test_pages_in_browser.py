"""Both pages in a real browser, from file://, with names that are hard on HTML."""

from dataclasses import replace

import numpy as np
import pytest
from support.browser import CHROMIUM, DRIVER, start_browser
from support.cubes import make_row, write_cube
from support.report_runs import HOSTILE, write_runs

import checkCube
from runs.comparing import compare_runs

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER), reason="needs Chromium and chromedriver"
    ),
]
WIDTHS = (1280, 400)


@pytest.fixture(scope="module")
def browser():
    pytest.importorskip("selenium")
    with start_browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    """The page of four cases; the last is without a label."""
    folder = tmp_path_factory.mktemp("cube 100 % #1")
    splits = ("train", "validation", "test", "test")
    rows = [
        make_row(case_id, split=split, subject=f"{case_id} & co")
        for case_id, split in zip(HOSTILE, splits, strict=True)
    ]
    rows[3] = replace(rows[3], label=np.zeros_like(rows[3].label))
    cube = write_cube(folder / "<b>cube.h5", rows)
    assert checkCube.main([str(cube), "--output", str(folder / "pictures")]) == 1
    return folder / "pictures" / "index.html"


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The page of two networks whose runs lie in another folder."""
    folder = tmp_path_factory.mktemp("runs 100 % #1")
    compare_runs(write_runs(folder, history=True), folder / "a page", force=True)
    return folder / "a page" / "report.html"


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("page", ["index", "report"])
def test_page_is_quiet_whole_and_as_wide_as_the_window(page, width, browser, request):
    path = request.getfixturevalue(page)
    browser.requests()

    browser.open(path, width=width)

    assert browser.broken_pictures() == []
    assert browser.overflow() == 0
    assert browser.console() == []
    requests = browser.requests()
    inside = path.parent.as_uri() + "/"
    assert len(requests) > len(HOSTILE)
    assert [r for r in requests if not r.startswith((inside, "data:"))] == []
    assert browser.script("return document.querySelectorAll('main script').length") == 0


def test_cards_are_filtered_by_text_split_and_findings(index, browser):
    browser.open(index)
    cards, shown = ".card h3", "#filter output"
    text, split, findings = browser.find("#filter input, #filter select")[:3]
    assert browser.visible(cards) == list(HOSTILE)

    text.send_keys("m\u00fcller")
    assert browser.visible(cards) == [HOSTILE[2]]
    assert browser.visible(shown) == ["1 of 4 shown"]
    text.clear()
    split.send_keys("test")
    assert browser.visible(cards) == list(HOSTILE[2:])
    findings.click()
    assert browser.visible(cards) == [HOSTILE[3]]
    # A link to a case shows that case, whatever was filtered.
    browser.find("#findings a")[0].click()
    assert browser.visible(cards) == list(HOSTILE)


@pytest.mark.parametrize("place", range(4))
def test_click_on_a_card_opens_the_sheet_of_the_case(place, index, browser):
    browser.open(index)

    browser.find(".card a")[place].click()

    picture = browser.find("img")[0]
    assert browser.driver.current_url.endswith(".png")
    assert picture.get_property("naturalWidth") > 100
    browser.driver.back()
    assert len(browser.find(".card")) == 4


def test_cases_are_sorted_by_any_column_and_their_pictures_with_them(report, browser):
    browser.open(report)
    table, articles = ".sortable tbody th", "article h3"
    # Mean Dice of both: .55, .725, .375, .85.
    worst_first = [HOSTILE[n] for n in (2, 0, 1, 3)]
    assert browser.visible(table) == browser.visible(articles) == worst_first

    heads = browser.find(".sortable th button")
    heads[3].click()  # Dice of UNet-3D: .6, .7, .5, .8
    assert browser.visible(articles) == worst_first
    heads[3].click()
    assert browser.visible(table) == browser.visible(articles) == worst_first[::-1]
    assert browser.find(".sortable th")[3].get_attribute("aria-sort") == "descending"
    heads[0].click()
    # Numbers before other texts, those in alphabetical order.
    assert browser.visible(articles) == [HOSTILE[n] for n in (1, 0, 3, 2)]


@pytest.mark.parametrize("page", ["index", "report"])
def test_page_is_readable_without_javascript(page, browser, request):
    browser.open(request.getfixturevalue(page), scripts=False)

    assert browser.visible("#filter, th button") == []
    headings = browser.visible("h3")
    assert sorted(headings) == sorted(HOSTILE)
