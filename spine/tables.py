"""The rows of vertebrae.csv, one per vertebra, and of spines.csv, one per scan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from spine.angles import (
    CORONAL,
    SAGITTAL,
    angle_between,
    cobb_angle,
    distance_between,
    largest_cobb_angle,
)
from spine.body import Body
from spine.measures import Vertebra

AXES = ("r", "a", "s")  # right, anterior, superior
VERTEBRA_COLUMNS = (
    "scan",
    "index_from_below",
    "name",
    "name_source",
    "label_value",
    "volume_ml",
    *(f"centroid_{axis}_mm" for axis in AXES),
    "height_anterior_mm",
    "height_middle_mm",
    "height_posterior_mm",
    "depth_mm",
    "width_mm",
    "wedge_sagittal_deg",
    "wedge_coronal_deg",
    "ratio_min_to_max_height",
    *(f"upper_plate_{axis}_mm" for axis in AXES),
    *(f"lower_plate_{axis}_mm" for axis in AXES),
    *(f"upper_normal_{axis}" for axis in AXES),
    *(f"lower_normal_{axis}" for axis in AXES),
    "distance_to_next_above_mm",
    "sagittal_angle_to_next_above_deg",
    "coronal_angle_to_next_above_deg",
    "touches_border",
    "partial",
    "notes",
)
SPINE_COLUMNS = (
    "scan",
    "lordosis_L1_L5_deg",
    "max_sagittal_cobb_deg",
    "max_sagittal_cobb_levels",
    "max_coronal_cobb_deg",
    "max_coronal_cobb_levels",
    "dropped_ml",
)

Cell = str | int | float
Row = dict[str, Cell]  # a column that is missing is an empty cell


@dataclass(frozen=True)
class Naming:
    """The name of a vertebra.

    Args:
        name: Such as "L5", or "V1" where the level is unknown.
        source: Where the name comes from, in one word.
        notes: A sentence for each warning.
    """

    name: str
    source: str
    notes: tuple[str, ...] = ()


def vertebra_rows(
    scan: str, vertebrae: Sequence[Vertebra], namings: Mapping[int, Naming]
) -> list[Row]:
    """Return a row for each vertebra of a scan.

    Args:
        scan: Name of the scan.
        vertebrae: From below.
        namings: The name of each value.
    """
    above = [vertebra.body for vertebra in vertebrae[1:]] + [None]
    rows = []
    for place, (vertebra, next_body) in enumerate(zip(vertebrae, above, strict=True)):
        naming = namings[vertebra.value]
        row: Row = {
            "scan": scan,
            "index_from_below": place + 1,
            "name": naming.name,
            "name_source": naming.source,
            "label_value": vertebra.value,
            "touches_border": _yes_or_no(vertebra.touches_border),
            "partial": _yes_or_no(vertebra.partial),
            "notes": "; ".join(filter(None, [*naming.notes, vertebra.note])),
            **_coordinates("centroid_{}_mm", vertebra.centroid, 2),
        }
        if vertebra.volume_ml is not None:
            row["volume_ml"] = round(vertebra.volume_ml, 3)
        if vertebra.body:
            row |= _body_cells(vertebra.body)
        if vertebra.body and next_body:
            row |= _next_cells(vertebra.body, next_body)
        rows.append(row)
    return rows


def _body_cells(body: Body) -> Row:
    """Return the cells that a body fills."""
    anterior, middle, posterior = body.heights
    return {
        "height_anterior_mm": round(anterior, 2),
        "height_middle_mm": round(middle, 2),
        "height_posterior_mm": round(posterior, 2),
        "depth_mm": round(body.depth, 2),
        "width_mm": round(body.width, 2),
        "wedge_sagittal_deg": round(body.wedge_sagittal, 2),
        "wedge_coronal_deg": round(body.wedge_coronal, 2),
        "ratio_min_to_max_height": round(min(body.heights) / max(body.heights), 3),
        **_coordinates("upper_plate_{}_mm", body.upper.point, 2),
        **_coordinates("lower_plate_{}_mm", body.lower.point, 2),
        **_coordinates("upper_normal_{}", body.upper.normal, 5),
        **_coordinates("lower_normal_{}", body.lower.normal, 5),
    }


def _next_cells(body: Body, above: Body) -> Row:
    """Return the cells about the next vertebra above."""
    return {
        "distance_to_next_above_mm": round(distance_between(body, above), 2),
        "sagittal_angle_to_next_above_deg": round(
            angle_between(body, above, SAGITTAL), 2
        ),
        "coronal_angle_to_next_above_deg": round(
            angle_between(body, above, CORONAL), 2
        ),
    }


def _coordinates(column: str, point: Iterable[float], decimals: int) -> Row:
    """Return a cell for each axis of a point."""
    return {
        column.format(axis): round(float(value), decimals) + 0.0
        for axis, value in zip(AXES, point, strict=True)
    }


def _yes_or_no(value: bool) -> str:
    return "yes" if value else "no"


def spine_row(
    scan: str,
    vertebrae: Sequence[Vertebra],
    namings: Mapping[int, Naming],
    *,
    dropped_ml: float | None = None,
) -> Row:
    """Return the row of a scan.

    Args:
        scan: Name of the scan.
        vertebrae: From below.
        namings: The name of each value. The lordosis needs an L1 and an L5.
        dropped_ml: Volume that belongs to no vertebra; None if nobody looked.
    """
    row: Row = {"scan": scan}
    bodies = [vertebra.body for vertebra in vertebrae]
    names = [namings[vertebra.value].name for vertebra in vertebrae]
    by_name = dict(zip(names, bodies, strict=True))
    first, fifth = by_name.get("L1"), by_name.get("L5")
    if first and fifth:
        row["lordosis_L1_L5_deg"] = round(cobb_angle(fifth, first, SAGITTAL), 2)
    for name, plane in (("sagittal", SAGITTAL), ("coronal", CORONAL)):
        angle = largest_cobb_angle(bodies, plane)
        if angle:
            levels = f"{names[angle.upper]}-{names[angle.lower]}"
            row[f"max_{name}_cobb_deg"] = round(angle.degrees, 2)
            row[f"max_{name}_cobb_levels"] = levels
    if dropped_ml is not None:
        row["dropped_ml"] = round(dropped_ml, 3)
    return row
