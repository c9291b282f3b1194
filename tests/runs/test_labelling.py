from pathlib import Path

import pytest

from runs.labelling import plan_label_maps
from system.errors import UsageError


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("seg.nrrd", ["a_label.seg.nrrd", "b_label.seg.nrrd", "c_label.seg.nrrd"]),
        ("input", ["a_label.nrrd", "b_label.nii.gz", "c_label.nrrd"]),
    ],
)
def test_label_maps_are_named_after_their_scans(tmp_path, kind, names):
    scans = [Path("in/a.nrrd"), Path("in/b.nii.gz"), Path("other/c.nhdr")]

    labels = plan_label_maps(scans, tmp_path, kind, force=False)

    assert labels == {
        scan: tmp_path / name for scan, name in zip(scans, names, strict=True)
    }


def test_scans_of_one_name_are_distinguished_by_their_folders(tmp_path):
    scans = [Path("ann/ct.nrrd"), Path("ben/ct.nrrd"), Path("ben/mr.nrrd")]

    labels = plan_label_maps(scans, tmp_path, "seg.nrrd", force=False)

    assert [path.name for path in labels.values()] == [
        "ann_ct_label.seg.nrrd",
        "ben_ct_label.seg.nrrd",
        "mr_label.seg.nrrd",
    ]


@pytest.mark.parametrize(
    ("scans", "shown"),
    [
        (["a/ct.nrrd", "a/ct.nrrd"], "Received twice"),
        (["a/ct.nrrd", "a/ct.nii"], r"Received twice: .*a_ct_label\.seg\.nrrd"),
        (["x/a/ct.nrrd", "y/a/ct.nrrd"], r"Received twice: .*a_ct_label\.seg\.nrrd"),
    ],
    ids=["one scan", "one stem", "one folder's name"],
)
def test_scans_that_cannot_be_distinguished_are_refused(tmp_path, scans, shown):
    with pytest.raises(UsageError, match=shown):
        plan_label_maps(
            [Path(scan) for scan in scans], tmp_path, "seg.nrrd", force=False
        )


def test_existing_label_maps_need_force(tmp_path):
    (tmp_path / "b_label.seg.nrrd").touch()
    scans = [Path("in/a.nrrd"), Path("in/b.nrrd")]

    with pytest.raises(UsageError, match=r"--force replaces.*b_label\.seg\.nrrd$"):
        plan_label_maps(scans, tmp_path, "seg.nrrd", force=False)

    assert len(plan_label_maps(scans, tmp_path, "seg.nrrd", force=True)) == 2


def test_label_map_never_replaces_a_scan(tmp_path):
    scans = [tmp_path / "a.nrrd", tmp_path / "a_label.nrrd"]

    with pytest.raises(UsageError, match=r"must not replace a scan.*a_label\.nrrd"):
        plan_label_maps(scans, tmp_path, "input", force=True)
