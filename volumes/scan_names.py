"""Naming scans by their files: `<folder>_<stem>`, which a list of cases may shorten.

The stem is the file's name without its suffix, or the name of a DICOM folder. Label
maps of new scans have the name as it is, so that it does not depend on what else is
labelled. Case ids are the shortest that tell the scans of a list apart.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from volumes.formats.files import stem_of


def name_of(scan: Path) -> str:
    """Return `<folder>_<stem>`, with which the names of a scan's files begin."""
    folder = Path(os.path.abspath(scan)).parent.name.lstrip(".")
    return f"{folder}_{stem_of(scan)}" if folder else stem_of(scan)


def choose_case_ids(images: Sequence[Path]) -> list[str]:
    """Choose the shortest names that are different for all images.

    The file's stem, its folder's name, or the stem with as many folders as needed. If
    all folders below the common one are not enough (two formats of one scan), a number
    is added. Neither the place of the common folder nor the Unicode form matters: the
    augmentation of a case is drawn by its id.
    """
    images = [Path(os.path.abspath(image)) for image in images]  # no ".." in a name
    above = os.path.commonpath([image.parent for image in images]) if images else ""
    folders = [image.relative_to(above).parts[:-1] for image in images]
    candidates = [[stem_of(image) for image in images]]
    candidates.append([image.parent.name for image in images])
    for count in range(1, 1 + max(map(len, folders), default=0)):
        candidates.append(
            [
                "_".join([*parts[-count:], stem_of(image)])
                for parts, image in zip(folders, images, strict=True)
            ]
        )
    candidates = [[_normalise(name) for name in names] for names in candidates]
    for names in candidates:
        # Some file systems do not distinguish Case from case.
        if all(names) and len({name.lower() for name in names}) == len(names):
            return names
    return _number(candidates[-1] if len(candidates) > 2 else candidates[0])


def _normalise(name: str) -> str:
    """Return a name in one Unicode form, with "?" for bytes that are not UTF-8."""
    return unicodedata.normalize("NFC", name).encode(errors="replace").decode()


def _number(names: Sequence[str]) -> list[str]:
    """Add to each name that an earlier one has the first number that is free."""
    numbered, taken = [], set()
    for name in names:
        free, number = name, 1
        while free.lower() in taken:
            number += 1
            free = f"{name}_{number}"
        taken.add(free.lower())
        numbered.append(free)
    return numbered
