"""Label scans with a trained network, each on its own grid.

Example:
    python predict.py scan.nrrd --model run/unet3d/model.keras --output labels
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from system.errors import DataError, UsageError
from system.limits import MAX_VOXELS
from system.shell import script
from volumes.intensity_flag import (
    add_intensity_flag,
    describe_intensity,
    parse_intensity,
)


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
        help="NRRD, NIfTI or MetaImage file, or folder with one DICOM series",
    )
    add("--model", type=Path, required=True, help="model.keras written by train.py")
    add("--output", type=Path, required=True, help="folder for the label maps")
    add(
        "--format",
        choices=("seg.nrrd", "input"),
        default="seg.nrrd",
        help="segmentation for 3D Slicer, or the format of the scan, if it is not "
        "DICOM (default seg.nrrd)",
    )
    add(
        "--keep-largest",
        action="store_true",
        help="keep only the largest connected component of each class",
    )
    add_intensity_flag(parser, "as the model was trained")
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
    try:
        args.intensity = parse_intensity(args.intensity)
    except UsageError as error:
        parser.error(str(error))
    return args


def choose_intensity(requested: tuple, of_model: tuple) -> tuple:
    """Return how the scans are normalised, and print it."""
    if requested == ("auto",):
        print(f"intensity: {describe_intensity(of_model)}, as the model was trained")
        return of_model
    print(
        f"intensity: {describe_intensity(requested)}, by --intensity; the model was "
        f"trained with: {describe_intensity(of_model)}"
    )
    return requested


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
    intensity = choose_intensity(args.intensity, metadata.intensity)
    metadata = replace(metadata, intensity=intensity)
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
