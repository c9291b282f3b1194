"""A trained network in one file, with all that predicting a new scan needs.

A `.keras` file is a zip archive; beside what Keras keeps in it lies
`traits.json`, so that spacing, normalisation and classes travel with the
weights.
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path

import keras

import models.norm  # noqa: F401  a layer that Keras finds by its name
from models.device import jit_compile
from volumes.atomic import replacing
from volumes.cube import Cube
from volumes.errors import DataError, UsageError
from volumes.vertebrae import label_color
from volumes.volume import Segment

TRAITS_NAME = "traits.json"
ORIENTATION = "RAS"


@dataclass(frozen=True)
class Traits:
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
        fold: Which fold of that cube was kept from it, and of how many; None for
            the cube's own splits.
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
    fold: tuple[int, int] | None = None

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


def save_trained(path: Path, model: keras.Model, traits: Traits) -> None:
    """Write network and traits to one file, renamed into place when complete."""
    with replacing(path) as partial:
        model.save(partial)
        with zipfile.ZipFile(partial, "a") as archive:
            entry = zipfile.ZipInfo(TRAITS_NAME)  # a fixed date: same bytes
            archive.writestr(entry, json.dumps(asdict(traits), indent=1))


def load_trained(path: Path) -> tuple[keras.Model, Traits]:
    """Read a network and its traits; the network is ready to predict.

    Raises:
        DataError: If the file is missing, is no model, or has no traits.
    """
    if not Path(path).is_file():
        raise DataError(f"{path}: no such model.")
    try:
        with zipfile.ZipFile(path) as archive:
            traits = _parse_traits(json.loads(archive.read(TRAITS_NAME)))
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except KeyError as error:
        raise DataError(
            f"{path} must hold {TRAITS_NAME}, as models of train.py do: without it "
            f"the spacing and classes that it was trained for are unknown. {error}"
        ) from error
    except (zipfile.BadZipFile, ValueError, OSError, TypeError) as error:
        raise DataError(f"{path} cannot be loaded as a model: {error}") from error
    model.compile(jit_compile=jit_compile())
    return model, traits


def _parse_traits(found: dict) -> Traits:
    """Turn the lists of JSON back into tuples."""
    for name in ("spacing", "patch_size", "class_names", "intensity"):
        found[name] = tuple(found[name])
    found["label_values"] = tuple(tuple(values) for values in found["label_values"])
    if found.get("fold"):
        found["fold"] = tuple(found["fold"])
    return Traits(**found)


def check_unseen(
    path: Path, traits: Traits, cube: Cube, fold: tuple[int, int] | None
) -> None:
    """Refuse to test a fold by a network that was trained on its scans.

    Args:
        path: The network's file.
        traits: What it was trained for.
        cube: The cube whose fold is tested.
        fold: Which fold, and of how many; None for the cube's own test cases,
            which are in no fold.

    Raises:
        UsageError: If it was trained on this cube, but not in this fold.
    """
    same_cube = traits.cube_checksum == cube.checksum
    if fold is not None and same_cube and traits.fold != fold:
        raise UsageError(
            f"{path} must not have seen the scans that this fold tests. Received: "
            f"fold and folds {fold}, but it was trained on this cube in "
            f"{traits.fold or 'its own splits'}"
        )
