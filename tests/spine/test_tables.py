import csv
from dataclasses import replace

import numpy as np
import pytest
from support.vertebra_bodies import leaning

from evaluation.csv_rows import write_rows
from spine.measures import Vertebra
from spine.tables import (
    SPINE_COLUMNS,
    VERTEBRA_COLUMNS,
    Naming,
    spine_row,
    vertebra_rows,
)

HEADER = (
    "scan,index_from_below,name,name_source,label_value,volume_ml,"
    "centroid_r_mm,centroid_a_mm,centroid_s_mm,"
    "height_anterior_mm,height_middle_mm,height_posterior_mm,depth_mm,width_mm,"
    "wedge_sagittal_deg,wedge_coronal_deg,ratio_min_to_max_height,"
    "upper_plate_r_mm,upper_plate_a_mm,upper_plate_s_mm,"
    "lower_plate_r_mm,lower_plate_a_mm,lower_plate_s_mm,"
    "upper_normal_r,upper_normal_a,upper_normal_s,"
    "lower_normal_r,lower_normal_a,lower_normal_s,"
    "distance_to_next_above_mm,sagittal_angle_to_next_above_deg,"
    "coronal_angle_to_next_above_deg,touches_border,partial,notes"
)
NAMINGS = {
    number: Naming(name, "given") for number, name in enumerate(("L5", "L4", "L1"), 1)
}


def vertebra(value, body, **changes):
    fields = {"touches_border": False, "partial": False, **changes}
    return Vertebra(value, np.array((1.0, -2, 3)), 40.0, body=body, **fields)


def spine():
    return [
        vertebra(1, leaning(20, 4)),
        vertebra(2, leaning(10, 0, origin=(0, 0, 35))),
        vertebra(3, leaning(-15, 1)),
    ]


def read(path):
    return list(csv.DictReader(path.read_text("utf-8").splitlines()))


def test_vertebrae_have_the_documented_columns_and_their_values(tmp_path):
    write_rows(
        tmp_path / "v.csv", VERTEBRA_COLUMNS, vertebra_rows("a, b", spine(), NAMINGS)
    )

    assert (tmp_path / "v.csv").read_text().splitlines()[0] == HEADER
    first, _, last = read(tmp_path / "v.csv")
    assert (first["scan"], first["index_from_below"], first["name"]) == (
        "a, b",
        "1",
        "L5",
    )
    assert float(first["distance_to_next_above_mm"]) == 35
    assert float(first["sagittal_angle_to_next_above_deg"]) == pytest.approx(10)
    assert float(first["coronal_angle_to_next_above_deg"]) == pytest.approx(4)
    assert float(first["centroid_a_mm"]) == -2
    assert float(first["ratio_min_to_max_height"]) == 1
    assert (first["touches_border"], first["partial"]) == ("no", "no")
    assert last["distance_to_next_above_mm"] == ""


def test_ratio_of_heights_is_that_of_the_smallest_to_the_largest():
    body = replace(leaning(0, 0), heights=(24.0, 20.0, 25.0))

    (row,) = vertebra_rows("a", [vertebra(1, body)], NAMINGS)

    assert row["ratio_min_to_max_height"] == 0.8


def test_blank_vertebra_has_empty_cells_and_a_note(tmp_path):
    bodies = spine()
    bodies[1] = vertebra(2, None, partial=True, note="not measured: partial")
    namings = {**NAMINGS, 2: Naming("L4", "given", ("A gap lies above.",))}

    write_rows(
        tmp_path / "v.csv", VERTEBRA_COLUMNS, vertebra_rows("a", bodies, namings)
    )

    first, second, _ = read(tmp_path / "v.csv")
    assert first["distance_to_next_above_mm"] == ""
    assert first["height_middle_mm"] != ""
    assert second["notes"] == "A gap lies above.; not measured: partial"
    filled = {name for name, cell in second.items() if cell}
    assert filled == {
        *("scan", "index_from_below", "name", "name_source", "label_value"),
        *("volume_ml", "centroid_r_mm", "centroid_a_mm", "centroid_s_mm"),
        *("touches_border", "partial", "notes"),
    }


def test_spine_has_lordosis_and_the_largest_angles(tmp_path):
    row = spine_row("a", spine(), NAMINGS, dropped_ml=1.25)
    write_rows(tmp_path / "s.csv", SPINE_COLUMNS, [row])

    assert (tmp_path / "s.csv").read_text().splitlines() == [
        "scan,lordosis_L1_L5_deg,max_sagittal_cobb_deg,max_sagittal_cobb_levels,"
        "max_coronal_cobb_deg,max_coronal_cobb_levels,dropped_ml",
        "a,35.0,35.0,L1-L5,4.0,L4-L5,1.25",
    ]


def test_lordosis_needs_both_names_and_both_bodies():
    counted = {number: Naming(f"V{number}", "counted") for number in (1, 2, 3)}
    cut = [*spine()[:2], vertebra(3, None)]

    assert "lordosis_L1_L5_deg" not in spine_row("a", spine(), counted)
    assert "lordosis_L1_L5_deg" not in spine_row("a", cut, NAMINGS)
    assert spine_row("a", spine()[:1], NAMINGS) == {"scan": "a"}
