"""Measure what a network loses where a scan shows a few vertebrae, not the spine.

Example:
    python benchmarks/crops.py pairs.txt --model run/unet2d/model.keras --output crops

Each scan is cut to its three middle vertebrae plus 20 mm on all sides, and written
with its label map; `pairs.txt` in the output folder lists the crops. With a model,
the voxels of a crop are scored twice: as predicted from the crop alone, and in the
prediction of the whole scan; `crops.json` holds the Dice coefficients. Each value of
a label map must be one vertebra; where the values have names, only vertebrae count.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# This folder's augment.py must not stand in front of the package `augment`.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import numpy.typing as npt
from scipy.ndimage import center_of_mass

from cube.pairs import Pair, read_pairs
from cube.splits import SPLITS
from runs.folder import write_json
from system.errors import DataError
from system.shell import script
from system.text import format_table
from volumes.formats.files import (
    read_finite_volume,
    read_label_map,
    write_image,
    write_label_map,
)
from volumes.geometry import Grid
from volumes.label_tables import name_values
from volumes.lattice import place_on_grid
from volumes.structures import VERTEBRA_NAMES
from volumes.vertebrae import label_color
from volumes.volume import Segment, Volume

Box = tuple[slice, ...]


@dataclass(frozen=True)
class Case:
    """A scan with its vertebrae.

    Args:
        image: The scan.
        labels: One value for each vertebra, shape of the scan, 0 elsewhere.
        names: Of the values that have one.
    """

    image: Volume
    labels: npt.NDArray[np.uint16]
    names: dict[int, str]


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("pairs", type=Path, help="pair list of makeCube.py")
    add("--output", type=Path, required=True, help="folder for the crops")
    add("--model", type=Path, help="model.keras to score")
    add("--split", choices=SPLITS, help="crop the scans of this split only")
    add("--test", action="store_true", help="list all crops in the split test")
    add("--vertebrae", type=int, default=3, metavar="N", help="in a crop (default 3)")
    add("--margin", type=float, default=20, metavar="MM", help="around (default 20)")
    args = parser.parse_args(argv)
    if args.vertebrae < 1 or not 0 <= args.margin < np.inf:
        parser.error(
            "--vertebrae must be 1 or more and --margin 0 or more. Received: "
            f"{args.vertebrae} and {args.margin}"
        )
    return args


def read_case(pair: Pair) -> Case:
    """Read a scan and its label map, without structures that are no vertebrae."""
    image = read_finite_volume(pair.image)
    label_map = read_label_map(pair.label)
    names, _ = name_values(label_map.segments, pair.label_table)
    labels = place_on_grid(label_map, image, pair.case_id).array
    if names:
        names = {value: n for value, n in names.items() if n in VERTEBRA_NAMES}
        labels = np.where(np.isin(labels, list(names)), labels, 0).astype(np.uint16)
    if not labels.any():
        raise DataError(f"{pair.label} must label a vertebra. Received: none")
    return Case(image, labels, names)


def middle_vertebrae(
    labels: npt.NDArray[np.uint16], grid: Grid, count: int
) -> list[int]:
    """Return the values of the middle vertebrae from below, all if they are fewer."""
    values = [int(value) for value in np.unique(labels) if value]
    centers = grid.to_world(center_of_mass(labels > 0, labels, values))
    upwards = [values[index] for index in np.argsort(centers[:, 2])]
    first = max(0, (len(values) - count) // 2)
    return upwards[first : first + count]


def box_around(mask: npt.NDArray[np.bool_], margin_voxels: Sequence[float]) -> Box:
    """Return the box of a mask's voxels, wider by a margin but inside the array."""
    found = np.argwhere(mask)
    margin = np.ceil(margin_voxels).astype(int)
    starts = np.maximum(found.min(axis=0) - margin, 0)
    stops = np.minimum(found.max(axis=0) + 1 + margin, mask.shape)
    return tuple(map(slice, starts.tolist(), stops.tolist()))


