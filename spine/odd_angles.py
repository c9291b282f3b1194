"""Warnings of angles that few spines have: an end plate may be wrong, or a vertebra."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from spine.angles import CORONAL, SAGITTAL, angle_between, largest_cobb_angle
from spine.body import Body

# In degrees. Coronal wedges are 7, with a standard deviation of 3, at the apex of
# scolioses before surgery (Okuwaki et al., 2023, doi:10.1016/j.jos.2023.03.003), and up
# to 10 in 53 label maps of people, in which neighbours have angles of up to 26.
ODD_WEDGE = 25.0
ODD_STEP = 45.0
# Scolioses and kyphoses under traction before surgery have means of 106 and 91 (Koller
# et al., 2012, doi:10.1007/s00586-011-2046-5); those above 120 are worth a look.
ODD_COBB = 120.0
PLANES = {"sagittal": SAGITTAL, "coronal": CORONAL}


def find_odd_angles(
    bodies: Sequence[Body | None], names: Sequence[str]
) -> list[tuple[int, str]]:
    """Return sentences about odd angles, without the name they begin with, by place.

    Sagittal wedges do not count: those of fractures and of S1 have no clear bound.

    Args:
        bodies: From below; None where one is not measured.
        names: From below.
    """
    odd = []
    for place, body in enumerate(bodies):
        if body and abs(body.wedge_coronal) > ODD_WEDGE:
            odd.append((place, f"coronal wedge of {body.wedge_coronal:.0f} degrees"))
    for plane, axis in PLANES.items():
        for place, (lower, upper) in enumerate(pairwise(bodies)):
            angle = angle_between(lower, upper, axis) if lower and upper else 0.0
            if abs(angle) > ODD_STEP:
                above = names[place + 1]
                odd.append((place, f"{plane} angle of {angle:.0f} degrees to {above}"))
        cobb = largest_cobb_angle(bodies, axis)
        if cobb and abs(cobb.degrees) > ODD_COBB:
            text = f"{plane} Cobb angle of {cobb.degrees:.0f} degrees"
            odd.append((cobb.upper, f"{text} to {names[cobb.lower]}"))
    advice = "which is rare: an end plate may be wrong"
    return [(place, f"has a {text}, {advice}") for place, text in odd]
