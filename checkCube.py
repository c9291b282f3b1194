"""Check a cube for faults, and draw its cases for visual inspection.

Prints one line per fault, then one per note on what is unusual but may be correct.
Writes index.html, a page of all cases and findings; one picture per case, the scan
above its augmented copies; overview.png with a slice of at most 48 cases; and
classes.csv with the volumes of every class.

Example:
    python checkCube.py cube.h5 --output cube-check/
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from system.atomic import require_folder
from system.command_line import CommandLine
from system.errors import UsageError
from system.shell import script
from system.text import on_one_line

if TYPE_CHECKING:
    from cube.findings import Finding


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = CommandLine(
        __doc__,
        epilog="Exit code: 0 no fault, perhaps notes; 1 faults or unreadable cube; 2 "
        "bad usage.",
    )
    parser.add_argument("cube", type=Path, help="HDF5 file written by makeCube.py")
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="folder for the page and pictures"
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="replace the page, tables and pictures of an earlier check in DIR",
    )
    parser.add_argument(
        "--no-pictures", action="store_true", help="check only, without pictures"
    )
    args = parser.parse_args(argv)
    if (args.output is None) != args.no_pictures:
        parser.error("Either --output DIR or --no-pictures must be given")
    return args


def check_folder(folder: Path, *, force: bool) -> None:
    """Check that no page, table or picture would be overwritten by accident.

    Raises:
        UsageError: If `folder` is a file, or holds any of them without `force`.
    """
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise UsageError(f"{folder}: must be a folder. Received: a file")
    require_folder(folder)
    patterns = ("index.html", "classes.csv", "*.png", "thumbnails/*.jpg")
    found = [path for pattern in patterns for path in sorted(folder.glob(pattern))]
    if found and not force:
        raise UsageError(
            f"{folder}: must not hold a page, classes.csv or pictures. Received: "
            f"{found[0].relative_to(folder)} and {len(found) - 1} more. Choose "
            "another --output, or replace them with --force."
        )


def check(cube_path: Path, folder: Path | None) -> list[Finding]:
    """Check a cube, and draw into `folder`; read every row once."""
    # Imported late, so that --help and usage errors are immediate.
    from tqdm import tqdm

    from cube.checks import check_cube
    from cube.reader import Cube

    with (
        Cube(cube_path) as cube,
        tqdm(total=len(cube), unit="row", disable=None) as progress,
    ):
        pictures = None
        if folder is not None:
            from cube.contact_sheets import ContactSheets  # compiles kernels

            pictures = ContactSheets(cube, folder)

        def visit(row, image, label):
            progress.set_description(on_one_line(cube.case_ids[row]))
            if pictures is not None:
                pictures.add(row, image, label)
            progress.update()

        findings = check_cube(cube, visit)
        if pictures is not None:
            from cube.class_table import CLASSES_NAME, write_classes
            from runs.cube_index import write_index

            write_classes(cube, folder / CLASSES_NAME)
            pictures.write_overview()
            write_index(cube, findings, folder)
            pictures.remove_others()
        return findings


def report(findings: Sequence[Finding]) -> None:
    """Print the faults, then the notes, then how many there are."""
    from cube.findings import count_findings

    for finding in sorted(findings, key=lambda finding: not finding.is_fault):
        print(f"{finding.severity:5}  {finding}")
    print(count_findings(findings))


@script
def main(argv: Sequence[str] | None = None) -> int:
    """Check the cube, draw it and print the findings."""
    args = parse_args(argv)
    if args.output is not None:
        check_folder(args.output, force=args.force)
    findings = check(args.cube, args.output)
    report(findings)
    if args.output is not None:
        print(f"Open {args.output / 'index.html'}: every case with its findings")
    return int(any(finding.is_fault for finding in findings))


if __name__ == "__main__":
    sys.exit(main())
