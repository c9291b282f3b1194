"""The volume that readers return: an array, its geometry, its named structures."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from volumes.geometry import Grid

if TYPE_CHECKING:
    import nibabel as nib


@dataclass(frozen=True)
class Segment:
    """One structure of a label map.

    Args:
        value: Its label value, at least 1.
        name: Its anatomical name.
        color: Red, green and blue, each in [0, 1].
    """

    value: int
    name: str
    color: tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Volume:
    """A 3-D array with its geometry.

    Args:
        array: Voxels, shape (I, J, K), axes as in the file, native byte order.
        grid: Position of the voxels, RAS+ in mm.
        path: The file the volume was read from.
        header: NRRD only: the file's fields and key/value pairs, as text.
        segments: The structures a label map names; empty if it names none.
        notes: One sentence for each assumption made on reading.
        nifti: NIfTI only: a copy of the file's header.
        checksum: SHA-256 of the file's bytes, as `volumes.formats.checksums.checksum`.
        metaimage: MetaImage only: the geometry fields of a label map on this grid,
            as the file itself writes them.
    """

    array: np.ndarray
    grid: Grid
    path: Path
    header: dict[str, str] = field(default_factory=dict)
    segments: tuple[Segment, ...] = ()
    notes: tuple[str, ...] = ()
    nifti: nib.Nifti1Header | None = None
    checksum: str = ""
    metaimage: dict[str, str] = field(default_factory=dict)
