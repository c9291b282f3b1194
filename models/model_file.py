"""A trained network in one file, with all that predicting a new scan needs.

A `.keras` file is a zip archive; beside what Keras keeps in it lies
`traits.json`, so that spacing, normalisation and classes travel with the
weights.
"""

from __future__ import annotations

import io
import json
import math
import struct
import warnings
import zipfile
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path

import h5py
import keras

from cube.hdf5 import local_datasets
from cube.reader import Cube
from cube.schema import is_names, is_spacing, is_values
from models.defaults import is_valid_patch_size
from models.device import jit_compile
from models.unet import BUILDERS, MAX_DEPTH
from system.atomic import atomic_write
from system.errors import DataError, UsageError
from system.text import shorten
from volumes.intensity import is_mode
from volumes.vertebrae import label_color
from volumes.volume import Segment

METADATA_NAME = "traits.json"
# Of Keras' own files in the archive.
CONFIG_NAME = "config.json"
WEIGHTS_NAME = "model.weights.h5"
MAX_MEMBER_BYTES = 2**24
MAX_PATCH_VOXELS = 2**26
ORIENTATION = "RAS"
ARCHITECTURE = {"filters", "depth", "norm", "dropout", "dtype"}
_UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, RecursionError),
    *(ValueError, TypeError, AttributeError, struct.error, UserWarning),
)


@dataclass(frozen=True)
class ModelMetadata:
    """What a network was trained for.

    Args:
        model: "unet2d" or "unet3d".
        spacing: Of its input in mm, right, anterior, superior.
        patch_size: Of its input in voxels; the first is 1 for UNet-2D.
        class_names: Background first.
        label_values: Values of the label maps behind each class.
        intensity: Mode of `measure_intensity`.
        architecture: Arguments of the builder.
        cube_checksum: Of the cube that it was trained on.
        orientation: Of its input; always "RAS".
        seen: Checksums of the scans that it was trained and validated on, by
            their content, and those of the network that it started from.
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

    def segments(self) -> tuple[Segment, ...]:
        """Say which value a predicted label map gives to which class.

        A class made of one label value keeps it; where any class was merged
        from several, all are numbered 1, 2, ... instead.
        """
        kept = all(len(values) == 1 for values in self.label_values[1:])
        numbers = range(1, len(self.class_names))
        values = [self.label_values[n][0] if kept else n for n in numbers]
        return tuple(
            Segment(value, name, label_color(value))
            for value, name in zip(values, self.class_names[1:], strict=True)
        )


def save_model(path: Path, model: keras.Model, metadata: ModelMetadata) -> None:
    """Write network and traits to one file, renamed into place when complete."""
    with atomic_write(path) as partial:
        model.save(partial)
        with zipfile.ZipFile(partial, "a") as archive:
            entry = zipfile.ZipInfo(METADATA_NAME)  # a fixed date: same bytes
            archive.writestr(entry, json.dumps(asdict(metadata), indent=1))


def load_model(path: Path) -> tuple[keras.Model, ModelMetadata]:
    """Read a network and its traits; the network is ready to predict.

    Nothing in the file is turned into code, not even as far as Keras' safe mode
    would: the network is built from its traits, and takes numbers alone from the
    file. What names any other kind of object is refused.

    Raises:
        DataError: If the file is missing, is no model, has no traits, or holds
            more than a network of train.py.
    """
    if not Path(path).is_file():
        raise DataError(f"{path}: no such model.")
    try:
        with zipfile.ZipFile(path) as archive:
            metadata = parse_metadata(json.loads(_read_member(archive, METADATA_NAME)))
            config = json.loads(_read_member(archive, CONFIG_NAME))
            config.pop("compile_config", None)  # of a training, which is over
            _check_weights(archive, path)
        network = build_network(metadata)
        own = object_types(keras.saving.serialize_keras_object(network))
        foreign = object_types(config) - own
        if foreign:
            raise DataError(
                f"{path} must hold nothing but the layers of train.py's networks. "
                f"Received: {shorten(', '.join(sorted(foreign)))}"
            )
        with warnings.catch_warnings():
            # Keras warns of weights that are missing, and leaves them at random.
            warnings.simplefilter("error", UserWarning)
            network.load_weights(path)
    except KeyError as error:
        raise DataError(
            f"{path} must hold {METADATA_NAME}, as models of train.py do: without it "
            f"the spacing and classes that it was trained for are unknown. {error}"
        ) from error
    except _UNREADABLE as error:
        reason = shorten(" ".join(str(error).split()))
        raise DataError(f"{path} cannot be loaded as a model: {reason}") from error
    network.compile(jit_compile=jit_compile())
    return network, metadata


def _read_member(archive: zipfile.ZipFile, name: str) -> bytes:
    """Read a small file of the archive, unless it unpacks to a large one."""
    size = archive.getinfo(name).file_size
    if size > MAX_MEMBER_BYTES:
        raise ValueError(f"{name} has {size} bytes, more than {MAX_MEMBER_BYTES}")
    return archive.read(name)


def _check_weights(archive: zipfile.ZipFile, path: Path) -> None:
    """See that the weights are the file's own, and no more than it holds."""
    size, held = archive.getinfo(WEIGHTS_NAME).file_size, Path(path).stat().st_size
    if size > held:
        raise ValueError(f"{WEIGHTS_NAME} unpacks to {size} bytes from {held}")
    with h5py.File(io.BytesIO(archive.read(WEIGHTS_NAME))) as weights:
        stored = sum(dataset.nbytes for dataset in local_datasets(weights, path))
    if stored > size:
        raise ValueError(f"{WEIGHTS_NAME} promises {stored} bytes in {size}")


