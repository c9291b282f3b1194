import pytest
from justhtml import JustHTML

from pages.cube_page import CaseCard, CubePage, FindingEntry, write_cube_page

SCRIPT = "<script>alert(1)</script>"


def make_card(case_id, split="train", name="a"):
    facts = [("Spacing", "1 \u00d7 1 \u00d7 4.4 mm"), ("Copies", "4")]
    sheet, thumbnail = f"{name}.png", f"thumbnails/{name}.jpg"
    return CaseCard(case_id, f"subject {case_id}", split, facts, sheet, thumbnail)


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a page and returns its text, checked strictly."""

    def write_checked(cases, findings=(), *, check=True):
        page = CubePage("Cube a&b.h5", [("Classes", SCRIPT)], findings, cases)
        write_cube_page(tmp_path / "index.html", page)
        text = (tmp_path / "index.html").read_text(encoding="utf-8")
        if check:
            JustHTML(text, strict=True)
        return text

    return write_checked


def test_names_from_files_are_escaped_and_links_quoted(write):
    finding = FindingEntry(SCRIPT, SCRIPT, SCRIPT, is_fault=True)

    text = write([make_card(SCRIPT, name='50 % "#1"')], [finding])

    assert SCRIPT not in text
    assert text.count("<script>") == 1  # the page's own
    assert 'href="50%20%25%20%22%231%22.png"' in text
    assert "<title>Cube a&amp;b.h5</title>" in text


def test_findings_come_first_faults_before_notes_each_linked_to_its_case(write):
    findings = [
        FindingEntry("ann", "touches the border", "left", is_fault=False),
        FindingEntry("ben", "touches the border", "right", is_fault=False),
        FindingEntry("ben", "no foreground", "none", is_fault=True, copy=2),
        FindingEntry("whole cube", "class without scan", "L5", is_fault=False),
    ]

    text = write([make_card("ann"), make_card("ben")], findings)

    listed = text[text.index('id="findings"') : text.index('id="cases-title"')]
    assert "1 fault,\n3 notes in 2 cases. Fix the faults. Notes are" in text
    assert listed.index("Fault") < listed.index("Note")
    assert '<a href="#case-1">ben</a>, copy 2: none' in listed
    assert "<li>whole cube: L5</li>" in listed
    assert listed.index("class without scan") < listed.index("touches the border")
    # The cards repeat what kinds there are.
    assert '<p class="fault">Fault: no foreground</p>' in text
    assert text.count("Note: touches the border") == 2
    assert text.count('data-findings="') == 2


def test_cube_without_findings_has_no_list_of_them(write):
    text = write([make_card("ann")])

    assert "No faults,\nno notes in 1 case." in text
    assert "Findings</h2>" not in text


def test_page_of_a_thousand_cases_is_smaller_than_one_megabyte(write):
    cases = [make_card(f"sub-verse{n:04}_split-verse{n}") for n in range(1000)]
    findings = [
        FindingEntry(case.case_id, kind, "left (211 voxels), right (122 voxels)", False)
        for case in cases
        for kind in ("label touches the scan's border", "unusual spacing")
    ]

    assert len(write(cases, findings, check=False).encode()) < 1_000_000
