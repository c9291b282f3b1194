"""Finding cases that hold far more or less of the structures than the others.

A wrong label number shows in the volume of its class, if its structure has another
size: a disc for a vertebra, two vertebrae for one. L2 for L3 does not show.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from system.text import format_ml

LEAST_CASES = 3  # of two, either may be the unusual one
# A scan of the whole spine has five times the vertebrae of a lumbar one.
UNUSUAL_FACTOR = 10
MOST_FOREGROUND = 0.6
# The volume of one class: in 31 lumbar MR scans and in 9 others, with their vertebral
# bodies numbered, none is so far off; twice or half the volume of L3 is, in each scan.
LEAST_CASES_OF_CLASS = 6
LEAST_CLASSES = 3  # of a case, to tell a large person from a large vertebra
UNUSUAL_CLASS_SPREADS = 5
UNUSUAL_CLASS_FACTOR = 1.25
SPREAD_OF_MAD = 1.4826  # standard deviation of a normal distribution, in MAD


def find_unusual_volumes(
    volumes_ml: Mapping[int, float], shares: Mapping[int, float]
) -> Iterator[tuple[int, str]]:
    """Find label maps whose volume cannot be that of the same structures.

    Args:
        volumes_ml: Volume of all classes together, by row of a scan; cases without
            any are left to another check.
        shares: Share of the scan's voxels that have a class, by row.

    Yields:
        Row, and what was found with values and the likely cause; one per case.
    """
    volumes = {row: volume for row, volume in volumes_ml.items() if volume > 0}
    median = float(np.median(list(volumes.values()))) if volumes else 0.0
    for row, volume in volumes.items():
        found = (
            f"{format_ml(volume)} ml, the median of all cases is {format_ml(median)} ml"
        )
        if shares[row] > MOST_FOREGROUND:
            yield (
                row,
                f"{100 * shares[row]:.0f} % of the scan are labelled; the label map "
                "may be inverted, or another image",
            )
        elif len(volumes) < LEAST_CASES:
            continue
        elif volume > UNUSUAL_FACTOR * median:
            yield row, f"{found}; it may label other structures, or be another image"
        elif UNUSUAL_FACTOR * volume < median:
            yield row, f"{found}; it may label few of the structures"


def find_unusual_classes(
    volumes: Sequence[Sequence[float]], cut: Sequence[Sequence[bool]]
) -> Iterator[tuple[int, int, float]]:
    """Find classes whose volume in a case is unlike that in the other cases.

    Logarithms of volumes are compared with their median over the cases that hold the
    class, in median absolute deviations. First the case's own median deviation is
    subtracted, as persons differ in size.

    Args:
        volumes: Of each class, background first, by case; 0 where it is absent.
        cut: Whether the class reaches the border of the scan, which explains a small
            volume, by case.

    Yields:
        Case, class, and its volume as a multiple of what was expected.
    """
    if len(volumes) < LEAST_CASES_OF_CLASS:
        return
    with np.errstate(divide="ignore"):
        logs = np.log(np.array(volumes, float))
    logs[:, :1] = -np.inf  # the background
    logs[~np.isfinite(logs)] = np.nan
    compared = np.sum(~np.isnan(logs), axis=0) >= LEAST_CASES_OF_CLASS
    logs[:, ~compared] = np.nan
    deviations = _deviate(logs - _sizes(_deviate(logs))[:, None])
    for number in np.flatnonzero(compared).tolist():
        column = deviations[:, number]
        spread = SPREAD_OF_MAD * float(np.nanmedian(np.abs(column)))
        least = max(UNUSUAL_CLASS_SPREADS * spread, np.log(UNUSUAL_CLASS_FACTOR))
        for case in np.flatnonzero(np.abs(column) > least).tolist():
            if column[case] > 0 or not cut[case][number]:
                yield case, number, float(np.exp(column[case]))


def _deviate(logs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Subtract from each column its median, without NaN; columns of NaN stay."""
    deviations = logs.copy()
    for column in deviations.T:
        if not np.isnan(column).all():
            column -= np.nanmedian(column)
    return deviations


def _sizes(deviations: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the median of each row; 0 where too few values are not NaN."""
    sizes = np.zeros(len(deviations))
    for case, row in enumerate(deviations):
        if np.sum(~np.isnan(row)) >= LEAST_CLASSES:
            sizes[case] = np.nanmedian(row)
    return sizes


def describe_unusual_class(name: str, volume_ml: float, factor: float) -> str:
    """Describe a finding of `find_unusual_classes`, with the likely cause."""
    return (
        f"{format_ml(volume_ml)} ml of class {name}, {factor:.2g} times what the other "
        "cases suggest; a label number may be wrong"
    )
