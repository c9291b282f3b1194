"""Bodies of which the end plates lean by given angles."""

import numpy as np

from spine.body import Body
from spine.end_plates import Plate
from spine.frame import Frame, axes_from


def leaning(forwards, right=0.0, wedge=0.0, origin=(0, 0, 0)):
    """Return a body that leans by degrees, higher by `wedge` degrees in front."""

    def normal(extra):
        lean, side = np.tan(np.radians([forwards + extra, right]))
        return np.array((side, lean, 1)) / np.sqrt(side**2 + lean**2 + 1)

    frame = Frame(np.array(origin, float), axes_from(normal(0), np.array((0, 1.0, 0))))
    upper, lower = (Plate(frame.origin, normal(sign * wedge / 2)) for sign in (-1, 1))
    return Body(frame, False, 44, 32, (26, 26, 26), wedge, 0, upper, lower)
