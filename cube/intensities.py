"""The one normalisation of a cube: settled over its scans, and checked on its rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cube.reader import Cube
from cube.survey import CaseInfo
from volumes.intensity_flag import describe_intensity
from volumes.intensity_rule import (
    IntensityProfile,
    describe_saturation,
    describe_span,
    find_disagreements,
    settle_intensity,
)

MAX_SHOWN_SCANS = 10
LEAST_SCANS = 5  # whose spread says what is usual
MEAN_SPREADS = 6.0  # so far from the median of the means a scan is no chance
LEAST_DISTANCE = 0.3  # in normalised intensity, of which a window has 2
SPREAD_OF_MAD = 1.4826  # the standard deviation, of a normal distribution


def settle_rule(cases: Sequence[CaseInfo], requested: tuple) -> tuple[tuple, str]:
    """Settle the normalisation of a cube.

    Args:
        cases: Every case.
        requested: The value of --intensity.

    Returns:
        The mode, never ("auto",), and why.
    """
    if requested != ("auto",):
        return requested, "by --intensity"
    mode, reason = settle_intensity(_profiles(cases))
    return mode, f"auto: {reason}"


def describe_rule(cases: Sequence[CaseInfo], mode: tuple, reason: str) -> list[str]:
    """Describe the normalisation of a cube, and the scans that it may not suit."""
    lines = [f"intensity {describe_intensity(mode)} ({reason})"]
    found = find_disagreements(
        _profiles(cases), mode, mixtures=reason.startswith("auto")
    )
    for case_id, message in list(found.items())[:MAX_SHOWN_SCANS]:
        lines.append(f"note      {case_id}: {message}")
    if len(found) > MAX_SHOWN_SCANS:
        lines.append(f"note      and {len(found) - MAX_SHOWN_SCANS} more such scans")
    return lines


def _profiles(cases: Sequence[CaseInfo]) -> dict[str, IntensityProfile]:
    return {case.pair.case_id: case.profile for case in cases}


@dataclass(frozen=True)
class ScanIntensity:
    """What a row of the cube shows of its scan's normalised intensity.

    Args:
        mean: Over the voxels of the scan.
        bottom: Share of the voxels at the lower end of a window.
        top: Share of the voxels at the upper end of a window.
        span: From the 0.5 to the 99.5 percentile.
    """

    mean: float
    bottom: float
    top: float
    span: float


def measure_scan(image: npt.NDArray[np.float16]) -> ScanIntensity | None:
    """Measure the box that a scan fills; return None if it has no finite voxel."""
    values = image[np.isfinite(image)].astype(np.float32)
    if not values.size:
        return None
    low, high = np.percentile(values, (0.5, 99.5))
    return ScanIntensity(
        mean=float(values.mean()),
        bottom=float(np.mean(values <= -1)),
        top=float(np.mean(values >= 1)),
        span=float(high - low),
    )


def find_faults(
    cube: Cube, measured: Mapping[int, ScanIntensity]
) -> Iterator[tuple[int, str]]:
    """Find scans whose intensity disagrees with the rule of their cube.

    Args:
        cube: An open cube.
        measured: By row of a scan.

    Yields:
        Row, and what was found with values and the likely cause; one per scan.
    """
    mode = cube.intensity
    unlike = _unlike_others(cube, list(measured))
    far = {} if mode[0] == "auto" else _far_means(measured)
    for row, scan in measured.items():
        signs = [unlike.get(row, ""), far.get(row, "")]
        if mode[0] == "window":
            signs.append(describe_saturation(scan.bottom, scan.top))
            signs.append(describe_span(scan.span / 2))
        if any(signs):
            cause = "" if unlike.get(row) else "; it may be in another unit"
            yield row, "; ".join(filter(None, signs)) + cause


def _unlike_others(cube: Cube, rows: Sequence[int]) -> dict[int, str]:
    """Compare the scans as they are stored, or else what an older cube made of them."""
    sources = cube.sources
    if cube.intensity[0] == "auto":
        kinds = {
            row: str(sources[row].get("intensity", {}).get("kind")) for row in rows
        }
        (usual, count), *others = Counter(kinds.values()).most_common() or [("", 0)]
        if not others:
            return {}
        return {
            row: f"normalised by {kind}, unlike {count} of {len(rows)} scans; build "
            "the cube again, where makeCube.py settles one rule for all"
            for row, kind in kinds.items()
            if kind != usual
        }
    profiles = {
        str(row): IntensityProfile(**sources[row]["profile"])
        for row in rows
        if sources[row].get("profile")
    }
    found = find_disagreements(profiles, cube.intensity)
    return {int(row): message for row, message in found.items()}


def _far_means(measured: Mapping[int, ScanIntensity]) -> dict[int, str]:
    """Find scans whose mean is far from those of the others."""
    if len(measured) < LEAST_SCANS:
        return {}
    means = {row: scan.mean for row, scan in measured.items()}
    median = float(np.median(list(means.values())))
    distances = {row: abs(mean - median) for row, mean in means.items()}
    spread = SPREAD_OF_MAD * float(np.median(list(distances.values())))
    return {
        row: f"mean {means[row]:.2f}, the median of all scans is {median:.2f} with a "
        f"spread of {spread:.2f}"
        for row, distance in distances.items()
        if distance > max(MEAN_SPREADS * spread, LEAST_DISTANCE)
    }
