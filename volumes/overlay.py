"""Pictures of a prediction, compared with its reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from system.text import format_ml
from volumes.classes import count_labels
from volumes.legend import draw_legend
from volumes.palette import (
    FALSE_NEGATIVE_COLOR,
    FALSE_POSITIVE_COLOR,
    WRONG_CLASS_COLOR,
    outline_color,
)
from volumes.panels import (
    GAP,
    TEXT_COLOR,
    Color,
    Piece,
    draw_text,
    font,
    stack_horizontally,
    stack_vertically,
)
from volumes.planes import CORONAL, SAGITTAL, find_box
from volumes.sections import ACROSS, DOWN, Sections, add_caption
from volumes.view import IGNORED_COLOR, View

# Of a single class, whose prediction and reference have a colour each.
PREDICTION_COLOR: Color = (230, 159, 0)
REFERENCE_COLOR: Color = (86, 180, 233)
FILL = 0.35  # share of the prediction's colour over the scan
REFERENCE_GREY = 0.3  # of the reference behind its errors
MARGIN_MM = 30.0  # around all that was predicted or annotated
MAX_WIDTH, MAX_HEIGHT = 1400, 600  # pixels of the row of pictures
LEAST_NAMED = 0.004  # share of the picture, of a region whose name is written
ERRORS_HEAD = "Errors in the projections:"
MOSTLY = 0.5  # share of a region that decides what it is called


def draw_prediction(
    scan: Sections,
    reference: npt.NDArray | None,
    class_names: Sequence[str],
    *,
    title: Sequence[str],
    scores: Mapping[str, str] | None = None,
) -> Image.Image:
    """Draw a prediction over three planes, and its errors in the whole volume.

    The prediction is filled, the reference a line. A projection beside the sagittal
    and one beside the coronal plane show all errors, so that an island is seen wherever
    it lies; without a reference they show all that was predicted.

    Args:
        scan: The scan, with the prediction as its labels.
        reference: Annotated classes of the same shape, or None.
        class_names: Name of each class, background first.
        title: Words of the first line.
        scores: Of each class by name, for the legend.

    Raises:
        ValueError: If the shapes differ.
    """
    volumes = (scan.image, reference, scan.labels, scan.ignored)
    shapes = [volume.shape for volume in volumes if volume is not None]
    if len(set(shapes)) != 1:
        raise ValueError(
            "Image, reference and prediction must have one shape. "
            f"Received: shapes={shapes}"
        )
    masks = [scan.labels] if reference is None else [scan.labels, reference]
    box = find_box(scan.labels.shape, scan.spacing, masks, MARGIN_MM)
    picture = _Comparison(
        scan.crop(box), None if reference is None else reference[box], class_names
    )
    pictures = picture.draw_all([plane.describe() for plane in scan.planes])
    row = stack_horizontally(pictures, align=0.0)
    width = max(row.width, 480)
    head = [
        draw_text([(word, TEXT_COLOR) for word in title], width, 18, between="     "),
        draw_legend(picture.list_classes(scores or {}), width),
        picture.draw_errors_legend(width),
    ]
    return stack_vertically([*(block for block in head if block), row])


def _fit(part: Sections) -> float:
    """Return the mm per pixel at which all pictures fit in one row."""
    width, depth, height = (
        side * mm for side, mm in zip(part.image.shape, part.spacing, strict=True)
    )
    across = (2 * depth + 3 * width) / (MAX_WIDTH - 4 * GAP)
    return max(across, max(height, depth) / MAX_HEIGHT)


class _Comparison:
    """A prediction and its reference, cropped, and their errors."""

    def __init__(
        self,
        part: Sections,
        reference: npt.NDArray | None,
        class_names: Sequence[str],
    ):
        self.part, self.reference = part, reference
        self.names = dict(enumerate(class_names))
        self.is_single = len(class_names) <= 2
        self.errors: dict[str, tuple[npt.NDArray[np.bool_], Color]] = {}
        if reference is not None:
            labels = part.labels
            is_error = labels != reference
            if part.ignored is not None:
                is_error &= ~part.ignored
            missed, extra = labels == 0, reference == 0
            missed &= is_error
            extra &= is_error
            self.errors["false negative"] = (missed, FALSE_NEGATIVE_COLOR)
            self.errors["false positive"] = (extra, FALSE_POSITIVE_COLOR)
            if not self.is_single:
                is_error ^= missed
                is_error ^= extra
                self.errors["wrong class"] = (is_error, WRONG_CLASS_COLOR)

    def predicted_color(self, label: int) -> Color:
        """Return the colour of a class of the prediction."""
        return PREDICTION_COLOR if self.is_single else outline_color(label)

    def reference_color(self, label: int) -> Color:
        """Return the colour of a class of the reference."""
        return REFERENCE_COLOR if self.is_single else outline_color(label)

    def draw_all(self, captions: Sequence[str]) -> list[Image.Image]:
        """Draw each plane above its caption, and projections beside two of them."""
        scale, pictures = _fit(self.part), []
        what = "all predicted" if self.reference is None else "all errors"
        sides = {SAGITTAL: "side", CORONAL: "front"}
        for axis, caption in enumerate(captions):
            pictures.append(add_caption(self.draw_plane(axis, scale), caption))
            if axis in sides:
                drawn = self.draw_projection(axis, scale)
                pictures.append(add_caption(drawn, f"{what}, {sides[axis]} view"))
        return pictures

    def draw_plane(self, axis: int, mm_per_pixel: float) -> Image.Image:
        """Draw a plane with the prediction filled and the reference as a line."""
        part, plane = self.part, self.part.planes[axis]
        view = part.view(axis, mm_per_pixel)
        labels = plane.take(part.labels)
        view.fill(labels, self.predicted_color, FILL)
        reference = None
        if self.reference is None:
            view.outline(labels, self.predicted_color)
        else:
            reference = plane.take(self.reference)
            view.outline(reference, self.reference_color)
        if part.ignored is not None:
            view.hatch(plane.take(part.ignored))
        if not self.is_single:
            regions, texts, classes = name_regions(labels, reference, self.names)
            view.write_names(
                regions, texts, lambda region: outline_color(classes[region])
            )
        return view.finish(axis)

    def draw_projection(self, axis: int, mm_per_pixel: float) -> Image.Image:
        """Draw all errors over a grey reference, or else all of the prediction."""
        part = self.part
        if self.reference is None:
            return part.draw_projection(axis, mm_per_pixel, self.predicted_color)
        view = View(
            REFERENCE_GREY * part.opacity(self.reference > 0, axis),
            (part.spacing[DOWN[axis]], part.spacing[ACROSS[axis]]),
            window=(0.0, 1.0),
            mm_per_pixel=mm_per_pixel,
        )
        for mask, color in self.errors.values():
            view.tint(part.opacity(mask, axis), color)
        return view.finish(axis)

    def list_classes(self, scores: Mapping[str, str]) -> list[Piece]:
        """Return the legend's classes, each with its scores."""
        if self.is_single:
            entries = [("prediction", PREDICTION_COLOR)]
            if self.reference is not None:
                entries.append(("reference (line)", REFERENCE_COLOR))
        else:
            present = set()
            for mask in (self.part.labels, self.reference):
                if mask is not None:
                    present.update(np.flatnonzero(count_labels(mask)).tolist())
            entries = [
                (f"{name} {scores.get(name, '')}".strip(), outline_color(label))
                for label, name in self.names.items()
                if label in present and label
            ]
        if self.part.ignored is not None and self.part.ignored.any():
            entries.append(("ignored", IGNORED_COLOR))
        return entries

    def draw_errors_legend(self, width: int) -> Image.Image | None:
        """Draw the legend of the projections; None without a reference.

        Args:
            width: Of the picture in pixels, at most.
        """
        if not self.errors:
            return None
        voxel_ml = float(np.prod(self.part.spacing)) / 1000
        entries = [
            (f"{name} {format_ml(np.count_nonzero(mask) * voxel_ml)} ml", color)
            for name, (mask, color) in self.errors.items()
        ]
        rest = width - round(font(13).getlength(ERRORS_HEAD)) - GAP
        blocks = (
            draw_text([(ERRORS_HEAD, TEXT_COLOR)], width, 13),
            draw_legend(entries, rest),
        )
        return stack_horizontally([block for block in blocks if block], align=0.0)


