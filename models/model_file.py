"""A trained network in one file, with everything that predicting a scan needs.

A `.keras` file is a zip archive. The file `traits.json` is added to those of Keras,
so that spacing, normalisation and classes are stored with the weights.
"""

from __future__ import annotations

import io
import json
import math
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import h5py
import keras

from cube.hdf5 import local_datasets
from cube.values import is_members, is_names, is_spacing, is_values
from models.defaults import is_valid_patch_size
from models.device import JIT_COMPILE, dtype_for_prediction
from models.unet import BUILDERS, MAX_DEPTH
from system.atomic import atomic_write
from system.errors import DataError
from system.text import shorten
from volumes.classes import Classes, Member
from volumes.intensity import is_mode
from volumes.traits import TraitRanges, parse_ranges
from volumes.vertebrae import label_color
from volumes.volume import Segment

METADATA_NAME = "traits.json"
# Keras' own files in the archive.
KERAS_CONFIG_NAME = "config.json"
WEIGHTS_NAME = "model.weights.h5"
MAX_MEMBER_BYTES = 2**24
MAX_PATCH_VOXELS = 2**26
ORIENTATION = "RAS"
KEEP = ("all", "spine", "largest")
ARCHITECTURE_FIELDS = {"filters", "depth", "norm", "dropout", "dtype"}
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


@dataclass(frozen=True)
class ModelMetadata:
    """What a network was trained for.

    Args:
        model: "unet2d" or "unet3d".
        spacing: Of its input in mm, right, anterior, superior.
        patch_size: Of its input in voxels; the first is 1 for UNet-2D.
        class_names: Background first.
        label_values: Values of each class in label maps of predictions.
        intensity: Mode of `measure_intensity`.
        architecture: Arguments of `build_unet`.
        cube_checksum: Of the cube that it was trained on.
        orientation: Of its input; always "RAS".
        seen: Content checksums of the scans that it was trained and validated on,
            and of those that the network it started from was.
        class_members: Structures of each class; see `Classes`. None for networks of
            cubes of format version 1.
        keep: What is kept of its predictions, one of `KEEP`.
        training: What the scans that it was trained on are like; None for networks of
            earlier versions.
    """

    model: str
    spacing: tuple[float, float, float]
    patch_size: tuple[int, int, int]
    class_names: tuple[str, ...]
    label_values: tuple[tuple[int, ...], ...]
    intensity: tuple
    architecture: dict
    cube_checksum: str
    orientation: str = ORIENTATION
    seen: tuple[str, ...] = ()
    class_members: tuple[tuple[Member, ...] | None, ...] | None = None
    keep: str = "all"
    training: TraitRanges | None = None

    @property
    def classes(self) -> Classes:
        """What each class is made of, as far as it is known.

        Networks of cubes of format version 1 only know the label values. Their class
        "spine" is what makeCube.py then made of all structures.
        """
        members = self.class_members
        if members is None:
            members = self.label_values
            if self.class_names == ("background", "spine"):
                members = ((), None)
        return Classes(self.class_names, members)

    def segments(self) -> tuple[Segment, ...]:
        """Return the segments of predicted label maps, one per foreground class.

        Classes keep their label values if each has one of its own. If any class was
        merged from several, all are numbered 1, 2, ... instead.
        """
        own = self.label_values[1:]
        values = [value for each in own for value in each]
        is_single = all(len(each) == 1 for each in own)
        if not is_single or len(set(values)) < len(values):
            values = list(range(1, len(self.class_names)))
        return tuple(
            Segment(value, name, label_color(value))
            for value, name in zip(values, self.class_names[1:], strict=True)
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


def parse_metadata(found: dict) -> ModelMetadata:
    """Return checked metadata from the content of its JSON file.

    Raises:
        KeyError: If an entry is missing.
        TypeError: If an entry is unknown.
        ValueError: If an entry is invalid.
    """
    for name in ("spacing", "patch_size", "class_names", "intensity"):
        found[name] = tuple(found[name])
    found["label_values"] = tuple(tuple(values) for values in found["label_values"])
    found["seen"] = tuple(found["seen"])
    members = found.get("class_members")
    if members is not None:
        if not is_members(members) or len(members) != len(found["class_names"]):
            raise ValueError(f"{METADATA_NAME} must hold a valid 'class_members'")
        found["class_members"] = tuple(
            each if each is None else tuple(each) for each in members
        )
    if found.get("training") is not None:
        found["training"] = parse_ranges(found["training"])
    metadata = ModelMetadata(**found)
    architecture = metadata.architecture
    valid = {
        "model": metadata.model in BUILDERS,
        "spacing": is_spacing(metadata.spacing),
        "patch_size": _is_patch_size(metadata.patch_size),
        "class_names": is_names(metadata.class_names),
        "label_values": is_values(metadata.label_values)
        and len(metadata.label_values) == len(metadata.class_names),
        "intensity": is_mode(metadata.intensity),
        "architecture": set(architecture) <= ARCHITECTURE_FIELDS
        and architecture["depth"] in range(MAX_DEPTH + 1),
        "orientation": metadata.orientation == ORIENTATION,
        "keep": metadata.keep in KEEP,
        "seen": all(isinstance(checksum, str) for checksum in metadata.seen),
    }
    # This check needs the others to be valid.
    if all(valid.values()):
        valid["patch_size"] = is_valid_patch_size(
            metadata.model, metadata.patch_size, metadata.spacing, architecture["depth"]
        )
    for name, is_valid in valid.items():
        if not is_valid:
            raise ValueError(
                f"{METADATA_NAME} must hold a valid '{name}', not "
                f"{getattr(metadata, name)}"
            )
    return metadata


def _is_patch_size(sides: tuple) -> bool:
    are_counts = len(sides) == 3 and all(isinstance(n, int) and n > 0 for n in sides)
    return are_counts and math.prod(sides) <= MAX_PATCH_VOXELS
