"""Choosing one normalisation for all scans; finding those that it does not suit.

A scan is taken to be in Hounsfield units (HU) by its histogram: air near -1000 and
soft tissue near 0. A scan cropped to the body has no air, but fat and marrow, which
are negative. One scan alone may be either by chance, so the rule is settled over all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from volumes.intensity import CT_WINDOW, PERCENTILES, sample_voxels

# Below it, CT has only padding: one value, as -2000, -3024 or -32768.
PADDING_BELOW = -1500.0
STREAKS = 0.01  # share of the voxels that metal may darken below it
LEAST_CONSTANT = 0.5  # share of the voxels below it that must be that one value
AIR = (-1100.0, -500.0)
LEAST_AIR = 0.01
TISSUE = (-200.0, 500.0)  # from fat to trabecular bone
LEAST_TISSUE = 0.5  # share of the voxels above air
HIGHEST_HU = 4096.0  # scanners store 12 bits
# Interpolation makes small negative values in MR too.
NEGATIVE_BELOW = -20.0
STORED_OFFSET = 1024.0  # of CT stored without the sign, its rescaling lost
MOST_AT_TOP = 0.4  # in CT, metal and dense bone are far less
MOST_AT_BOTTOM = 0.95  # the air around and in a chest may take 0.7
LEAST_SPAN = 0.05  # of the window, from the 0.5 to the 99.5 percentile
PROFILE_KINDS = ("air", "cropped", "offset", "")
MINORITY = 0.2  # so large a share of other scans is a mixture, no oversight


@dataclass(frozen=True)
class IntensityProfile:
    """What the voxels of a scan say of its unit.

    Args:
        low: The 0.5 percentile.
        median: The 50 percentile.
        high: The 99.5 percentile.
        air: Share of the voxels in the range of air in HU, padding set aside.
        kind: "air" if the voxels can be in HU and show air; "cropped" if they can be
            in HU, but show no air; "offset" if they are so when 1024 is subtracted;
            "" otherwise.
    """

    low: float
    median: float
    high: float
    air: float
    kind: str

    @property
    def is_hounsfield(self) -> bool:
        """Return whether the scan can be in HU as it is stored."""
        return self.kind in ("air", "cropped")

    def to_dict(self) -> dict[str, object]:
        """Return the values as a JSON-safe dict."""
        return asdict(self)


def measure_profile(image: np.ndarray) -> IntensityProfile:
    """Measure a scan's profile on at most about a million of its voxels.

    Args:
        image: The scan's voxels, any shape, finite, not empty.
    """
    voxels = sample_voxels(image)
    percentiles = (PERCENTILES[0], 50, PERCENTILES[1])
    low, median, high = (float(value) for value in np.percentile(voxels, percentiles))
    kind, air = _kind_in_hounsfield(voxels)
    if not kind and _kind_in_hounsfield(voxels - np.float32(STORED_OFFSET))[0] == "air":
        kind = "offset"
    return IntensityProfile(low, median, high, round(air, 4), kind)


def _kind_in_hounsfield(voxels: npt.NDArray[np.float32]) -> tuple[str, float]:
    """Return "air", "cropped" or "" for voxels taken as HU, and the share of air."""
    below = voxels[voxels < PADDING_BELOW]
    if below.size > STREAKS * voxels.size:
        _, counts = np.unique(below, return_counts=True)
        if counts.max() < LEAST_CONSTANT * below.size:
            return "", 0.0
    rest = voxels[voxels >= PADDING_BELOW]
    above_air = rest[rest > AIR[1]]
    if not above_air.size or np.percentile(rest, PERCENTILES[1]) > HIGHEST_HU:
        return "", 0.0
    air = float(np.mean((rest >= AIR[0]) & (rest <= AIR[1])))
    in_tissue = (above_air >= TISSUE[0]) & (above_air <= TISSUE[1])
    if np.mean(in_tissue) < LEAST_TISSUE:
        return "", air
    if air >= LEAST_AIR:
        return "air", air
    is_cropped = np.percentile(rest, PERCENTILES[0]) <= NEGATIVE_BELOW
    return "cropped" if is_cropped else "", air


def settle_intensity(
    profiles: Mapping[str, IntensityProfile],
) -> tuple[tuple, str]:
    """Choose the normalisation of all scans of a cube.

    Args:
        profiles: By case id, at least one.

    Returns:
        ("window", -200, 1000) if more than half of the scans can be in HU and at
        least one of them shows air, else ("zscore",); and why, in a few words.
    """
    in_hu = [case for case, profile in profiles.items() if profile.is_hounsfield]
    with_air = [case for case in in_hu if profiles[case].kind == "air"]
    count = f"{len(in_hu)} of {len(profiles)} scans can be in HU"
    if not in_hu:
        return ("zscore",), "no scan is in HU"
    if not with_air:
        return ("zscore",), (
            f"{count} by their negative values, but none shows air; if these are CT, "
            "give --intensity window LOW HIGH"
        )
    shows = f"{with_air[0]} shows air"
    if 2 * len(in_hu) > len(profiles):
        return ("window", *CT_WINDOW), f"{count}, {shows}"
    return ("zscore",), f"only {count}"


def find_disagreements(
    profiles: Mapping[str, IntensityProfile], mode: Sequence, *, mixtures: bool = False
) -> dict[str, str]:
    """Find scans that are not in the unit of the others.

    Args:
        profiles: By case id.
        mode: Normalisation of the cube.
        mixtures: Whether to name the smaller group even if it is large, and the
            normalisation suits both.

    Returns:
        By case id, what was found, with values and the likely cause. Where most scans
        are in HU and the mode is a window, all others disagree; else the fewer ones
        do, if they are at most a fifth of the scans.
    """
    in_hu = [case for case, profile in profiles.items() if profile.is_hounsfield]
    others = [case for case in profiles if case not in set(in_hu)]
    fewer = min(in_hu, others, key=len)
    is_cut = mode[0] == "window" and len(in_hu) > len(others)
    if not fewer or len(in_hu) == len(others):
        return {}
    if not (mixtures or is_cut or len(fewer) <= MINORITY * len(profiles)):
        return {}
    rest = f"unlike {len(profiles) - len(fewer)} of {len(profiles)} scans"
    return {case: f"{describe_unit(profiles[case])}, {rest}" for case in fewer}


def describe_unit(profile: IntensityProfile) -> str:
    """Describe a scan's range of values and what it tells of their unit."""
    values = f"values {profile.low:.4g} to {profile.high:.4g}"
    if not profile.kind and profile.low < AIR[0]:
        return f"{values} are not in HU; likely stored with an offset"
    return {
        "air": f"{values} are in HU, with air",
        "cropped": f"{values} can be in HU, without air",
        "offset": f"{values} are not in HU; likely CT stored with +1024, or MR",
        "": f"{values} are not in HU; likely MR, or CT in another unit",
    }[profile.kind]


