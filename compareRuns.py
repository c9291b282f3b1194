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

from system.command_line import CommandLine
from system.shell import script


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = CommandLine(__doc__)
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
    add_ensemble_flags(parser)
    parser.add_argument(
        "--output",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder for the page, its tables and pictures",
    )
    parser.add_argument("--force", action="store_true", help="replace an earlier page")
    args = parser.parse_args(argv)
    if args.ensemble is not None and args.against:
        parser.error("--against must not be given with --ensemble, which has one side")
    if args.ensemble is None and args.scans is not None:
        parser.error("--scans needs --ensemble; a comparison reads no scans")
    return args


def add_ensemble_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags with which the networks of the runs are tested together."""
    parser.add_argument(
        "--ensemble",
        type=Path,
        metavar="CUBE",
        help="instead of comparing, average the networks of the runs, test them "
        "together on the test cases of this cube, which none of them may have seen, "
        "and keep that run in DIR/ensemble",
    )
    parser.add_argument(
        "--scans",
        type=Path,
        metavar="DIR",
        help="with --ensemble, folder of the test cases' scans and label maps, if "
        "they were moved after the cube was built",
    )


def check_ensemble(runs: Sequence[Path], path: Path, patterns: Sequence[str]) -> None:
    """Check networks, the cube and --cases, before TensorFlow takes its time."""
    from cube.reader import Cube
    from runs.case_choice import check_patterns
    from runs.model_paths import find_models

    find_models(runs)
    with Cube(path) as cube:
        tested = cube.rows("test", copy=0)
        check_patterns(patterns, [cube.case_ids[row] for row in tested])


@script
def main(argv: Sequence[str] | None = None) -> int:
    """Read the runs, compare them, and write the page."""
    args = parse_args(argv)
    # Late, so that --help and wrong flags are answered at once.
    from runs.comparing import compare_runs
    from runs.folder import REPORT_NAME, check_page_folder

    check_page_folder(args.output, force=args.force)
    if args.ensemble is not None:
        check_ensemble(args.runs, args.ensemble, args.cases)
        from runs.ensemble_test import score_runs

        run = args.output / "ensemble"
        score_runs(args.runs, args.ensemble, run, scans=args.scans, force=args.force)
        args.runs = [run]
    options = {"cases": args.cases, "force": args.force}
    print(compare_runs(args.runs, args.output, args.against, **options).text)
    print(f"\nOpen {args.output / REPORT_NAME}: every case with its pictures")
    return 0


if __name__ == "__main__":
    sys.exit(main())
