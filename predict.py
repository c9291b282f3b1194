"""Label scans with one or several trained networks, each scan on its own grid.

The probabilities of several networks, as of the folds of a cross-validation or of
both networks of a run, are averaged.

Example:
    python predict.py scan.nrrd scans --model run/unet3d --output labels
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from system.errors import DataError, UsageError
from system.limits import MAX_VOXELS
from system.shell import script
from volumes.intensity_flag import add_intensity_flag, parse_intensity

if TYPE_CHECKING:
    from models.ensemble import Member
    from runs.label_plan import Outputs
    from runs.label_table import LabelTable


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add(
        "scans",
        type=Path,
        nargs="+",
        metavar="SCAN",
        help="NRRD, NIfTI or MetaImage file, folder with one DICOM series, or folder "
        "of scans; before --model",
    )
    add(
        "--model",
        type=Path,
        nargs="+",
        required=True,
        metavar="MODEL",
        help="model.keras written by train.py, or its run folder; the probabilities "
        "of several are averaged",
    )
    add(
        "--output",
        type=Path,
        required=True,
        help="folder for the label maps, their pictures and labels.csv",
    )
    add(
        "--format",
        choices=("seg.nrrd", "input"),
        default="seg.nrrd",
        help="segmentation for 3D Slicer, or the format of the scan, if it is not "
        "DICOM (default seg.nrrd)",
    )
    add(
        "--keep",
        choices=("all", "spine", "largest"),
        help="keep all of the prediction, what lies along the chain of vertebrae, or "
        "the largest connected component of each class (default: as the model says)",
    )
    add(
        "--probabilities",
        action="store_true",
        help="write the mean probability of each class as well, in 255ths",
    )
    add(
        "--strict",
        action="store_true",
        help="end with exit code 1 if a scan has a warning",
    )
    add("--no-pictures", action="store_true", help="draw no overlays")
    add_intensity_flag(parser, "as the model was trained")
    add(
        "--max-voxels",
        type=int,
        default=MAX_VOXELS,
        metavar="N",
        help="refuse a scan that has more by its header (default %(default)s)",
    )
    add("--require-gpu", action="store_true", help="stop if there is no GPU")
    add("--force", action="store_true", help="replace existing files")
    args = parser.parse_args(argv)
    if args.max_voxels < 1:
        parser.error(f"--max-voxels must be 1 or more. Received: {args.max_voxels}")
    try:
        args.intensity = parse_intensity(args.intensity)
    except UsageError as error:
        parser.error(str(error))
    return args


def label_scans(
    args: argparse.Namespace,
    members: Sequence[Member],
    plan: dict[Path, Outputs],
    table: LabelTable,
) -> int:
    """Label every scan; a scan that fails does not stop the rest.

    Returns:
        The exit code.
    """
    from tqdm import tqdm

    from runs.labelling import label_scan

    num_failed = num_warned = 0
    with tqdm(plan.items(), unit="scan", disable=None) as bar:
        for scan, outputs in bar:
            bar.set_description(scan.name)
            try:
                found = label_scan(
                    members,
                    scan,
                    outputs,
                    max_voxels=args.max_voxels,
                    probabilities=args.probabilities,
                    picture=not args.no_pictures,
                )
                bar.write(found.line)
                table.replace(found.rows)
                num_warned += bool(found.warnings)
            except DataError as error:
                bar.write(str(error), file=sys.stderr)
                num_failed += 1
    if num_warned:
        print(f"{num_warned} of {len(plan)} scans have warnings.", file=sys.stderr)
    if num_failed:
        print(f"{num_failed} of {len(plan)} scans failed.", file=sys.stderr)
    return 1 if num_failed or (num_warned and args.strict) else 0


@script
def main(argv: Sequence[str] | None = None) -> int:
    """Find the scans and the networks, and label every scan."""
    args = parse_args(argv)
    # Late, so that --help and wrong flags are answered at once.
    from models.device import find_device
    from models.ensemble import load_members, settle_members
    from runs.label_plan import TABLE_NAME, find_scans, plan_outputs
    from runs.label_table import LabelTable
    from runs.model_paths import find_models

    scans = find_scans(args.scans, args.output)
    plan = plan_outputs(scans, args.output, args.format, force=args.force)
    table = LabelTable(args.output / TABLE_NAME)
    print(f"predicting on {find_device(require_gpu=args.require_gpu)}")
    models = find_models(args.model)
    members = settle_members(load_members(models), args.intensity, args.keep)
    if len(members) > 1:
        print(f"averaging {len(members)} models: {', '.join(map(str, models))}")
    return label_scans(args, members, plan, table)


if __name__ == "__main__":
    sys.exit(main())
