"""Generate synthetic scans of the lumbar spine with label maps, for demos and tests.

Example:
    python -m phantom scans/ --cases 12 --seed 0

Each case is a folder with image.nrrd and label.nrrd; pairs.txt lists them. The
folder `unseen` holds one more scan, not in the list, with its reference. Most
scans resemble T2-weighted MR, every fourth resembles CT.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from system.command_line import CommandLine
from system.errors import UsageError
from system.job import available_cpus
from system.processes import map_cases
from system.shell import script


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = CommandLine(__doc__, prog="python -m phantom")
    parser.add_argument("output", type=Path, metavar="OUT", help="output folder")
    parser.add_argument(
        "--cases",
        type=int,
        default=12,
        metavar="N",
        help="number of cases in pairs.txt, 1 or more (default: 12)",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        help="0 or more; the same seed gives the same files (default: 0)",
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=available_cpus(),
        metavar="N",
        help="worker processes, 1 or more (default: one per CPU that may be used, "
        "%(default)s)",
    )
    parser.add_argument("--force", action="store_true", help="replace OUT/pairs.txt")
    return parser.parse_args(argv)


def check_args(args: argparse.Namespace) -> None:
    """Check the flags before anything is written."""
    for name, least in (("cases", 1), ("seed", 0), ("workers", 1)):
        if getattr(args, name) < least:
            raise UsageError(
                f"--{name} must be {least} or more. "
                f"Received: --{name} {getattr(args, name)}"
            )
    pairs = args.output / "pairs.txt"
    if pairs.exists() and not args.force:
        raise UsageError(f"{pairs} exists already; --force replaces it.")


@script
def main(argv: Sequence[str] | None = None) -> int:
    """Write the cases and the pair list."""
    args = parse_args(argv)
    check_args(args)
    # Imported late, so that --help and usage errors are immediate.
    from phantom.cases import UNSEEN, case_name, write_case, write_pairs

    cases = [*range(1, args.cases + 1), UNSEEN]
    write = partial(write_case, args.output, args.seed)
    workers = min(args.workers, len(cases))
    for line in map_cases(write, cases, workers, name=case_name):
        print(line, flush=True)
    write_pairs(args.output, args.cases, args.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
