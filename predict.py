"""Label scans with a trained network, each on its own grid.

Example:
    python predict.py scan.nrrd --model run/unet3d/model.keras --output labels
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from system.errors import DataError
from system.limits import MAX_VOXELS
from system.shell import script


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("scans", type=Path, nargs="+", metavar="SCAN", help="NRRD or NIfTI file")
    add("--model", type=Path, required=True, help="model.keras written by train.py")
    add("--output", type=Path, required=True, help="folder for the label maps")
    add(
        "--format",
        choices=("seg.nrrd", "input"),
        default="seg.nrrd",
        help="segmentation for 3D Slicer, or the format of the scan (default seg.nrrd)",
    )
    add(
        "--keep-largest",
        action="store_true",
        help="keep only the largest connected component of each class",
    )
    add(
        "--max-voxels",
        type=int,
        default=MAX_VOXELS,
        metavar="N",
        help="refuse a scan that has more by its header (default %(default)s)",
    )
    add("--require-gpu", action="store_true", help="stop if there is no GPU")
    add("--force", action="store_true", help="replace existing label maps")
    args = parser.parse_args(argv)
    if args.max_voxels < 1:
        parser.error(f"--max-voxels must be 1 or more. Received: {args.max_voxels}")
    return args


@script
def main(argv: Sequence[str] | None = None) -> int:
    """Label every scan; a scan that fails does not stop the rest."""
    args = parse_args(argv)
    # Late, so that --help and wrong flags are answered at once.
    from tqdm import tqdm

    from models.device import find_device
    from models.model_file import load_model
    from runs.labelling import label_scan, plan_label_maps

    label_maps = plan_label_maps(args.scans, args.output, args.format, force=args.force)
    print(f"predicting on {find_device(require_gpu=args.require_gpu)}")
    network, metadata = load_model(args.model)
    num_failed = 0
    with tqdm(label_maps.items(), unit="scan", disable=None) as bar:
        for scan, label_map in bar:
            bar.set_description(scan.name)
            try:
                line = label_scan(
                    network,
                    metadata,
                    scan,
                    label_map,
                    largest_only=args.keep_largest,
                    max_voxels=args.max_voxels,
                )
                bar.write(line)
            except DataError as error:
                bar.write(str(error), file=sys.stderr)
                num_failed += 1
    if num_failed:
        print(f"{num_failed} of {len(label_maps)} scans failed.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
