"""Find, number and measure the vertebrae of label maps, from any program.

Example:
    python labelVertebrae.py scan_label.seg.nrrd --output vertebrae --lowest L5

Vertebrae of one class are separated; levels such as L1 and L2 are repaired. Each label
map is written with a segment for each vertebra and a picture along the spine's curve;
vertebrae.csv and spines.csv hold the measures of all of them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runs.label_flags import add_label_map_flags, check_limit
from system.command_line import CommandLine
from system.errors import DataError, UsageError
from system.shell import script

if TYPE_CHECKING:
    from runs.vertebra_plan import VertebraFiles
    from volumes.label_tables import LabelTable


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = CommandLine(__doc__)
    add_label_map_flags(parser)
    args = parser.parse_args(argv)
    check_limit(parser, args.max_voxels)
    if args.scans and len(args.scans) != len(args.label_maps):
        parser.error(
            "--scans must name as many scans as there are label maps. Received: "
            f"{len(args.scans)} and {len(args.label_maps)}"
        )
    return args


def label_files(
    args: argparse.Namespace,
    plan: Mapping[Path, VertebraFiles],
    lowest: str | None,
    table: LabelTable | None,
) -> int:
    """Label the vertebrae of each label map; one that fails does not stop the rest.

    Args:
        args: The command line.
        plan: The files that are written for each label map.
        lowest: Name of the lowest vertebra.
        table: Names of values, for label maps without names.

    Returns:
        The exit code: that of wrong use if no label map has the words of --labels.
    """
    from runs.leftovers import remove_other_formats, remove_vertebrae
    from runs.vertebra_files import VertebraTables, label_file
    from runs.vertebrae import NoChainError

    tables, failures = VertebraTables(args.output), []
    scans = args.scans or [None] * len(plan)
    for (source, files), scan in zip(plan.items(), scans, strict=True):
        try:
            labelled = label_file(
                source,
                files,
                words=args.labels,
                table=table,
                lowest=lowest,
                scan=scan,
                max_voxels=args.max_voxels,
            )
            tables.add(labelled)
            if args.force:
                remove_other_formats(files)
        except DataError as error:
            print(error, file=sys.stderr)
            failures.append(error)
            if args.force and isinstance(error, NoChainError):
                remove_vertebrae(files)
            continue
        print("\n  ".join([f"{source} -> {files.label_map}", *labelled.lines]))
    if not failures:
        return 0
    print(f"{len(failures)} of {len(plan)} label maps failed.", file=sys.stderr)
    kinds = {type(error) for error in failures}
    have_words = len(failures) < len(plan) or NoChainError in kinds
    return 2 if UsageError in kinds and not have_words else 1


@script
def main(argv: Sequence[str] | None = None) -> int:
    """Choose the files, and label the vertebrae of each label map."""
    args = parse_args(argv)
    # Late, so that --help and wrong flags are answered at once.
    from runs.label_scheme import read_scheme
    from runs.vertebra_plan import plan_files
    from spine.naming import parse_lowest

    lowest = parse_lowest(args.lowest)
    table = read_scheme(args.scheme)
    plan = plan_files(args.label_maps, args.output, args.format, force=args.force)
    return label_files(args, plan, lowest, table)


if __name__ == "__main__":
    sys.exit(main())
