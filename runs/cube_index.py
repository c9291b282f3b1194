"""The content of index.html: what a cube holds and what its check has found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cube.checks import rows_by_case
from cube.contact_sheets import name_sheets
from cube.findings import Finding
from cube.reader import Cube
from cube.thumbnails import THUMBNAIL_FOLDER
from pages.cube_page import CaseCard, CubePage, FindingEntry, write_cube_page
from runs.commands import cube_flags
from runs.split_counts import count_splits
from system.text import shorten
from volumes.intensity_flag import describe_intensity

INDEX_NAME = "index.html"


def write_index(cube: Cube, findings: Sequence[Finding], folder: Path) -> None:
    """Write `index.html` beside the sheets and thumbnails of a cube's cases.

    Args:
        cube: An open cube.
        findings: What its check has found.
        folder: Where `ContactSheets` wrote the pictures.
    """
    names = name_sheets(cube)
    entries = [
        FindingEntry(each.case_id, each.kind, each.message, each.is_fault, each.copy)
        for each in findings
    ]
    cards = [
        _make_card(cube, rows, names[case_id])
        for case_id, rows in rows_by_case(cube).items()
    ]
    page = CubePage(f"Cube {cube.path.name}", _list_facts(cube), entries, cards)
    write_cube_page(folder / INDEX_NAME, page)


def _make_card(cube: Cube, rows: Sequence[int], name: str) -> CaseCard:
    row = rows[0]
    source = cube.sources[row]
    facts = [("Spacing", f"{_join(source['spacing'])} mm")]
    if "shape" in source:
        facts.append(("Size", _join(source["shape"])))
    facts.append(("Copies", str(len(rows) - 1)))
    return CaseCard(
        case_id=cube.case_ids[row],
        subject=cube.subjects[row],
        split=cube.splits[row],
        facts=facts,
        sheet=f"{name}.png",
        thumbnail=f"{THUMBNAIL_FOLDER}/{name}.jpg",
    )


def _list_facts(cube: Cube) -> list[tuple[str, str]]:
    cases = [
        {
            "case_id": cube.case_ids[row],
            "subject": cube.subjects[row],
            "split": cube.splits[row],
        }
        for row in cube.rows(copy=0)
    ]
    facts = [
        ("Cases", count_splits(cases)),
        ("Classes", ", ".join(cube.class_names[1:])),
        ("Grid", f"{_join(cube.shape)} voxels of {_join(cube.spacing)} mm"),
        ("Intensity", describe_intensity(cube.intensity)),
        ("Flags", cube_flags(cube.arguments)),
        *([("Pair list", cube.origin["pairs"])] if "pairs" in cube.origin else []),
        ("File", f"{cube.path} ({cube.checksum[:12]})"),
    ]
    if cube.left_out:
        facts.append(("Left out", shorten(", ".join(cube.left_out))))
    return facts


def _join(numbers: Sequence[float]) -> str:
    """Join the sides of a shape, or spacings to three digits."""
    return " \N{MULTIPLICATION SIGN} ".join(
        f"{number:.3g}" if isinstance(number, float) else str(number)
        for number in numbers
    )
