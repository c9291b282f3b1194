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


# fmt: off
def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("scans", type=Path, nargs="+", metavar="SCAN", help="NRRD or NIfTI")
    add("--model", type=Path, required=True, help="model.keras of train.py")
    add("--output", type=Path, required=True, help="folder for the label maps")
    add("--format", choices=("seg.nrrd", "input"), default="seg.nrrd", help="for 3D Slicer, or as the scan's file (default seg.nrrd)")
    add("--keep-largest", action="store_true", help="keep only the largest connected component of each class")
    add("--max-voxels", type=int, default=MAX_VOXELS, metavar="N", help="refuse a scan whose header promises more (default 2147483648)")
    add("--require-gpu", action="store_true", help="stop if there is no GPU")
    add("--force", action="store_true", help="replace existing label maps")
    args = parser.parse_args(argv)
    if args.max_voxels < 1:
        parser.error("--max-voxels must be 1 or more")
    return args


# fmt: on
@script
def main(argv: Sequence[str] | None = None) -> int:
    """Label every scan; one that fails does not stop the rest."""
    args = parse_args(argv)
    # Late, so that --help and a wrong flag answer at once.
    from tqdm import tqdm

    from models.device import find_device
    from models.model_file import load_model
    from runs.labelling import label_scan, plan_labels

    labels = plan_labels(args.scans, args.output, args.format, force=args.force)
    print(f"predicting on {find_device(require_gpu=args.require_gpu)}")
    network, metadata = load_model(args.model)
    failed = 0
    with tqdm(labels.items(), unit="scan", disable=None) as bar:
        for scan, label in bar:
            bar.set_description(scan.name)
            try:
                options = (args.keep_largest, args.max_voxels)
                bar.write(label_scan(network, metadata, scan, label, *options))
            except DataError as error:
                bar.write(str(error), file=sys.stderr)
                failed += 1
    if failed:
        print(f"{failed} of {len(labels)} scans failed.", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
