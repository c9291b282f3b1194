"""Drawing slices with the label map as a coloured outline.

Volumes are on the cube's axes: 0 runs to the patient's right, 1 to the anterior,
2 to the superior. Pictures follow the radiological convention: superior is up;
anterior is left in a sagittal slice and up in an axial slice; the patient's right
is left in coronal and axial slices. So every picture is its plane with both axes
reversed. Pixels are square, whatever the voxels are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from volumes.panels import TEXT_COLOR, Color, font, stack_horizontally
from volumes.vertebrae import label_color

# A label map and the colour of each of its labels.
Outline = tuple[npt.NDArray, Callable[[int], Color]]

PANEL_HEIGHT = 320  # pixels, so that a scan and two copies fill a screen
NOT_FINITE_COLOR = (255, 0, 255)
BOTH_COLOR: Color = (255, 225, 60)
IGNORED_COLOR: Color = (120, 200, 235)
HATCH_STEP = 7  # pixels

# Left, right, top and bottom of the sagittal, coronal and axial picture.
EDGES = ("APSI", "RLSI", "RLAP")


def outline_color(label: int) -> Color:
    """Return the colour of a label's outline, 0..255 each.

    It is the label's colour, lightened if dark: a thin dark line is hard to see on
    grey.
    """
    color = np.array(label_color(label))
    luminance = color @ (0.2126, 0.7152, 0.0722)  # ITU-R BT.709
    color += (1 - color) * max(0, 0.5 - luminance) / (1 - luminance)
    return tuple(np.round(255 * color).astype(int).tolist())


def find_window(image: npt.NDArray) -> tuple[float, float]:
    """Choose the intensities of a volume that are drawn black and white.

    They are the 1st and the 98.5th percentile of the finite voxels, at most 128
    along an axis; (0, 0) if none is finite. In MR, subcutaneous fat may saturate,
    so that vertebrae are not dark.

    Args:
        image: Intensities, shape (I, J, K), any unit.
    """
    steps = tuple(slice(None, None, -(-side // 128) or 1) for side in image.shape)
    values = image[steps].astype(np.float32)
    values = values[np.isfinite(values)]
    if not values.size:
        return 0.0, 0.0
    low, high = np.percentile(values, (1, 98.5))
    return float(low), float(high)


def center_of_mass(label_map: npt.NDArray) -> npt.NDArray[np.float64]:
    """Compute the foreground's centre of mass in voxels, shape (3,).

    Without foreground it is the centre of the volume.

    Args:
        label_map: Labels, shape (I, J, K), 0 is background.
    """
    profiles = _foreground_profiles(label_map)
    count = profiles[0].sum()
    if count == 0:
        return (np.array(label_map.shape) - 1) / 2
    return np.array([p @ np.arange(len(p)) / count for p in profiles])


def find_slices(
    label_map: npt.NDArray, near: Sequence[float] | None = None
) -> tuple[int, int, int]:
    """Choose the sagittal, coronal and axial slice that show the foreground best.

    Along each axis it is the slice closest to `near` among those with at least half
    the foreground voxels of the fullest slice. The exact centre of a spine is often
    in a disc or in the canal, where nothing is labelled.

    Args:
        label_map: Labels, shape (I, J, K), 0 is background.
        near: Voxel position. Defaults to the foreground's centre of mass.

    Returns:
        A slice index per axis; without foreground, the slices through `near`.
    """
    start = center_of_mass(label_map) if near is None else near
    chosen = []
    for profile, position in zip(_foreground_profiles(label_map), start, strict=True):
        full = np.flatnonzero(2 * profile >= profile.max())
        chosen.append(int(full[np.argmin(np.abs(full - position))]))
    return tuple(chosen)


def fit_scale(
    shape: Sequence[int], spacing: Sequence[float], height: int = PANEL_HEIGHT
) -> float:
    """Return the mm per pixel at which the tallest of three slices fills `height`."""
    return max(shape[1] * spacing[1], shape[2] * spacing[2]) / height


def find_outline(labels: npt.NDArray) -> npt.NDArray[np.bool_]:
    """Find the foreground pixels that touch another label, or the border.

    Args:
        labels: Labels of one picture, shape (rows, columns), 0 is background.

    Returns:
        Mask of shape (rows, columns); edges count as touching, corners do not.
    """
    padded = np.pad(labels, 1)
    shifted = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
    differs = np.any([neighbor != labels for neighbor in shifted], axis=0)
    return differs & (labels > 0)


def draw_slice(
    image: npt.NDArray,
    outlines: Sequence[Outline],
    axis: int,
    index: int,
    spacing: Sequence[float],
    *,
    window: tuple[float, float],
    mm_per_pixel: float,
    ignored: npt.NDArray[np.bool_] | None = None,
) -> Image.Image:
    """Draw one slice in grey with outlined labels and lettered sides.

    Pixels on the outlines of two label maps are yellow. Voxels that are not finite
    are magenta. An image with an empty window (constant) is mid-grey.

    Args:
        image: Intensities, shape (I, J, K).
        outlines: Label maps of the same shape, 0 is background, each with a
            function that returns a label's colour.
        axis: 0 sagittal, 1 coronal, 2 axial.
        index: Index of the slice along `axis`.
        spacing: Voxel spacing in mm along I, J, K.
        window: Intensities drawn black and white.
        mm_per_pixel: Side of a pixel in mm.
        ignored: Mask of the same shape, drawn hatched; None for none.
    """
    across, down = (other for other in range(3) if other != axis)
    columns = _source_pixels(image.shape[across], spacing[across], mm_per_pixel)
    rows = _source_pixels(image.shape[down], spacing[down], mm_per_pixel)
    plane = _upright(image, axis, index).astype(np.float32)
    grey = Image.fromarray(_shade(plane, window))
    grey = grey.resize((len(columns), len(rows)), Image.Resampling.BICUBIC)
    pixels = np.repeat(np.asarray(grey)[:, :, np.newaxis], 3, axis=2)
    pixels[~np.isfinite(plane)[np.ix_(rows, columns)]] = NOT_FINITE_COLOR
    if ignored is not None:
        hatched = _upright(ignored, axis, index)[np.ix_(rows, columns)]
        pixels[hatched & _hatch(hatched.shape)] = IGNORED_COLOR
    drawn = np.zeros(pixels.shape[:2], dtype=bool)
    for label_map, color_of in outlines:
        labels = _upright(label_map, axis, index)[np.ix_(rows, columns)]
        lines = find_outline(labels)
        for label in np.unique(labels[lines]):
            pixels[lines & (labels == label)] = color_of(int(label))
        pixels[lines & drawn] = BOTH_COLOR
        drawn |= lines
    return _add_letters(Image.fromarray(pixels), EDGES[axis])


def draw_panel_row(
    image: npt.NDArray,
    outlines: Sequence[Outline],
    slices: Sequence[int],
    spacing: Sequence[float],
    *,
    window: tuple[float, float],
    mm_per_pixel: float,
    ignored: npt.NDArray[np.bool_] | None = None,
) -> Image.Image:
    """Draw a sagittal, a coronal and an axial slice side by side at one scale.

    Args:
        image: Intensities, shape (I, J, K).
        outlines: As for `draw_slice`.
        slices: Index of the sagittal, the coronal and the axial slice.
        spacing: Voxel spacing in mm along I, J, K.
        window: Intensities drawn black and white.
        mm_per_pixel: Side of a pixel in mm.
        ignored: As for `draw_slice`.
    """
    panels = [
        draw_slice(
            image,
            outlines,
            axis,
            index,
            spacing,
            window=window,
            mm_per_pixel=mm_per_pixel,
            ignored=ignored,
        )
        for axis, index in enumerate(slices)
    ]
    return stack_horizontally(panels)


def _foreground_profiles(label_map: npt.NDArray) -> list[npt.NDArray[np.int64]]:
    """Count the foreground voxels of every slice along each axis."""
    mask = label_map > 0
    counts = mask.sum(axis=2)  # (I, J)
    return [counts.sum(axis=1), counts.sum(axis=0), mask.sum(axis=(0, 1))]


def _upright(volume: npt.NDArray, axis: int, index: int) -> npt.NDArray:
    """Return a slice in display orientation, shape (rows, columns)."""
    return np.take(volume, index, axis=axis)[::-1, ::-1].T


def _hatch(shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Return oblique lines as a mask of shape (rows, columns)."""
    row, column = np.ogrid[: shape[0], : shape[1]]
    return (row + column) % HATCH_STEP == 0