def name_regions(
    labels: npt.NDArray, reference: npt.NDArray | None, names: Mapping[int, str]
) -> tuple[npt.NDArray[np.int32], dict[int, str], dict[int, int]]:
    """Name the regions of a plane by what they are and what they should be.

    A region is a connected part of a class. It is called "L4 for L3" where another
    class should be, and "L3 missed" where none was predicted.

    Args:
        labels: Predicted classes of the plane, shape (rows, columns).
        reference: Annotated classes of the same shape, or None.
        names: Of the classes.

    Returns:
        The number of each pixel's region, 0 for none; and by that number, the region's
        text and its class.
    """
    regions = np.zeros(labels.shape, np.int32)
    texts: dict[int, str] = {}
    classes: dict[int, int] = {}
    for plane, other in ((labels, reference), (reference, labels)):
        if plane is None:
            continue
        for label in np.unique(plane[plane > 0]).tolist():
            parts = np.zeros(plane.shape, np.int32)
            ndimage.label(plane == label, output=parts)
            for part, size in enumerate(np.bincount(parts.ravel())[1:], start=1):
                if size < LEAST_NAMED * plane.size:
                    continue
                mask = parts == part
                text = _name(label, other, mask, names, missed=plane is not labels)
                if text:
                    number = len(texts) + 1
                    regions[mask & (regions == 0)] = number
                    texts[number], classes[number] = text, label
    return regions, texts, classes


def _name(
    label: int,
    other: npt.NDArray | None,
    mask: npt.NDArray[np.bool_],
    names: Mapping[int, str],
    *,
    missed: bool,
) -> str:
    """Return the text of a region; "" if it needs none."""
    if other is None:
        return names[label]
    counts = np.bincount(other[mask])
    most = int(counts.argmax())
    if missed:
        is_missed = most == 0 and counts[0] > MOSTLY * mask.sum()
        return f"{names[label]} missed" if is_missed else ""
    if most in (0, label) or counts[most] <= MOSTLY * mask.sum():
        return names[label]
    return f"{names[label]} for {names[most]}"