def crop_grid(grid: Grid, box: Box) -> Grid:
    """Return the grid of a box of voxels."""
    affine = grid.affine.copy()
    affine[:3, 3] = grid.to_world([side.start for side in box])
    return Grid(tuple(side.stop - side.start for side in box), affine)


def write_crop(folder: Path, case: Case, box: Box) -> tuple[Path, Path]:
    """Write a box of a scan and its labels; return the paths of both."""
    image_path, grid = folder / "image.nrrd", crop_grid(case.image.grid, box)
    label_path = folder / ("label.seg.nrrd" if case.names else "label.nrrd")
    folder.mkdir(parents=True, exist_ok=True)
    image = Volume(np.ascontiguousarray(case.image.array[box]), grid, image_path)
    write_image(image_path, image.array, grid)
    segments = [Segment(*item, label_color(item[0])) for item in case.names.items()]
    write_label_map(label_path, case.labels[box], like=image, segments=segments)
    return image_path, label_path


def dice(a: npt.NDArray[np.bool_], b: npt.NDArray[np.bool_]) -> float:
    """Return the Dice coefficient of two masks; 1 if both are empty."""
    total = int(a.sum() + b.sum())
    return 2 * int((a & b).sum()) / total if total else 1.0


def score(network, metadata, case: Case, box: Box) -> dict[str, float]:
    """Predict a scan and a box of it; return the Dice coefficients of the spine."""
    from models.prediction import predict_scan

    array, grid, reference = case.image.array, case.image.grid, case.labels > 0
    whole = predict_scan(network, metadata, array, grid) > 0
    crop = predict_scan(network, metadata, array[box], crop_grid(grid, box)) > 0
    return {
        "whole_scan": dice(whole, reference),
        "box_of_whole_scan": dice(whole[box], reference[box]),
        "crop": dice(crop, reference[box]),
    }


def report(scores: dict[str, dict[str, float]], path: Path) -> None:
    """Print a table of the scores with their means, and write them as JSON."""
    columns = list(next(iter(scores.values())))
    mean = {key: float(np.mean([s[key] for s in scores.values()])) for key in columns}
    write_json(path, {"cases": scores, "mean": mean})
    heads = ["Dice", *(key.replace("_", " ") for key in columns), "crop - box"]
    rows = []
    for name, found in {**scores, "mean": mean}.items():
        lost = found["crop"] - found["box_of_whole_scan"]
        rows.append([name, *(f"{found[key]:.3f}" for key in columns), f"{lost:+.3f}"])
    print(format_table(heads, rows))


@script
def main(argv: Sequence[str] | None = None) -> int:
    """Crop every scan, list the crops, and score a model on them."""
    args = parse_args(argv)
    pairs = [p for p in read_pairs(args.pairs) if args.split in (None, p.split)]
    if not pairs:
        raise DataError(f"{args.pairs} must list a case of {args.split}. Received: 0")
    if args.model:
        from models.model_file import load_model

        network, metadata = load_model(args.model)
    lines, scores = [], {}
    for pair in pairs:
        case = read_case(pair)
        kept = middle_vertebrae(case.labels, case.image.grid, args.vertebrae)
        margin = args.margin / np.array(case.image.grid.spacing)
        box = box_around(np.isin(case.labels, kept), margin)
        paths = write_crop(args.output / pair.case_id, case, box)
        split = "test" if args.test else pair.split
        names = [path.relative_to(args.output) for path in paths]
        names += [pair.subject, *([split] if split else [])]
        lines.append(",".join(f'"{name}"' for name in names))
        if args.model:
            scores[pair.case_id] = score(network, metadata, case, box)
    (args.output / "pairs.txt").write_text("\n".join(lines) + "\n")
    print(f"{len(lines)} crops, listed in {args.output / 'pairs.txt'}")
    if scores:
        report(scores, args.output / "crops.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