def object_types(config: object) -> set[str]:
    """Gather the kinds of object that a Keras configuration names, at any depth."""
    if isinstance(config, list | tuple):
        return set().union(*map(object_types, config))
    if not isinstance(config, dict):
        return set()
    kinds = set().union(*map(object_types, config.values()))
    if "class_name" in config:
        kinds.add(f"{config.get('module')}.{config['class_name']}")
    return kinds


def build_network(metadata: ModelMetadata) -> keras.Model:
    """Build the network that traits describe, with fresh weights."""
    return BUILDERS[metadata.model](
        metadata.spacing, len(metadata.class_names), **metadata.architecture
    )


def parse_metadata(found: dict) -> ModelMetadata:
    """Turn what JSON gives into traits that can be relied upon.

    Raises:
        KeyError: If an entry is missing.
        TypeError: If there are others.
        ValueError: If an entry is not what it must be.
    """
    for name in ("spacing", "patch_size", "class_names", "intensity"):
        found[name] = tuple(found[name])
    found["label_values"] = tuple(tuple(values) for values in found["label_values"])
    found["seen"] = tuple(found["seen"])
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
        "architecture": set(architecture) <= ARCHITECTURE
        and architecture["depth"] in range(MAX_DEPTH + 1),
        "orientation": metadata.orientation == ORIENTATION,
        "seen": all(isinstance(checksum, str) for checksum in metadata.seen),
    }
    # Only now, since it needs the others to be valid.
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
    is_whole = len(sides) == 3 and all(isinstance(n, int) and n > 0 for n in sides)
    return is_whole and math.prod(sides) <= MAX_PATCH_VOXELS


def content_checksums(cube: Cube, split: str) -> set[str]:
    """Give the checksums of a split's scans, by their content."""
    rows = cube.rows(split, copy=0)
    return {cube.sources[row].get("content_checksum", "") for row in rows} - {""}


def check_unseen(path: Path, metadata: ModelMetadata, cube: Cube) -> None:
    """Refuse to test a network on scans that it has seen.

    Args:
        path: The network's file.
        metadata: What it was trained for.
        cube: Whose test cases it is to be tested on.

    Raises:
        UsageError: Names the cases that it was trained or validated on, in this
            cube or in any other.
    """
    known = [
        cube.case_ids[row]
        for row in cube.rows("test", copy=0)
        if cube.sources[row].get("content_checksum") in metadata.seen
    ]
    if known:
        raise UsageError(
            f"{path} must not have seen the scans that are tested. Received: "
            f"{shorten(', '.join(known))}, on which it was trained or validated"
        )
