"""Measure how well the vertebrae of label maps are found once their labels are one.

Example:
    python benchmarks/vertebrae.py data/*/label.nrrd --bridge 0 2 4 6

Each value of a label map must be one vertebra; where the values have names, only
vertebrae count. The labels are joined, gaps of up to `--bridge` mm between them filled
along the spine, and the vertebrae found again. With `--predictions`, the label maps to
find vertebrae in lie in that folder, under the names of the references' folders.

"beyond" are instances above or below all vertebrae of the reference, which it may not
have labelled; they lower the precision. "told" are instances with a note, such as that
they were cut or are long; "missed and not told" are label maps with a wrong instance in
which no instance has a note. Seconds are of the CPU, those of the slowest label map.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# This folder's augment.py must not stand in front of the package `augment`.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from evaluation.instances import InstanceScore, score_instances
from runs.label_scheme import read_scheme
from spine.instances import find_instances
from system.shell import script
from system.text import format_table
from volumes.formats.files import read_label_map
from volumes.geometry import Grid
from volumes.label_tables import LabelTable, name_values
from volumes.structures import VERTEBRA_NAMES

HEADS = (
    "label maps",
    "vertebrae",
    "precision",
    "recall",
    "Dice",
    "merged",
    "split",
    "levels right",
    "beyond",
    "told",
    "missed and not told",
    "seconds",
)


@dataclass(frozen=True)
class Found:
    """What was found in one label map."""

    score: InstanceScore
    beyond: int
    told: int
    seconds: float

    @property
    def is_missed(self) -> bool:
        """Whether an instance is wrong and none has a note."""
        score = self.score
        wrong = score.num_reference + score.num_predicted - 2 * score.num_matched
        return wrong > 0 and not self.told


def fill_gaps(
    mask: npt.NDArray[np.bool_], grid: Grid, mm: float
) -> npt.NDArray[np.bool_]:
    """Fill gaps of a mask up to a width in mm along the patient's superior axis."""
    axis = int(np.abs(grid.direction[2]).argmax())
    width = int(mm / grid.spacing[axis] + 1e-6)
    if width < 1:
        return mask
    shape = [1, 1, 1]
    shape[axis] = width + 1
    padded = np.pad(mask, width + 1)
    closed = np.asarray(ndimage.binary_closing(padded, np.ones(shape, bool)))
    inner = slice(width + 1, -width - 1)
    return closed[inner, inner, inner]


def count_beyond(
    label_map: npt.NDArray[np.integer], reference: npt.NDArray[np.integer]
) -> int:
    """Count the instances above or below all that share voxels with the reference.

    Args:
        label_map: Instances numbered from below.
        reference: On the same grid.
    """
    shared = np.unique(label_map[(label_map > 0) & (reference > 0)])
    if not len(shared):
        return 0
    return int(label_map.max() - shared[-1] + shared[0] - 1)


def measure(
    path: Path, table: LabelTable | None, folder: Path | None, bridge: float
) -> Found:
    """Find the vertebrae of one label map again, and compare."""
    volume = read_label_map(path)
    names, _ = name_values(volume.segments, table)
    names = {value: name for value, name in names.items() if name in VERTEBRA_NAMES}
    reference = volume.array
    if names:
        reference = np.where(np.isin(reference, list(names)), reference, 0)
    mask = reference > 0
    if folder:
        mask = read_label_map(folder / f"{path.parent.name}.seg.nrrd").array > 0
    mask = fill_gaps(mask, volume.grid, bridge)
    start = time.process_time()
    found = find_instances(mask, volume.grid)
    seconds = time.process_time() - start
    label_map = np.zeros(mask.shape, np.uint8) if found is None else found.label_map
    score = score_instances(
        label_map,
        reference,
        grid=volume.grid,
        reference_names=names or None,
        case_id=path.parent.name,
    )
    told = 0 if found is None else len(found.notes) + len(found.partial)
    return Found(score, count_beyond(label_map, reference), told, seconds)


def as_row(name: str, found: Sequence[Found]) -> list[str]:
    """Return a row of the table, for one label map or several."""
    scores = [each.score for each in found]
    references = sum(score.num_reference for score in scores)
    predicted = sum(score.num_predicted for score in scores)
    matched = sum(score.num_matched for score in scores)
    dice = sum((score.matched_dice or 0) * score.num_matched for score in scores)
    return [
        name,
        str(references),
        f"{matched / max(predicted, 1):.3f}",
        f"{matched / max(references, 1):.3f}",
        f"{dice / max(matched, 1):.3f}",
        str(sum(score.num_merged for score in scores)),
        str(sum(score.num_split for score in scores)),
        f"{sum(s.num_identified for s in scores)}/{sum(s.num_named for s in scores)}",
        str(sum(each.beyond for each in found)),
        str(sum(each.told for each in found)),
        str(sum(each.is_missed for each in found)),
        f"{max(each.seconds for each in found):.1f}",
    ]


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("references", type=Path, nargs="+", metavar="LABELMAP")
    add("--scheme", help="names of values, as of labelVertebrae.py")
    add("--predictions", type=Path, metavar="DIR", help="label maps to find them in")
    add("--bridge", type=float, nargs="+", default=[0.0], metavar="MM")
    return parser.parse_args(argv)


@script
def main(argv: Sequence[str] | None = None) -> int:
    """Print a row for each label map, and one for all."""
    args = parse_args(argv)
    table = read_scheme(args.scheme)
    totals = []
    for bridge in args.bridge:
        found = []
        for path in args.references:
            found.append(measure(path, table, args.predictions, bridge))
            print("  ".join(as_row(path.parent.name, found[-1:])), flush=True)
        totals.append(as_row(f"{len(found)}, filled by {bridge:g} mm", found))
    print(format_table(HEADS, totals))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory {peak:.0f} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
