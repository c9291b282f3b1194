import pytest

from cube.pairs import read_pairs


def case_ids_of(folder, *lines):
    """Write a pair list and empty files for it; return the case id of each line."""
    for name in ",".join(lines).split(","):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    (folder / "pairs.txt").write_text("\n".join(lines))
    return [pair.case_id for pair in read_pairs(folder / "pairs.txt")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Stems tell apart; folders do where stems do not; both; more folders.
        ("x/one.nrrd x/two.nii.gz", ["one", "two"]),
        ("x/image.nrrd y/image.nrrd", ["x", "y"]),
        ("x/ct.nrrd x/mr.nrrd y/ct.nrrd", ["x_ct", "x_mr", "y_ct"]),
        ("p/x/i.nrrd q/x/i.nrrd", ["p_x_i", "q_x_i"]),
        ("x/scan.nrrd y/Scan.nrrd", ["x", "y"]),
        ("x/one.nrrd x/one.nii", ["one", "one_2"]),  # no folder tells them apart
    ],
)
def test_case_ids_are_the_shortest_unique_names(tmp_path, text, expected):
    images = enumerate(text.split())
    lines = [f"{image},label{number}.nrrd" for number, image in images]

    assert case_ids_of(tmp_path, *lines) == expected


def test_case_ids_do_not_depend_on_where_the_folder_lies(tmp_path):
    lines = "x/one.nrrd,x/l.nrrd", "x/one.nii,x/m.nrrd"

    for place in (tmp_path / "here", tmp_path / "there" / "deep"):
        assert case_ids_of(place, *lines) == ["one", "one_2"]
