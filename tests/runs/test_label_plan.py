from pathlib import Path

import pytest

from runs.label_plan import Outputs, find_scans, plan_outputs
from runs.label_table import LabelTable
from runs.leftovers import remove_leftovers
from system.errors import DataError, UsageError


def label_maps(scans, folder, kind="seg.nrrd", *, force=False):
    plan = plan_outputs([Path(scan) for scan in scans], folder, kind, force=force)
    return [outputs.label_map for outputs in plan.values()]


@pytest.mark.parametrize(
    ("kind", "ends"),
    [
        ("seg.nrrd", ["a_label.seg.nrrd", "b_label.seg.nrrd", "c_label.seg.nrrd"]),
        ("input", ["a_label.nrrd", "b_label.nii.gz", "c_label.nrrd"]),
    ],
)
def test_label_maps_are_named_after_folders_and_scans(tmp_path, kind, ends):
    found = label_maps(["in/a.nrrd", "in/b.nii.gz", "in/c.nhdr"], tmp_path, kind)

    assert found == [tmp_path / f"in_{end}" for end in ends]
    assert label_maps(["in/b.nii.gz"], tmp_path, kind) == [tmp_path / f"in_{ends[1]}"]


def test_scan_that_force_would_remove_is_refused(tmp_path):
    (folder := tmp_path / "in").mkdir()
    names = ["a.nrrd", "in_a_vertebrae.nrrd", "in_a_probability_L1.nrrd"]
    for name in names:
        (folder / name).touch()
    scans = [folder / name for name in names]

    assert len(plan_outputs(scans, tmp_path, "input", force=True)) == 3
    for scan in scans[1:]:
        with pytest.raises(UsageError, match=f"as both: {scan}$"):
            plan_outputs([scans[0], scan], folder, "input", force=True)


def test_label_maps_of_other_scans_are_no_probabilities(tmp_path):
    outputs = Outputs(tmp_path, "in_a", ".nrrd")
    names = ["in_a_probability_L1.nrrd", "in_a_probability_2_label.seg.nrrd"]
    ends = ("label.nrrd", "vertebrae.nrrd", "overlay.png")
    names += [f"in_a_probability_2_{end}" for end in ends]
    for name in names:
        (tmp_path / name).touch()

    assert outputs.existing() == [tmp_path / names[0]]
    (tmp_path / "in_a_probability_label.nrrd").touch()  # of a class of this name
    assert len(outputs.existing()) == 2


def test_folder_in_a_name_is_the_one_that_a_path_leads_to(tmp_path, monkeypatch):
    (tmp_path / "ann" / "deep").mkdir(parents=True)
    (tmp_path / ".ben").mkdir()
    monkeypatch.chdir(tmp_path / "ann" / "deep")

    found = label_maps(
        ["../ct.nrrd", "ct.nrrd", "../../.ben/x.mha", "/y.nii"], tmp_path
    )

    assert [path.name.removesuffix("_label.seg.nrrd") for path in found] == [
        "ann_ct",
        "deep_ct",
        "ben_x",
        "y",
    ]


def test_earlier_label_maps_of_another_format_are_replaced_by_force(tmp_path):
    names = ["in_b_label.mha", "in_b_vertebrae.seg.nrrd", "in_b_label.seg.nrrd"]
    others = ["in_b_2_label.nii.gz", "in_b_label.txt"]
    corrected = "in_b_label.nii"  # by somebody, as labels.csv does not list it
    for name in (*names, *others, corrected):
        (tmp_path / name).touch()
    rows = [{"label_map": name} for name in (names[0], names[2])]
    LabelTable(tmp_path / "labels.csv").replace(rows)
    scans = [Path("in/b.nii.gz")]

    with pytest.raises(UsageError, match=r"label\.seg\.nrrd, .*in_b_label\.mha$"):
        plan_outputs(scans, tmp_path, "input", force=False)
    (outputs,) = plan_outputs(scans, tmp_path, "input", force=True).values()
    remove_leftovers(outputs)

    kept = {path.name for path in tmp_path.iterdir()}
    assert kept == {*others, corrected, "labels.csv"}


@pytest.mark.parametrize(
    ("scans", "shown"),
    [
        (["a/ct.nrrd", "a/ct.nrrd"], "Received twice"),
        (["a/ct.nrrd", "a/ct.nii"], "Received twice: a_ct$"),
        (["x/a/ct.nrrd", "y/a/ct.nrrd"], "Received twice: a_ct$"),
    ],
    ids=["one scan", "one stem", "one folder's name"],
)
def test_scans_that_cannot_be_distinguished_are_refused(tmp_path, scans, shown):
    with pytest.raises(UsageError, match=shown):
        label_maps(scans, tmp_path)


@pytest.mark.parametrize(
    "end", ["label.seg.nrrd", "overlay.png", "probability_L1.nrrd"]
)
def test_existing_files_need_force(tmp_path, end):
    (tmp_path / f"in_b_{end}").touch()
    scans = ["in/a.nrrd", "in/b.nrrd"]

    with pytest.raises(UsageError, match=rf"--force replaces.*in_b_{end}$"):
        label_maps(scans, tmp_path)

    assert len(label_maps(scans, tmp_path, force=True)) == 2


def test_label_map_never_replaces_a_scan(tmp_path):
    (tmp_path / "s").mkdir()
    scans = [tmp_path / "s" / "a.nrrd", tmp_path / "s" / "s_a_label.nrrd"]

    with pytest.raises(UsageError, match=r"must not replace a scan.*a_label\.nrrd"):
        label_maps(scans, tmp_path / "s", "input", force=True)


def test_probability_maps_have_safe_and_different_names():
    names = ("background", "L1", "a/b", "a b")

    paths = Outputs(Path("out"), "in_a", ".nii").probabilities(names)

    begin = "out/in_a_probability_"
    assert [str(p) for p in paths] == [
        f"{begin}{end}.nrrd" for end in ("L1", "a_b", "a_b_2")
    ]


def test_folder_stands_for_the_scans_in_it(tmp_path):
    for name in ("b.nii.gz", "a.nrrd", "a.seg.nrrd", "notes.txt", ".c.nrrd"):
        (tmp_path / name).touch()
    for name in ("series", "deeper", "folder.nrrd"):
        (tmp_path / name).mkdir()
    (tmp_path / "series" / "IM1").write_bytes(bytes(128) + b"DICM")
    (tmp_path / "deeper" / "d.nrrd").touch()
    output, absent = tmp_path / "out", Path("absent.nrrd")

    found = find_scans([absent, tmp_path], output)

    assert found == [absent, *(tmp_path / n for n in ("a.nrrd", "b.nii.gz", "series"))]
    assert find_scans([tmp_path / "series"], output) == [tmp_path / "series"]


def test_folder_without_a_scan_is_refused(tmp_path):
    (tmp_path / "notes.txt").touch()

    with pytest.raises(DataError, match=r"must hold scans, .*Received: a folder"):
        find_scans([tmp_path], tmp_path / "out")


def test_label_maps_are_not_written_among_the_scans_of_a_folder(tmp_path, monkeypatch):
    (tmp_path / "a.nrrd").touch()
    monkeypatch.chdir(tmp_path)

    with pytest.raises(UsageError, match="another folder than that of the scans"):
        find_scans([tmp_path], Path("."))
