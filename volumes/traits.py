"""What a scan and the structures labelled in it are like, in numbers.

Networks keep the ranges of these numbers over the scans they were trained on, so
that a scan unlike these, and a prediction unlike their label maps, can be told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

QUANTILES = tuple(range(5, 100, 10))  # percentiles of the normalised intensity
CENTRAL_SHARE = 0.95  # of the foreground, whose sides are measured
AXES = ("width", "depth", "height")  # right, anterior, superior


@dataclass(frozen=True)
class Rule:
    """How far a number may lie outside the range of the training scans.

    Args:
        words: What it is, for a message.
        unit: Of the number, after a blank; "" for none.
        factor: By which the ends of the range are multiplied or divided.
        offset: By which they are moved.
        below: Whether numbers below the range count as well.
        of_prediction: Whether it is of what is labelled, not of the scan.
    """

    words: str
    unit: str
    factor: float = 1.0
    offset: float = 0.0
    below: bool = True
    of_prediction: bool = False

    def excludes(self, value: float, low: float, high: float) -> bool:
        """Return whether a number lies too far outside a range."""
        is_above = value > high * self.factor + self.offset
        is_below = self.below and value < low / self.factor - self.offset
        return is_above or is_below

    def describe(self, value: float, low: float, high: float) -> str:
        """Describe a number and the range that it lies outside of."""
        shown, least, most = map(self._format, (value, low, high))
        return f"{self.words} {shown}{self.unit} (in training {least} to {most})"

    def _format(self, value: float) -> str:
        if self.unit == " ml":  # as predict.py prints volumes
            return f"{value:.1f}"
        return f"{value:.3g}" if value < 999.5 else f"{value:.0f}"


@dataclass(frozen=True)
class IntensityRule(Rule):
    """The rule of the distance of a scan's intensities from the mean."""

    def describe(self, value: float, low: float, high: float) -> str:
        """Describe a distance, its largest in training, and the way out."""
        return (
            f"{self.words} (distance {value:.2g}, in training at most {high:.2g}); for "
            "another contrast, fine-tune with train.py --weights, or train with "
            "--contrast-curves if that was 0"
        )


# Set on held-out MR of three sources, CT and MR of discs; see docs/training.md.
RULES = {
    "spacing": Rule("coarsest spacing", " mm", 2.0, below=False),
    **{f"field_{axis}": Rule(f"{axis} of the scan", " mm", 2.0) for axis in AXES},
    "intensity": IntensityRule(
        "its intensities are distributed unlike theirs", "", 2.5, 0.2, below=False
    ),
    "volume": Rule("volume", " ml", 3.0, of_prediction=True),
    "side_width": Rule("width", " mm", 1.5, of_prediction=True),
    "side_depth": Rule("depth", " mm", 1.5, of_prediction=True),
    "side_height": Rule("height", " mm", 3.0, of_prediction=True),
    "brightness": Rule("mean intensity", "", offset=0.5, of_prediction=True),
}


def measure_traits(
    voxels: npt.NDArray[np.floating],
    labelled: npt.NDArray[np.floating],
    classes: npt.NDArray[np.integer],
    spacing: Sequence[float],
    scan_spacing: Sequence[float],
    *,
    is_hounsfield: bool | None,
) -> dict[str, float | list[float] | None]:
    """Measure a scan and what is labelled in it.

    Args:
        voxels: Normalised intensities of the scan, or a sample, any shape.
        labelled: Normalised intensities of the foreground, or a sample; may be empty.
        classes: Shape (I, J, K), axes to right, anterior, superior, without padding
            around the scan; 0 is the background.
        spacing: Of `classes`, mm.
        scan_spacing: Of the scan as it was stored, mm.
        is_hounsfield: Whether the scan can be in HU; None if it is not known.

    Returns:
        A number for each name of `RULES` but "intensity", in place of which there are
        "quantiles", and "hounsfield" as it was given. Without foreground the volume
        is 0, and what is measured of it is missing.
    """
    sides = np.array(classes.shape) * spacing
    traits: dict[str, float | list[float] | None] = {
        "quantiles": np.percentile(voxels, QUANTILES).astype(float).tolist(),
        "hounsfield": is_hounsfield,
        "spacing": float(max(scan_spacing)),
        **{
            f"field_{axis}": float(side) for axis, side in zip(AXES, sides, strict=True)
        },
    }
    mask = classes > 0
    planes = mask.sum(axis=2)  # (I, J)
    profiles = (planes.sum(axis=1), planes.sum(axis=0), mask.sum(axis=(0, 1)))
    count = int(profiles[0].sum())
    traits["volume"] = float(count * np.prod(spacing) / 1000)
    if not count:
        return traits
    for axis, profile, step in zip(AXES, profiles, spacing, strict=True):
        traits[f"side_{axis}"] = _central_length(profile) * float(step)
    traits["brightness"] = float(np.mean(labelled, dtype=np.float64))
    return traits


