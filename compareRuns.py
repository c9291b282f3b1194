"""Compare two networks over one or several runs, or gather a cross-validation.

Each network is one side of the comparison. With --against, the runs before it are
one side and the runs after it the other, for example two losses of one network.
All runs must be of the same cube, and both sides must test the same cases, each
case once.

Example:
    python compareRuns.py cv/fold0 cv/fold1 cv/fold2 --output cv/comparison
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from system.shell import script


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "runs",
        type=Path,
        nargs="+",
        metavar="RUN",
        help="run folders of train.py, of one network or of both",
    )
    parser.add_argument(
        "--against",
        type=Path,
        nargs="+",
        default=[],
        metavar="RUN",
        help="run folders of the second side",
    )
    parser.add_argument(
        "--cases",
        nargs="+",
        default=[],
        metavar="PATTERN",
        help="compare only the cases whose id matches, for example 'VB3_*'",
    )
    parser.add_argument(
        "--output",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder for the page, its tables and pictures",
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="replace an earlier page",
    )
    return parser.parse_args(argv)


@script
def main(argv: Sequence[str] | None = None) -> int:
    """Read the runs, compare them, and write the page."""
    args = parse_args(argv)
    # Late, so that --help and wrong flags are answered at once.
    from runs.comparing import compare_runs
    from runs.folder import check_page_folder

    check_page_folder(args.output, force=args.force)
    options = {"cases": args.cases, "force": args.force}
    print(compare_runs(args.runs, args.output, args.against, **options))
    return 0


if __name__ == "__main__":
    sys.exit(main())
