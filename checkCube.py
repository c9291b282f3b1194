"""Check a cube for faults, and draw every case so that a person can see it.

Prints a line per finding and then their count; writes a picture per case, the
scan above its augmented copies, and overview.png with all cases.

Example:
    python checkCube.py cube.h5 --output cube-check/
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from system.atomic import require_folder
from system.errors import UsageError
from system.shell import script


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="checkCube.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Exit code: 0 no findings, 1 findings or unreadable cube, 2 wrong use.",
    )
    parser.add_argument("cube", type=Path, help="HDF5 file written by makeCube.py")
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="folder for the pictures (PNG)"
    )
    parser.add_argument(
        "--force", action="store_true", help="write into a folder that holds PNGs"
    )
    parser.add_argument(
        "--no-pictures", action="store_true", help="check only, draw nothing"
    )
    args = parser.parse_args(argv)
    if (args.output is None) != args.no_pictures:
        parser.error("either --output DIR or --no-pictures must be given")
    return args


def require_room(folder: Path, *, force: bool) -> None:
    """Refuse a folder in which pictures would be lost.

    Raises:
        UsageError: If `folder` is a file, or holds PNGs and `force` is off.
    """
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise UsageError(f"{folder}: must be a folder. Received: a file")
    require_folder(folder)
    held = len(list(folder.glob("*.png")))
    if held and not force:
        raise UsageError(
            f"{folder}: must not hold pictures yet. Received: {held} PNG files. "
            "Give another --output, or --force to overwrite them."
        )


def check(cube_path: Path, folder: Path | None) -> list:
    """Look at every row once: for findings and, with a folder, for pictures."""
    # Imported late, so that --help and wrong use are answered at once.
    from cube.checks import check_cube
    from cube.contact_sheets import ContactSheets
    from cube.reader import Cube

    with (
        Cube(cube_path) as cube,
        tqdm(total=len(cube), unit="row", disable=None) as progress,
    ):
        pictures = None if folder is None else ContactSheets(cube, folder)

        def visit(row, image, label):
            progress.set_description(cube.case_ids[row])
            if pictures is not None:
                pictures.add(row, image, label)
            progress.update()

        findings = check_cube(cube, visit)
        if pictures is not None:
            pictures.write_overview()
    return findings


@script
def main(argv: Sequence[str] | None = None) -> int:
    """Run the check; see the module's docstring."""
    args = parse_args(argv)
    if args.output is not None:
        require_room(args.output, force=args.force)
    findings = check(args.cube, args.output)
    if args.output is not None:
        print(f"Pictures: {args.output / 'overview.png'} and one per case beside it")
    for finding in findings:
        print(finding)
    print("1 finding" if len(findings) == 1 else f"{len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
