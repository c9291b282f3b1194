import json

import pytest

from cube.identity import content_digest

ATTRIBUTES = {
    "spacing": [2.0, 1.0, 0.5],
    "class_names": ["background", "L1"],
    "label_values": [[], [20]],
    "class_members": [None, ["L1"]],
    "intensity": ["zscore"],
    "arguments": {"seed": 0, "rotation": 10.0, "labels": ["L1"]},
    "versions": {"numpy": "1"},
}
SOURCE = {
    "image": "/a/b.nrrd",
    "label": "/a/c.nrrd",
    "image_checksum": "1",
    "label_checksum": "2",
    "content_checksum": "3",
    "label_content_checksum": "4",
    "intensity": {"kind": "zscore", "mean": 0.1},
    "notes": ["no unit"],
}
COLUMNS = {
    "case_id": ["ann"],
    "subject": ["anna"],
    "split": ["train"],
    "copy": [1],
    "extent": [[[0, 6], [1, 8], [0, 10]]],
    "drawn": [{"rotation": [1.0, 2.0, 3.0]}],
    "source": [SOURCE],
}


def digest(attributes=None, shape=(6, 8, 10), source=None, **columns):
    columns = {**COLUMNS, **columns}
    columns["source"] = [json.dumps({**SOURCE, **(source or {})})]
    columns["drawn"] = [json.dumps(drawn) for drawn in columns["drawn"]]
    return content_digest({**ATTRIBUTES, **(attributes or {})}, shape, columns)


@pytest.mark.parametrize(
    "change",
    [
        {"source": {"image": "b.nrrd", "label": "../c.nii.gz"}},
        {"source": {"image_checksum": "other bytes", "label_checksum": "others"}},
        {"source": {"notes": []}},
        {"source": {"intensity": {"kind": "zscore", "mean": 0.1 + 1e-15}}},
        {"attributes": {"versions": {"numpy": "2"}}},
        {"attributes": {"arguments": {"seed": 0, "rotation": 10.0}}},
    ],
)
def test_places_bytes_versions_and_last_digits_do_not_change_it(change):
    assert digest(**change) == digest()


@pytest.mark.parametrize(
    "change",
    [
        {"source": {"content_checksum": "x"}},
        {"source": {"label_content_checksum": "x"}},
        {"source": {"intensity": {"kind": "zscore", "mean": 0.1001}}},
        {"attributes": {"arguments": {"seed": 1, "rotation": 10.0}}},
        {"attributes": {"arguments": {"seed": 0, "rotation": 11.0}}},
        {"attributes": {"class_members": [None, ["L2"]]}},
        {"attributes": {"label_values": [[], [21]]}},
        {"attributes": {"intensity": ["window", -200.0, 1000.0]}},
        {"attributes": {"spacing": [2.0, 1.0, 1.0]}},
        {"shape": (6, 8, 12)},
        {"case_id": ["ben"]},
        {"subject": ["ann"]},
        {"split": ["test"]},
        {"copy": [2]},
        {"extent": [[[0, 5], [1, 8], [0, 10]]]},
        {"drawn": [{"rotation": [1.0, 2.0, 4.0]}]},
    ],
)
def test_everything_that_a_network_learns_from_changes_it(change):
    assert digest(**change) != digest()


def test_bytes_of_a_label_map_count_where_its_voxels_are_not_known():
    def of_label(checksum):
        source = {**SOURCE, "label_checksum": checksum}
        del source["label_content_checksum"]
        columns = {**COLUMNS, "drawn": ["{}"], "source": [json.dumps(source)]}
        return content_digest(ATTRIBUTES, (6, 8, 10), columns)

    assert of_label("2") != of_label("3")


def test_damaged_json_is_taken_as_text():
    columns = {**COLUMNS, "drawn": ["[" * 10_000], "source": ["{"]}

    assert len(content_digest(ATTRIBUTES, (6, 8, 10), columns)) == 64