def describe_saturation(bottom: float, top: float) -> str:
    """Describe how much of a scan a window cuts off, if it is too much.

    Args:
        bottom: Share of the voxels at or below the lower end.
        top: Share of the voxels at or above the upper end.

    Returns:
        What was found; "" if the shares are usual.
    """
    if top > MOST_AT_TOP:
        return f"{100 * top:.0f} % of its voxels are at the upper end of the window"
    if bottom > MOST_AT_BOTTOM:
        return f"{100 * bottom:.0f} % of its voxels are at the lower end of the window"
    return ""


def describe_span(share: float) -> str:
    """Describe that a scan uses too little of a window.

    Args:
        share: Of the window, from the 0.5 to the 99.5 percentile.

    Returns:
        What was found; "" if the share is usual.
    """
    if share >= LEAST_SPAN:
        return ""
    return f"99 % of its voxels lie within {100 * share:.2g} % of the window"


def describe_misfit(image: np.ndarray, mode: Sequence) -> str:
    """Describe why a new scan does not suit a network's normalisation.

    Args:
        image: The scan's voxels, finite.
        mode: Normalisation that the network was trained with.

    Returns:
        What was found, with values and the likely cause; "" if the scan suits it. A
        z-score suits any scan; a window that begins below 0 is taken to be in HU.
    """
    if mode[0] != "window":
        return ""
    low, high = float(mode[1]), float(mode[2])
    voxels = sample_voxels(image)
    profile = measure_profile(image)
    if low < 0 and not profile.is_hounsfield:
        return describe_unit(profile)
    bottom, top = float(np.mean(voxels <= low)), float(np.mean(voxels >= high))
    found = describe_saturation(bottom, top) or describe_span(
        (profile.high - profile.low) / (high - low)
    )
    return f"{found}; it may be in another unit" if found else ""
