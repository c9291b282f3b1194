import io
import json
import zipfile
from dataclasses import asdict, replace
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from models.metadata import METADATA_NAME, ModelMetadata
from models.model_file import load_model, read_metadata, save_model
from models.unet import unet_3d
from system.errors import DataError
from volumes.classes import Classes

METADATA = ModelMetadata(
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
    return unet_3d(METADATA.spacing, 4, **METADATA.architecture)


def test_loaded_network_gives_the_same_output(network, tmp_path):
    image = np.random.default_rng(0).normal(size=(2, 4, 2, 6, 1)).astype(np.float32)
    # Batch norm's averages are weights too: move them off their first values.
    network(image, training=True)
    expected = np.array(network(image))

    save_model(tmp_path / "model.keras", network, METADATA)
    loaded, metadata = load_model(tmp_path / "model.keras")

    np.testing.assert_allclose(loaded(image), expected, atol=1e-6)
    assert [layer.name for layer in loaded.layers] == [
        layer.name for layer in network.layers
    ]
    assert metadata == METADATA


def test_network_file_is_what_keras_itself_reads(network, tmp_path):
    save_model(tmp_path / "model.keras", network, METADATA)

    assert keras.saving.load_model(tmp_path / "model.keras").name == "unet_3d"


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"absent\.keras: no such model"):
        load_model(tmp_path / "absent.keras")


@pytest.mark.parametrize("content", [b"", b"weights", b"PK\x03\x04 cut off"])
def test_file_that_is_no_archive_is_refused(content, tmp_path):
    path = tmp_path / "model.keras"
    path.write_bytes(content)

    with pytest.raises(DataError, match=r"model\.keras cannot be loaded as a model"):
        load_model(path)


def test_network_without_metadata_is_refused(network, tmp_path):
    network.save(tmp_path / "model.keras")

    with pytest.raises(DataError, match=r"must hold traits\.json.*spacing"):
        load_model(tmp_path / "model.keras")


@pytest.mark.parametrize(
    ("metadata", "shown"),
    [
        ("{", "cannot be loaded as a model"),
        ("{}", "must hold traits.json.*'spacing'"),
        (json.dumps({**asdict(METADATA), "colour": 1}), "cannot be loaded.*'colour'"),
        (json.dumps(asdict(METADATA)), "There is no item named 'config.json'|No such"),
    ],
    ids=["no JSON", "empty", "unknown entry", "no network beside it"],
)
def test_archive_without_a_network_of_ours_is_refused(metadata, shown, tmp_path):
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(METADATA_NAME, metadata)

    with pytest.raises(DataError, match=shown):
        load_model(path)


class Doubled(keras.layers.Layer):
    """A custom layer."""

    def call(self, x):
        return 2 * x


def write_lambda(path, marker):
    """Save a network whose Lambda layer would leave a file behind if it ran."""
    marker = str(marker)
    inputs = keras.Input((4, 4, 4, 1))
    outputs = keras.layers.Lambda(lambda x: (open(marker, "w").close(), x)[1])(inputs)
    save_model(path, keras.Model(inputs, outputs), METADATA)
    Path(marker).unlink()  # building the model ran the layer once


def test_lambda_is_refused_and_not_run(tmp_path):
    write_lambda(tmp_path / "model.keras", tmp_path / "ran")

    with pytest.raises(DataError, match=r"only layers .*layers\.Lambda"):
        load_model(tmp_path / "model.keras")

    assert not (tmp_path / "ran").exists()


def test_custom_layer_is_refused_even_if_it_is_registered(tmp_path):
    keras.saving.register_keras_serializable()(Doubled)
    inputs = keras.Input((4, 4, 4, 1))
    save_model(
        tmp_path / "model.keras", keras.Model(inputs, Doubled()(inputs)), METADATA
    )

    with pytest.raises(DataError, match=r"only layers .*Doubled"):
        load_model(tmp_path / "model.keras")


def change_archive(path, changes, packing=zipfile.ZIP_STORED):
    """Replace files in an archive."""
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", packing) as archive:
        for name, data in {**content, **changes}.items():
            archive.writestr(name, data)


def test_function_named_inside_a_known_layer_is_refused(network, tmp_path):
    path = tmp_path / "model.keras"
    save_model(path, network, METADATA)
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))
    config["config"]["layers"][1]["config"]["kernel_initializer"] = {
        "module": "os",
        "class_name": "function",
        "config": "system",
        "registered_name": "function",
    }
    change_archive(path, {"config.json": json.dumps(config)})

    with pytest.raises(DataError, match=r"Received: os\.function$"):
        load_model(path)