def _source_pixels(
    side: int, spacing: float, mm_per_pixel: float
) -> npt.NDArray[np.int64]:
    """Return the voxel under the centre of each pixel along a picture's side."""
    pixels = max(1, round(side * spacing / mm_per_pixel))
    return ((np.arange(pixels) + 0.5) * side / pixels).astype(np.int64)


def _shade(
    plane: npt.NDArray[np.float32], window: tuple[float, float]
) -> npt.NDArray[np.uint8]:
    """Turn intensities into grey values of 0 to 255."""
    low, high = window
    if not high > low:
        return np.full(plane.shape, 128, dtype=np.uint8)
    shares = np.clip((np.nan_to_num(plane, nan=low) - low) / (high - low), 0, 1)
    return np.round(255 * shares).astype(np.uint8)


def _add_letters(picture: Image.Image, letters: str) -> Image.Image:
    """Draw the letters of the left, right, top and bottom side."""
    width, height = picture.size
    places = (
        ((3, height / 2), "lm"),
        ((width - 3, height / 2), "rm"),
        ((width / 2, 3), "mt"),
        ((width / 2, height - 3), "mb"),
    )
    draw = ImageDraw.Draw(picture)
    for letter, (place, anchor) in zip(letters, places, strict=True):
        draw.text(
            place,
            letter,
            TEXT_COLOR,
            font(12),
            anchor=anchor,
            stroke_width=1,
            stroke_fill=(0, 0, 0),
        )
    return picture
