"""The flags of predict.py and labelVertebrae.py.

This module imports nothing heavy, so that their --help stays fast.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from system.limits import MAX_VOXELS
from volumes.intensity_flag import add_intensity_flag


def add_scan_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of predict.py that state what is read."""
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
    add_intensity_flag(parser, "as the model was trained")
    add_limit_flag(parser, "a scan")
    add("--require-gpu", action="store_true", help="stop if there is no GPU")


def add_prediction_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of predict.py that state what is written."""
    add = parser.add_argument
    add(
        "--output",
        type=Path,
        required=True,
        help="folder for the label maps, their pictures and labels.csv",
    )
    add_format_flag(parser, "the scan, if it is not DICOM")
    add(
        "--keep",
        choices=("all", "spine", "largest"),
        help="keep all of the prediction, what lies along the chain of vertebrae, or "
        "the largest connected component of each class (default: as the model says)",
    )
    add(
        "--vertebrae",
        action="store_true",
        help="find, number and measure the vertebrae as well, as labelVertebrae.py "
        "does: a label map and a picture of each scan, vertebrae.csv and spines.csv",
    )
    add_lowest_flag(parser)
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
    add("--no-pictures", action="store_true", help="draw no pictures")
    add("--force", action="store_true", help="replace existing files")


def add_label_map_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of labelVertebrae.py."""
    add = parser.add_argument
    add(
        "label_maps",
        type=Path,
        nargs="+",
        metavar="LABELMAP",
        help="NRRD, NIfTI or MetaImage file",
    )
    add("--output", type=Path, required=True, help="folder for all files")
    add_lowest_flag(parser)
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
        help="the scan of each label map, on its grid and in the same order, for the "
        "pictures",
    )
    add_format_flag(parser, "the label map")
    add_limit_flag(parser, "a file")
    add("--force", action="store_true", help="replace existing files")


def add_format_flag(parser: argparse.ArgumentParser, read: str) -> None:
    """Add --format, of the label maps that are written; `read` is what is read."""
    parser.add_argument(
        "--format",
        choices=("seg.nrrd", "input"),
        default="seg.nrrd",
        help=f"segmentation for 3D Slicer, or the format of {read} (default seg.nrrd)",
    )


def add_lowest_flag(parser: argparse.ArgumentParser) -> None:
    """Add --lowest, which names the vertebrae."""
    parser.add_argument(
        "--lowest",
        metavar="LEVEL",
        help="name of the lowest vertebra, as L5, from which all are named upwards "
        "(default: V1, V2 and so on, or the levels that the labels are)",
    )


def add_limit_flag(parser: argparse.ArgumentParser, what: str) -> None:
    """Add --max-voxels, the limit of the size of `what`."""
    parser.add_argument(
        "--max-voxels",
        type=int,
        default=MAX_VOXELS,
        metavar="N",
        help=f"refuse {what} that has more by its header (default %(default)s)",
    )


def check_limit(parser: argparse.ArgumentParser, max_voxels: int) -> None:
    """End with a message if --max-voxels is below 1."""
    if max_voxels < 1:
        parser.error(f"--max-voxels must be 1 or more. Received: {max_voxels}")
