"""Finding cases that hold far more or less of the structures than the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

LEAST_CASES = 3  # of two, either may be the unusual one
# A scan of the whole spine has five times the vertebrae of a lumbar one.
UNUSUAL_FACTOR = 10
MOST_FOREGROUND = 0.6


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
        found = f"{volume:.3g} ml, the median of all cases is {median:.3g} ml"
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
