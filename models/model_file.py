"""A trained network in one file, with everything that predicting a scan needs.

A `.keras` file is a zip archive. The file `traits.json` is added to those of Keras,
so that spacing, normalisation and classes are stored with the weights.
"""

from __future__ import annotations

import io
import json
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import h5py
import keras

from cube.hdf5 import local_datasets
from models.device import JIT_COMPILE, dtype_for_prediction
from models.metadata import METADATA_NAME, ModelMetadata, parse_metadata
from models.unet import BUILDERS
from system.atomic import atomic_write
from system.errors import DataError
from system.text import shorten

# Keras' own files in the archive.
KERAS_CONFIG_NAME = "config.json"
WEIGHTS_NAME = "model.weights.h5"
MAX_MEMBER_BYTES = 2**24
# What reading a damaged file raises, in zipfile, json, h5py and Keras.
READ_ERRORS = (
    AttributeError,
    EOFError,
    OSError,
    RuntimeError,  # and RecursionError
    TypeError,
    UserWarning,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)


def save_model(path: Path, model: keras.Model, metadata: ModelMetadata) -> None:
    """Write a network and its metadata, renamed into place when complete."""
    with atomic_write(path) as partial:
        model.save(partial)
        with zipfile.ZipFile(partial, "a") as archive:
            entry = zipfile.ZipInfo(METADATA_NAME)  # without the time: same bytes
            archive.writestr(entry, json.dumps(asdict(metadata), indent=1))


def read_metadata(path: Path) -> ModelMetadata:
    """Read what a network was trained for, without the network.

    Raises:
        DataError: If the file is missing, is not a model or has no valid metadata.
    """
    with _report_read_errors(path), zipfile.ZipFile(path) as archive:
        return parse_metadata(json.loads(_read_member(archive, METADATA_NAME)))


def load_model(path: Path) -> tuple[keras.Model, ModelMetadata]:
    """Read a network, ready to predict, and its metadata.

    Nothing in the file is deserialised as code, not even what Keras' safe mode
    allows: the network is built from its metadata and only its weights are read.
    A file whose configuration names any other type of object is refused.

    Raises:
        DataError: If the file is missing, is not a model, has no metadata, or is not
            a network of train.py.
    """
    with _report_read_errors(path):
        with zipfile.ZipFile(path) as archive:
            metadata = parse_metadata(json.loads(_read_member(archive, METADATA_NAME)))
            config = json.loads(_read_member(archive, KERAS_CONFIG_NAME))
            _check_weights(archive, path)
        dtype = dtype_for_prediction(metadata.architecture.get("dtype", "float32"))
        network = build_network(metadata, dtype=dtype)
        _check_types(config, network, path)
        with warnings.catch_warnings():
            # Keras only warns of missing weights, and leaves them random.
            warnings.simplefilter("error", UserWarning)
            network.load_weights(path)
    network.compile(jit_compile=JIT_COMPILE)
    return network, metadata


@contextmanager
def _report_read_errors(path: Path) -> Iterator[None]:
    """Raise a DataError that names the file if it is missing or no model."""
    if not path.is_file():
        raise DataError(f"{path}: no such model.")
    try:
        yield
    except KeyError as error:
        raise DataError(
            f"{path} must hold {METADATA_NAME}, as models of train.py do. Without it "
            f"the spacing and classes that it was trained for are unknown: {error}"
        ) from error
    except READ_ERRORS as error:
        reason = shorten(" ".join(str(error).split()))
        raise DataError(f"{path} cannot be loaded as a model: {reason}") from error


def _read_member(archive: zipfile.ZipFile, name: str) -> bytes:
    """Read a file of the archive that unpacks to at most `MAX_MEMBER_BYTES`."""
    size = archive.getinfo(name).file_size
    if size > MAX_MEMBER_BYTES:
        raise ValueError(f"{name} has {size} bytes, more than {MAX_MEMBER_BYTES}")
    return archive.read(name)


def _check_weights(archive: zipfile.ZipFile, path: Path) -> None:
    """Check that the weights are stored in the file, and not larger than it."""
    size, file_size = archive.getinfo(WEIGHTS_NAME).file_size, path.stat().st_size
    if size > file_size:
        raise ValueError(f"{WEIGHTS_NAME} unpacks to {size} bytes from {file_size}")
    with h5py.File(io.BytesIO(archive.read(WEIGHTS_NAME))) as weights:
        stored = sum(dataset.nbytes for dataset in local_datasets(weights, path))
    if stored > size:
        raise ValueError(f"{WEIGHTS_NAME} declares {stored} bytes in {size}")


def _check_types(config: dict, network: keras.Model, path: Path) -> None:
    """Raise DataError if a configuration names other object types than a network."""
    config.pop("compile_config", None)  # loss and optimizer, which are not read
    own = object_types(keras.saving.serialize_keras_object(network))
    unknown = object_types(config) - own
    if unknown:
        raise DataError(
            f"{path} must hold only layers of train.py's networks. "
            f"Received: {shorten(', '.join(sorted(unknown)))}"
        )


def object_types(config: object) -> set[str]:
    """Return the object types that a Keras configuration names, at any depth."""
    if isinstance(config, list | tuple):
        return set().union(*map(object_types, config))
    if not isinstance(config, dict):
        return set()
    types = set().union(*map(object_types, config.values()))
    if "class_name" in config:
        types.add(f"{config.get('module')}.{config['class_name']}")
    return types


def build_network(metadata: ModelMetadata, *, dtype: str | None = None) -> keras.Model:
    """Build a network from its metadata, with random weights.

    Args:
        metadata: Of the network.
        dtype: Keras dtype policy instead of that of the metadata.
    """
    architecture = dict(metadata.architecture)
    if dtype is not None:
        architecture["dtype"] = dtype
    return BUILDERS[metadata.model](
        metadata.spacing, len(metadata.class_names), **architecture
    )