def _central_length(profile: npt.NDArray[np.integer]) -> int:
    """Count the planes that hold the central share of the foreground."""
    shares = np.cumsum(profile) / profile.sum()
    tail = (1 - CENTRAL_SHARE) / 2
    first, last = np.searchsorted(shares, (tail, 1 - tail))
    return int(last - first + 1)


@dataclass(frozen=True)
class TraitRanges:
    """What the scans that a network was trained on are like.

    Args:
        num_scans: How many there are, at least one.
        num_hounsfield: How many of them can be in HU; None if that is not known.
        quantiles: Mean of their "quantiles".
        ranges: Least and largest of the other numbers, and of the distance of each
            scan's quantiles from the mean, "intensity".
    """

    num_scans: int
    num_hounsfield: int | None
    quantiles: tuple[float, ...]
    ranges: Mapping[str, tuple[float, float]]

    def describe(self, traits: Mapping) -> str:
        """Describe in what a scan and its prediction are unlike the training.

        Args:
            traits: From `measure_traits`.

        Returns:
            A sentence about the scan, one about the prediction, or both, separated by
            a semicolon; "" if nothing is unlike.
        """
        found = {**traits, "intensity": self._distance(traits["quantiles"])}
        if not found["volume"]:
            del found["volume"]  # an empty result is told by others
        scan = [self._describe_kind(traits["hounsfield"])]
        prediction = []
        for name, rule in RULES.items():
            if name in self.ranges and name in found:
                numbers = (found[name], *self.ranges[name])
                if rule.excludes(*numbers):
                    parts = prediction if rule.of_prediction else scan
                    parts.append(rule.describe(*numbers))
        sentences = []
        count = "the training scan"
        if self.num_scans > 1:
            count = f"the {self.num_scans} training scans"
        if any(scan):
            sentences.append(
                f"the scan is unlike {count}: {', '.join(filter(None, scan))}"
            )
        if prediction:
            sentences.append(
                f"the prediction is unlike the labels of {count}: "
                f"{', '.join(prediction)}; the network may be undertrained or the "
                "scan unlike those of the training"
            )
        return "; ".join(sentences)

    def _describe_kind(self, is_hounsfield: bool | None) -> str:
        if is_hounsfield is True and self.num_hounsfield == 0:
            return "it looks like CT (in training no scan does)"
        if is_hounsfield is False and self.num_hounsfield == self.num_scans:
            return "it does not look like CT (in training all scans do)"
        return ""

    def _distance(self, quantiles: Sequence[float]) -> float:
        return float(np.abs(np.subtract(quantiles, self.quantiles)).mean())


def find_ranges(scans: Sequence[Mapping]) -> TraitRanges | None:
    """Return the ranges of measured scans; None without any.

    Args:
        scans: From `measure_traits`.
    """
    if not scans:
        return None
    quantiles = np.mean([scan["quantiles"] for scan in scans], axis=0)
    kinds = [scan["hounsfield"] for scan in scans]
    num_hounsfield = None if None in kinds else sum(kinds)
    center = TraitRanges(len(scans), num_hounsfield, tuple(quantiles.tolist()), {})
    ranges = {}
    for name in RULES:
        if name == "intensity":
            values = [center._distance(scan["quantiles"]) for scan in scans]
        else:
            values = [scan[name] for scan in scans if name in scan]
        if values:
            ranges[name] = (float(min(values)), float(max(values)))
    return replace(center, ranges=ranges)


def parse_ranges(found: Mapping) -> TraitRanges:
    """Return ranges from their JSON form.

    Raises:
        ValueError: If they are not valid.
    """
    try:
        ranges = {
            name: (float(low), float(high))
            for name, (low, high) in found["ranges"].items()
        }
        quantiles = tuple(float(value) for value in found["quantiles"])
        num_scans, num_hounsfield = found["num_scans"], found["num_hounsfield"]
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"no valid ranges of training scans: {error}") from error
    numbers = [*quantiles, *(end for ends in ranges.values() for end in ends)]
    is_valid = (
        bool(np.isfinite(numbers).all())
        and set(ranges) <= set(RULES)
        and len(quantiles) == len(QUANTILES)
        and isinstance(num_scans, int)
        and num_scans >= 1
        and (num_hounsfield is None or isinstance(num_hounsfield, int))
    )
    if not is_valid:
        raise ValueError("no valid ranges of training scans")
    return TraitRanges(num_scans, num_hounsfield, quantiles, ranges)
