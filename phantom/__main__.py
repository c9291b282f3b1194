"""Make up scans of the lumbar spine with their label maps, to try things out.

Example:
    python -m phantom scans/ --cases 12 --seed 0

Each case is a folder with image.nrrd and label.nrrd; pairs.txt lists them. The
folder `unseen` holds one scan more, in no list, and its reference. Most scans
look like T2-weighted MR, every fourth like CT. No person was ever scanned.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from phantom.cases import UNSEEN, case_name, write_case, write_pairs
from system.errors import DataError, UsageError
from system.processes import map_cases


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m phantom",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("output", type=Path, metavar="OUT", help="folder to fill")
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
        default=os.cpu_count(),
        metavar="N",
        help="scans made at a time, 1 or more (default: one a core, %(default)s)",
    )
    parser.add_argument("--force", action="store_true", help="replace OUT/pairs.txt")
    return parser.parse_args(argv)


def check_request(args: argparse.Namespace) -> None:
    """Refuse what cannot be done before anything is written."""
    for name, least in (("cases", 1), ("seed", 0), ("workers", 1)):
        if getattr(args, name) < least:
            raise UsageError(
                f"--{name} must be {least} or more. "
                f"Received: --{name} {getattr(args, name)}"
            )
    pairs = args.output / "pairs.txt"
    if pairs.exists() and not args.force:
        raise UsageError(f"{pairs}: exists already; give --force to replace it")


def main(argv: Sequence[str] | None = None) -> int:
    """Write the cases, then the list of them."""
    args = parse_args(argv)
    write = partial(write_case, args.output, args.seed)
    try:
        check_request(args)
        cases = [*range(1, args.cases + 1), UNSEEN]
        workers = min(args.workers, len(cases))
        for line in map_cases(write, cases, workers, name=case_name):
            if isinstance(line, DataError):
                raise line
            print(line, flush=True)
        write_pairs(args.output, args.cases, args.seed)
    except DataError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
