"""Label scans with one or several trained networks, each scan on its own grid.

The probabilities of several networks, as of the folds of a cross-validation or of
both networks of a run, are averaged.

Examples:
    python predict.py scan.nrrd scans --model run/unet3d --output labels
    python predict.py scan.nrrd --model run --output labels --vertebrae --lowest L5
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runs.label_flags import add_prediction_flags, add_scan_flags, check_limit
from system.command_line import CommandLine
from system.errors import DataError, UsageError
from system.shell import script
from system.text import count_of
from volumes.intensity_flag import parse_intensity

if TYPE_CHECKING:
    from models.ensemble import Member
    from runs.label_plan import Outputs
    from runs.label_table import LabelTable
    from runs.vertebra_files import PredictedVertebrae


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = CommandLine(__doc__)
    add_scan_flags(parser)
    add_prediction_flags(parser)
    args = parser.parse_args(argv)
    check_limit(parser, args.max_voxels)
    if args.lowest is not None and not args.vertebrae:
        parser.error(f"--lowest needs --vertebrae. Received: --lowest {args.lowest}")
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
    vertebrae: PredictedVertebrae | None,
) -> int:
    """Label every scan; a scan that fails does not stop the rest.

    Args:
        args: The command line.
        members: The networks.
        plan: The files that are written for each scan.
        table: Rows of labels.csv.
        vertebrae: To find in the predictions; None to find none.

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
                    vertebrae=vertebrae,
                )
                bar.write(found.line)
                table.replace(found.rows, outputs.replaced)
                num_warned += bool(found.warnings)
                if found.fault:
                    raise DataError(found.fault)
            except DataError as error:
                bar.write(str(error), file=sys.stderr)
                num_failed += 1
    _print_counts(num_warned, num_failed, len(plan))
    return 1 if num_failed or (num_warned and args.strict) else 0


def _print_counts(num_warned: int, num_failed: int, num_scans: int) -> None:
    """Print how many scans have warnings, and how many failed; nothing if none."""
    of_plan = count_of(num_scans, "scan")
    if num_warned:
        have = "has" if num_warned == 1 else "have"
        print(f"{num_warned} of {of_plan} {have} warnings.", file=sys.stderr)
    if num_failed:
        print(f"{num_failed} of {of_plan} failed.", file=sys.stderr)


@script
def main(argv: Sequence[str] | None = None) -> int:
    """Find the scans and the networks, and label every scan."""
    args = parse_args(argv)
    # Late, so that --help and wrong flags are answered at once.
    from runs.label_plan import TABLE_NAME, check_present, find_scans, plan_outputs
    from runs.label_table import LabelTable
    from runs.model_paths import find_models
    from runs.vertebra_files import PredictedVertebrae, choose_classes
    from runs.vertebra_plan import check_existing
    from spine.naming import parse_lowest

    lowest = parse_lowest(args.lowest)
    scans = find_scans(args.scans, args.output)
    plan = plan_outputs(scans, args.output, args.format, force=args.force)
    table = LabelTable(args.output / TABLE_NAME)
    vertebrae = None
    if args.vertebrae:
        pictures = not args.no_pictures
        vertebrae = PredictedVertebrae(args.output, lowest, pictures=pictures)
        check_existing(vertebrae.plan(plan), args.output, force=args.force)
    models = find_models(args.model, first="scans")
    check_present(scans)
    # Last, as TensorFlow takes many seconds to start.
    from models.device import find_device
    from models.ensemble import load_members, settle_members

    print(f"predicting on {find_device(require_gpu=args.require_gpu)}")
    members = settle_members(load_members(models), args.intensity, args.keep)
    if len(members) > 1:
        print(f"averaging {len(members)} models: {', '.join(map(str, models))}")
    if vertebrae:
        choose_classes(members[0].metadata.segments())
    return label_scans(args, members, plan, table, vertebrae)


if __name__ == "__main__":
    sys.exit(main())
