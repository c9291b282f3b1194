import json
import zipfile
from dataclasses import asdict, replace

import keras
import numpy as np
import pytest

from models.trained import TRAITS_NAME, Traits, load_trained, save_trained
from models.unet import unet_3d
from volumes.errors import DataError

TRAITS = Traits(
    model="unet3d",
    spacing=(2.0, 1.0, 0.5),
    patch_size=(4, 8, 16),
    class_names=("background", "L1", "L2", "sacrum"),
    label_values=((), (20,), (21,), (26,)),
    intensity=("window", -200.0, 1000.0),
    architecture={"filters": 2, "depth": 1, "norm": "batch", "dropout": 0.1},
    cube_checksum="abc",
)


@pytest.fixture
def network():
    keras.utils.set_random_seed(3)
    return unet_3d(TRAITS.spacing, 4, **TRAITS.architecture)


def test_loaded_network_gives_the_same_output(network, tmp_path):
    image = np.random.default_rng(0).normal(size=(2, 4, 2, 6, 1)).astype(np.float32)
    # Batch norm's averages are weights too: move them off their first values.
    network(image, training=True)
    expected = np.array(network(image))

    save_trained(tmp_path / "model.keras", network, TRAITS)
    loaded, traits = load_trained(tmp_path / "model.keras")

    np.testing.assert_allclose(loaded(image), expected, atol=1e-6)
    assert [layer.name for layer in loaded.layers] == [
        layer.name for layer in network.layers
    ]
    assert traits == TRAITS


def test_network_file_is_what_keras_itself_reads(network, tmp_path):
    save_trained(tmp_path / "model.keras", network, TRAITS)

    assert keras.saving.load_model(tmp_path / "model.keras").name == "unet_3d"


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"absent\.keras: no such model"):
        load_trained(tmp_path / "absent.keras")


@pytest.mark.parametrize("content", [b"", b"weights", b"PK\x03\x04 cut off"])
def test_file_that_is_no_archive_is_refused(content, tmp_path):
    path = tmp_path / "model.keras"
    path.write_bytes(content)

    with pytest.raises(DataError, match=r"model\.keras cannot be loaded as a model"):
        load_trained(path)


def test_network_of_another_program_is_refused(network, tmp_path):
    network.save(tmp_path / "model.keras")

    with pytest.raises(DataError, match=r"must hold traits\.json.*spacing"):
        load_trained(tmp_path / "model.keras")


@pytest.mark.parametrize(
    ("traits", "shown"),
    [
        ("{", "cannot be loaded as a model"),
        ("{}", "must hold traits.json.*'spacing'"),
        (json.dumps({**asdict(TRAITS), "colour": 1}), "cannot be loaded.*'colour'"),
        (json.dumps(asdict(TRAITS)), "There is no item named 'config.json'|No such"),
    ],
    ids=["no JSON", "empty", "unknown entry", "no network beside it"],
)
def test_archive_of_other_content_is_refused(traits, shown, tmp_path):
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(TRAITS_NAME, traits)

    with pytest.raises(DataError, match=shown):
        load_trained(path)


def test_classes_of_one_value_keep_it():
    segments = TRAITS.segments()

    assert [(each.value, each.name) for each in segments] == [
        (20, "L1"),
        (21, "L2"),
        (26, "sacrum"),
    ]
    assert len({each.color for each in segments}) == 3


def test_classes_are_numbered_where_one_was_merged():
    merged = replace(TRAITS, label_values=((), (20,), (21, 22), (26,)))

    assert [each.value for each in merged.segments()] == [1, 2, 3]
