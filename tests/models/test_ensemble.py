from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models import prediction
from models.ensemble import (
    Member,
    load_members,
    measure_disagreement,
    predict_members,
    scale_probability,
    settle_members,
)
from models.metadata import ModelMetadata
from models.model_file import build_network, save_model
from system.errors import UsageError

METADATA = ModelMetadata(
    model="unet3d",
    spacing=(1.0, 1.5, 2.0),
    patch_size=(4, 4, 4),
    class_names=("background", "L1", "L2"),
    label_values=((), (20,), (21,)),
    intensity=("window", -100, 100),  # 0 to 0, 100 to 1
    architecture={"filters": 2, "depth": 1, "norm": "instance", "dropout": 0.0},
    cube_checksum="",
)


class Stub:
    """Stands in for a network: voxel x gives L1 a probability of a x, L2 of b x."""

    def __init__(self, a, b):
        self.factors = (a, b)

    def predict_on_batch(self, batch):
        parts = [factor * batch for factor in self.factors]
        return np.concatenate([1 - sum(parts), *parts], axis=-1)


def member(a, b, **changed):
    return Member(Path(f"{a} {b}.keras"), Stub(a, b), replace(METADATA, **changed))


@pytest.fixture
def image(oblique_grid):
    return np.full(oblique_grid.shape, 100, np.float32)


@pytest.mark.parametrize("spacing", [(1.0, 1.5, 2.0), (2.0, 1.0, 1.25)])
def test_probabilities_are_averaged_whatever_the_spacings(oblique_grid, image, spacing):
    # The mean of L1 is (.88 + .2 + .2) / 3 = .43, of L2 (.1 + .66 + .66) / 3 = .47.
    members = [member(0.88, 0.1), member(0.2, 0.66, spacing=spacing)]
    members.append(member(0.2, 0.66))

    found = predict_members(members, image, oblique_grid)

    assert np.unique(found.classes).tolist() == [2]
    assert len(found.parts) == len({spacing, METADATA.spacing})
    scaled = scale_probability(found.parts, 1, oblique_grid)
    assert np.unique(scaled).tolist() == [121]  # 255 * 1.42 / 3 = 120.7
    # The first says L1 everywhere, the others L2: two of three pairs have a Dice of 0.
    np.testing.assert_allclose(found.disagreement, (2 / 3, 2 / 3), atol=1e-6)


def test_one_network_predicts_alone(oblique_grid, image):
    image[..., 3:] = -100  # 6 mm of 15

    found = predict_members([member(0.7, 0.2)], image, oblique_grid)

    alone = prediction.predict_scan(Stub(0.7, 0.2), METADATA, image, oblique_grid)
    np.testing.assert_array_equal(found.classes, alone)
    assert set(np.unique(alone)) == {0, 1}
    assert found.disagreement is None


def test_disagreement_is_one_minus_the_mean_pairwise_dice():
    a = np.array([[[1, 1, 1, 2, 0]]], np.uint8)
    b = np.array([[[1, 1, 0, 0, 0]]], np.uint8)
    c = np.array([[[1, 0, 0, 2, 2]]], np.uint8)

    found = measure_disagreement([a, b, c], 4)

    # L1 has 3, 2 and 1 voxels: 2*2/5, 2*1/4, 2*1/3. L2 has 1, 0 and 2: 0, 2*1/3, 0.
    # Nobody has the third class.
    expected = (1 - (0.8 + 0.5 + 2 / 3) / 3, 1 - (2 / 3) / 3, 0.0)
    np.testing.assert_allclose(found, expected)


def test_rules_are_those_of_most_networks_unless_flags_say_others(capsys):
    window = {"intensity": ("window", -100, 100)}
    members = [
        member(1, 0, keep="spine"),
        member(0, 1, keep="all", intensity=("zscore",)),
        member(1, 1, keep="spine", **window),
    ]

    settled = settle_members(members, ("auto",), None)
    forced = settle_members(members, ("window", -5, 5), "largest")

    assert [each.metadata.keep for each in settled] == ["spine"] * 3
    assert settled[1].metadata.intensity == ("zscore",)
    assert {each.metadata.keep for each in forced} == {"largest"}
    assert {each.metadata.intensity for each in forced} == {("window", -5, 5)}
    assert capsys.readouterr().out.splitlines() == [
        "intensity: window -100 to 100 HU or z-score of each scan, as the models were "
        "trained",
        "keep: spine, as 2 of 3 models say",
        "intensity: window -5 to 5 HU, by --intensity; the models were trained with: "
        "window -100 to 100 HU or z-score of each scan",
        "keep: largest, by --keep",
    ]


def test_networks_of_other_classes_and_the_same_twice_are_refused(tmp_path):
    names = ("background", "L1", "sacrum")
    paths = [tmp_path / f"{name}.keras" for name in "abc"]
    network = build_network(METADATA)
    save_model(paths[0], network, METADATA)
    save_model(paths[1], network, replace(METADATA, class_names=names))
    paths[2].write_bytes(paths[0].read_bytes())

    with pytest.raises(UsageError, match=r"L1, L2 of .*a\.keras, .*L1, sacrum of .*b"):
        load_members(paths[:2])
    with pytest.raises(UsageError, match=r"given once. Received: .*a\.keras and .*c\."):
        load_members([paths[0], paths[2]])
    with pytest.raises(UsageError, match=r"given once. Received: .*a\.keras and .*a\."):
        load_members([paths[0], paths[0]])
    assert len(load_members(paths[:1])) == 1
