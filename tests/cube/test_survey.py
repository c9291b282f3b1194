import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.scans import make_case

import cube.survey
from cube.pairs import Pair, read_pairs
from cube.survey import check_duplicates, survey_case, survey_cases
from system.errors import DataError
from volumes.formats.files import read_label_map, write_image, write_label_map
from volumes.geometry import Grid, affine_from
from volumes.volume import Segment


def write_pair(folder, *, origin=(0, 0, 0), shape=(3, 4, 5)):
    scan = Grid((3, 4, 5), affine_from((2, 1, 0.5)))
    write_image(folder / "a.nrrd", np.zeros(scan.shape, np.int16), scan)
    label = np.zeros(shape, np.uint8)
    label[1, 2, 3], label[2, 2, 3] = 21, 20
    write_image(folder / "b.nrrd", label, Grid(shape, affine_from((2, 1, 0.5), origin)))
    return Pair(folder / "a.nrrd", folder / "b.nrrd", "ann", "anna", None, 1)


def test_survey_lists_the_values_of_the_label_map(tmp_path):
    found = survey_case(write_pair(tmp_path))

    assert found.label_values == (20, 21)
    assert found.grid.shape == (3, 4, 5)
    np.testing.assert_allclose(found.grid.spacing, (2, 1, 0.5))


def test_volumes_are_those_of_slanted_voxels(tmp_path):
    # As of a tilted gantry: each slice of 3 mm is moved by 4 mm.
    slanted = Grid(
        (3, 4, 5), [[10, 0, 0, 0], [0, 10, 4, 0], [0, 0, 3, 0], [0, 0, 0, 1]]
    )
    label = np.zeros(slanted.shape, np.uint8)
    label[1, 1, 1:4] = 20
    write_image(tmp_path / "a.nrrd", np.zeros(slanted.shape, np.int16), slanted)
    write_image(tmp_path / "b.nrrd", label, slanted)

    pair = Pair(tmp_path / "a.nrrd", tmp_path / "b.nrrd", "ann", "anna", None, 1)

    # Three of 10 x 10 x 3 mm; the product of the spacings would be 500 mm3 each.
    assert survey_case(pair).label_ml == {20: pytest.approx(0.9)}


def test_segment_name_is_put_on_one_line(tmp_path):
    plain = write_pair(tmp_path)
    pair = replace(plain, label=tmp_path / "b.seg.nrrd")
    volume = read_label_map(plain.label)
    segment = Segment(20, "L4,\nupper\rhalf", (1, 0, 0))
    write_label_map(pair.label, volume.array, like=volume, segments=[segment])

    assert survey_case(pair).names[20] == "l4, upper half"


def test_shifted_label_map_is_refused_with_both_grids_and_the_shift(tmp_path):
    pair = write_pair(tmp_path, origin=(0, 0.3, 0.4))

    with pytest.raises(DataError, match="different grids") as caught:
        survey_case(pair)

    first, image, label, remedy = str(caught.value).splitlines()
    # 0.3 mm of 1 mm, and 0.4 mm of 0.5 mm, nearer to one voxel than to none: 0.3 and
    # 0.1 mm at right angles are 0.316 mm.
    assert "case 'ann' are on different grids" in first
    assert "corners are up to 0.500 mm apart" in first
    assert "shifted by (0, 0.3, 0.8) voxels, 0.316 mm from the nearest" in first
    assert str(pair.image) in image
    assert "origin (0, 0, 0) mm" in image
    assert str(pair.label) in label
    assert "origin (0, 0.3, 0.4) mm" in label
    assert "In 3D Slicer, module Segmentations" in remedy


def test_label_map_of_another_shape_is_placed_and_its_size_kept(tmp_path):
    found = survey_case(write_pair(tmp_path, shape=(3, 4, 6), origin=(0, -1, 0)))

    assert found.label_values == (20, 21)
    assert found.grid.shape == (3, 4, 5)
    assert found.source["label_voxels"] == 72
    assert found.source["label_names"] == {}
    assert any("offset (0, -1, 0) voxels" in note for note in found.notes)


def test_empty_label_map_is_refused(tmp_path):
    pair = write_pair(tmp_path)
    grid = Grid((1, 1, 1), affine_from((2, 1, 0.5)))
    write_image(pair.label, np.zeros((1, 1, 1), np.uint8), grid)

    with pytest.raises(DataError, match=r"b\.nrrd is empty: no voxel is labelled"):
        survey_case(pair)


def test_source_holds_absolute_paths_checksums_and_the_grid(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pair = replace(write_pair(tmp_path), image=Path("a.nrrd"), label=Path("b.nrrd"))

    source = survey_case(pair).source

    assert source["image"] == str(tmp_path / "a.nrrd")
    assert source["label"] == str(tmp_path / "b.nrrd")
    stored = [(tmp_path / name).read_bytes() for name in ("a.nrrd", "b.nrrd")]
    checksums = [hashlib.sha256(content).hexdigest() for content in stored]
    assert [source["image_checksum"], source["label_checksum"]] == checksums
    assert source["shape"] == [3, 4, 5]
    np.testing.assert_allclose(source["spacing"], (2, 1, 0.5))
    assert source["orientation"] == "RAS"


def test_faulty_cases_are_all_named_or_skipped(scans):
    pairs = read_pairs(scans / "pairs.txt")
    for name in ("ben", "dan"):
        (scans / f"{name}.nrrd").write_bytes(b"no NRRD")

    with pytest.raises(DataError, match=r"(?s)ben\.nrrd.*\n.*dan\.nrrd"):
        survey_cases(pairs, workers=1)
    cases, left_out = survey_cases(pairs, workers=1, skip=True)

    assert [case.pair.case_id for case in cases] == ["ann", "cid"]
    assert set(left_out) == {"ben", "dan"}
    with pytest.raises(DataError, match=r"ben\.nrrd"):  # no case is left
        survey_cases([pairs[1], pairs[3]], workers=1, skip=True)


def test_case_too_large_for_the_memory_is_named(scans, monkeypatch):
    def fail(path, max_voxels):
        raise MemoryError

    monkeypatch.setattr(cube.survey, "read_finite_volume", fail)
    pairs = read_pairs(scans / "pairs.txt")

    with pytest.raises(DataError, match="Out of memory while reading case 'cid'"):
        survey_cases(pairs, workers=1)


def test_same_scan_under_two_names_is_refused_by_name():
    cases = [make_case("ann", content_checksum="x"), make_case("ben"), make_case("cid")]
    check_duplicates(cases)

    cases += [
        make_case("dan", content_checksum="x"),
        make_case("eve", content_checksum="cid"),
    ]
    with pytest.raises(DataError, match="the same: ann and dan; cid and eve"):
        check_duplicates(cases)
