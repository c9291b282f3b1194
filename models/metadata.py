"""What a network was trained for: the metadata in its file."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cube.values import is_members, is_names, is_spacing, is_values
from models.defaults import is_valid_patch_size
from models.unet import BUILDERS, MAX_DEPTH
from volumes.classes import Classes, Member
from volumes.intensity import is_mode
from volumes.traits import TraitRanges, parse_ranges
from volumes.vertebrae import label_color
from volumes.volume import Segment

METADATA_NAME = "traits.json"  # of the file that holds it, inside the model's
MAX_PATCH_VOXELS = 2**26
ORIENTATION = "RAS"
KEEP = ("all", "spine", "largest")
ARCHITECTURE_FIELDS = {"filters", "depth", "norm", "dropout", "dtype"}


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


def parse_metadata(found: dict) -> ModelMetadata:
    """Return checked metadata from the content of its JSON file.

    Args:
        found: The entries by name; lists stand for tuples.

    Raises:
        KeyError: If an entry is missing.
        TypeError: If an entry is unknown, or is no list where it must be one.
        ValueError: If an entry is invalid; names it.
    """
    metadata = ModelMetadata(**_parse_entries(found))
    valid = _check_entries(metadata)
    invalid = [name for name, is_valid in valid.items() if not is_valid]
    # This check needs the others to be valid.
    if not invalid and not is_valid_patch_size(
        metadata.model,
        metadata.patch_size,
        metadata.spacing,
        metadata.architecture["depth"],
    ):
        invalid = ["patch_size"]
    if invalid:
        raise ValueError(
            f"{METADATA_NAME} must hold a valid '{invalid[0]}', not "
            f"{getattr(metadata, invalid[0])}"
        )
    return metadata


def _parse_entries(found: dict) -> dict:
    """Return the entries with tuples for the lists of JSON."""
    parsed = {**found}
    for name in ("spacing", "patch_size", "class_names", "intensity"):
        parsed[name] = tuple(found[name])
    parsed["label_values"] = tuple(tuple(values) for values in found["label_values"])
    parsed["seen"] = tuple(found["seen"])
    members = found.get("class_members")
    if members is not None:
        if not is_members(members) or len(members) != len(found["class_names"]):
            raise ValueError(f"{METADATA_NAME} must hold a valid 'class_members'")
        parsed["class_members"] = tuple(
            each if each is None else tuple(each) for each in members
        )
    if found.get("training") is not None:
        parsed["training"] = parse_ranges(found["training"])
    return parsed


def _check_entries(metadata: ModelMetadata) -> dict[str, bool]:
    """Return whether each entry is valid by itself, by its name."""
    return {
        "model": metadata.model in BUILDERS,
        "spacing": is_spacing(metadata.spacing),
        "patch_size": _is_patch_size(metadata.patch_size),
        "class_names": is_names(metadata.class_names),
        "label_values": is_values(metadata.label_values)
        and len(metadata.label_values) == len(metadata.class_names),
        "intensity": is_mode(metadata.intensity),
        "architecture": set(metadata.architecture) <= ARCHITECTURE_FIELDS
        and metadata.architecture["depth"] in range(MAX_DEPTH + 1),
        "orientation": metadata.orientation == ORIENTATION,
        "keep": metadata.keep in KEEP,
        "seen": all(isinstance(checksum, str) for checksum in metadata.seen),
    }


def _is_patch_size(sides: tuple) -> bool:
    """Return whether a patch has three sides and not too many voxels."""
    are_counts = len(sides) == 3 and all(isinstance(n, int) and n > 0 for n in sides)
    return are_counts and math.prod(sides) <= MAX_PATCH_VOXELS