def test_file_with_an_optimizer_is_read(network, tmp_path):
    network.compile(optimizer="rmsprop", loss="mse")
    save_model(tmp_path / "model.keras", network, METADATA)

    assert load_model(tmp_path / "model.keras")[1] == METADATA


@pytest.mark.parametrize(
    ("metadata", "shown"),
    [
        ({"model": "resnet"}, "'model', not resnet"),
        ({"spacing": (2.0, -1.0, 0.5)}, "'spacing'"),
        ({"spacing": (2.0, float("nan"), 0.5)}, "'spacing'"),
        ({"patch_size": (100000, 100000, 100000)}, "'patch_size'"),
        ({"patch_size": (0, 8, 16)}, "'patch_size'"),
        ({"patch_size": (1, 8, 16)}, "'patch_size'"),
        ({"patch_size": (4, 8, 15)}, "'patch_size'"),
        ({"seen": [7]}, "'seen'"),
        ({"class_names": ("background",)}, "'class_names'"),
        ({"label_values": ((), (20,))}, "'label_values'"),
        ({"label_values": ((), (20,), (21,), (2**31,))}, "'label_values'"),
        ({"intensity": ("window", 3, -3)}, "'intensity'"),
        ({"architecture": {"depth": 99}}, "'architecture'"),
        ({"architecture": {"depth": 1, "layers": "x"}}, "'architecture'"),
        ({"class_members": [[], ["L1"]]}, "'class_members'"),
        ({"class_members": [[], ["L1"], "L2", None]}, "'class_members'"),
        ({"orientation": "LPS"}, "'orientation', not LPS"),
        ({"spacing": None}, "'NoneType'"),
    ],
)
def test_invalid_metadata_is_refused(network, tmp_path, metadata, shown):
    path = tmp_path / "model.keras"
    save_model(path, network, METADATA)
    change_archive(path, {METADATA_NAME: json.dumps(asdict(METADATA) | metadata)})

    with pytest.raises(DataError, match=f"cannot be loaded as a model: .*{shown}"):
        load_model(path)


def test_weights_of_another_network_are_refused_in_one_sentence(network, tmp_path):
    wider = replace(METADATA, architecture={**METADATA.architecture, "filters": 4})
    save_model(tmp_path / "model.keras", network, wider)

    with pytest.raises(DataError, match="cannot be loaded as a model") as caught:
        load_model(tmp_path / "model.keras")

    assert "\n" not in str(caught.value)


def rewritten_weights(path, change):
    """Change the HDF5 file of the weights."""
    with zipfile.ZipFile(path) as archive:
        content = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(content, "r+") as weights:
        change(weights)
    return content.getvalue()


def add_link(weights):
    weights["layers/other"] = h5py.ExternalLink("/etc/passwd", "/")


def add_external(weights):
    storage = [("/etc/passwd", 0, 8)]
    weights.create_dataset("layers/other", (8,), "u1", external=storage)


def add_zeros(weights):
    chunks = (2**20,)
    weights.create_dataset("other", (2**40,), "u1", chunks=chunks, compression="gzip")


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        (add_link, "must hold 'other' itself. Received: a link to '/' of /etc/passwd"),
        (add_external, "must hold 'other' itself. Received: bytes in another file"),
        (add_zeros, r"model\.weights\.h5 declares 1\d+ bytes"),
    ],
)
def test_weights_that_are_not_in_the_file_are_refused(network, tmp_path, change, shown):
    path = tmp_path / "model.keras"
    save_model(path, network, METADATA)
    change_archive(path, {"model.weights.h5": rewritten_weights(path, change)})

    with pytest.raises(DataError, match=shown):
        load_model(path)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (METADATA_NAME, r"traits\.json has 33554432 bytes, more than 16777216"),
        ("model.weights.h5", r"model\.weights\.h5 unpacks to 33554432 bytes from"),
    ],
)
def test_archive_that_unpacks_to_much_more_is_refused(network, tmp_path, name, shown):
    path = tmp_path / "model.keras"
    save_model(path, network, METADATA)
    change_archive(path, {name: bytes(2**25)}, zipfile.ZIP_DEFLATED)

    with pytest.raises(DataError, match=shown):
        load_model(path)


def test_structures_of_the_classes_are_read_without_the_network(network, tmp_path):
    members = ((), ("L1",), (21, "L2"), None)
    save_model(
        tmp_path / "model.keras", network, replace(METADATA, class_members=members)
    )

    metadata = read_metadata(tmp_path / "model.keras")

    assert metadata.classes == Classes(METADATA.class_names, members)
    with pytest.raises(DataError, match=r"none\.keras: no such model"):
        read_metadata(tmp_path / "none.keras")
