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
from collections.abc import Sequence

from runs.label_flags import add_label_map_flags, check_limit
from system.command_line import CommandLine
from system.errors import DataError, UsageError
from system.shell import script


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


@script
def main(argv: Sequence[str] | None = None) -> int:
    """Label the vertebrae of each label map; one that fails does not stop the rest."""
    args = parse_args(argv)
    # Late, so that --help and wrong flags are answered at once.
    from runs.vertebra_files import VertebraTables, label_file, read_scheme
    from runs.vertebra_plan import plan_files
    from spine.naming import parse_lowest

    lowest = parse_lowest(args.lowest)
    table = read_scheme(args.scheme)
    plan = plan_files(args.label_maps, args.output, args.format, force=args.force)
    scans = args.scans or [None] * len(plan)
    tables, num_failed = VertebraTables(args.output), 0
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
        except UsageError:
            raise
        except DataError as error:
            print(error, file=sys.stderr)
            num_failed += 1
            continue
        print("\n  ".join([f"{source} -> {files.label_map}", *labelled.lines]))
        tables.add(labelled)
    if num_failed:
        print(f"{num_failed} of {len(plan)} label maps failed.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
