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
from pathlib import Path

from system.errors import DataError, UsageError
from system.limits import MAX_VOXELS
from system.shell import script


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add(
        "label_maps",
        type=Path,
        nargs="+",
        metavar="LABELMAP",
        help="NRRD, NIfTI or MetaImage file",
    )
    add("--output", type=Path, required=True, help="folder for all files")
    add(
        "--lowest",
        metavar="LEVEL",
        help="name of the lowest vertebra, as L5, from which all are named upwards "
        "(default: V1, V2 and so on, or the levels of the label map)",
    )
    add(
        "--labels",
        nargs="+",
        default=[],
        metavar="WORD",
        help="structures that are vertebrae: names (L1 L2, lumbar) or values (default: "
        "all vertebrae by name, or all values where none has a name)",
    )
    add(
        "--scheme",
        metavar="WORD",
        help="names of values in label maps without names: verse, totalsegmentator or "
        "a CSV file with rows value,name",
    )
    add(
        "--scans",
        type=Path,
        nargs="+",
        default=[],
        metavar="SCAN",
        help="the scan of each label map, in the same order, for the pictures",
    )
    add(
        "--format",
        choices=("seg.nrrd", "input"),
        default="seg.nrrd",
        help="segmentation for 3D Slicer, or the format of the label map (default "
        "seg.nrrd)",
    )
    add(
        "--max-voxels",
        type=int,
        default=MAX_VOXELS,
        metavar="N",
        help="refuse a file that has more by its header (default %(default)s)",
    )
    add("--force", action="store_true", help="replace existing files")
    args = parser.parse_args(argv)
    if args.max_voxels < 1:
        parser.error(f"--max-voxels must be 1 or more. Received: {args.max_voxels}")
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
