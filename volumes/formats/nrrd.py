"""Reading and writing NRRD files, 3D Slicer's `.seg.nrrd` included."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from system.atomic import atomic_write
from system.limits import MAX_VOXELS
from volumes.formats.nrrd_data import read_voxels
from volumes.formats.nrrd_grid import geometry_fields, grid_of
from volumes.formats.nrrd_header import DEFAULT_SPACE, SPACE_NAMES, read_header
from volumes.formats.segments import parse_segments
from volumes.volume import Volume

_TYPE_NAMES = {
    "int8": "signed char",
    "uint8": "unsigned char",
    "int16": "short",
    "uint16": "unsigned short",
    "int32": "int",
    "uint32": "unsigned int",
    "int64": "long long",
    "uint64": "unsigned long long",
    "float32": "float",
    "float64": "double",
}
_COMPRESSION_LEVEL = 6


def read_nrrd(path: Path, max_voxels: int = MAX_VOXELS) -> Volume:
    """Read a scalar 3-D NRRD file, attached or detached.

    Raises:
        DataError: If it is not one, its data do not match the header, or the header
            says more than `max_voxels`.
    """
    header = read_header(path, max_voxels)
    grid, notes = grid_of(header)
    digest = hashlib.sha256()
    return Volume(
        array=read_voxels(header, digest),
        grid=grid,
        path=path,
        header=dict(header.text),
        segments=parse_segments(header.text, path),
        notes=(*header.notes, *notes),
        checksum=digest.hexdigest(),
    )


def kept_fields(like: Volume, *, for_slicer: bool) -> dict[str, str]:
    """Return the geometry fields of an NRRD file, worded as in that file.

    Fields that the file lacks are filled in with what was assumed on reading.

    Args:
        like: The volume read from the file.
        for_slicer: Whether the fields go into a `.seg.nrrd`. Its readers know
            only the long names of LPS and RAS, so short names are written out
            and other spaces are converted to LPS.
    """
    given = like.header.get("space", "")
    space = SPACE_NAMES.get(given.lower(), DEFAULT_SPACE)
    if for_slicer and space == "left-anterior-superior":
        return geometry_fields(like.grid)
    fields = geometry_fields(like.grid, space)
    if given and not for_slicer:
        fields["space"] = given
    for name in ("space directions", "space origin", "measurement frame"):
        text = like.header.get(name, "none")
        if "none" not in text.lower():
            fields[name] = text
    if "space units" in like.header and not for_slicer:
        fields["space units"] = like.header["space units"]
    return fields


def write_nrrd(
    path: str | Path,
    array: np.ndarray,
    geometry: Mapping[str, str],
    pairs: Mapping[str, str] | None = None,
) -> None:
    """Write a gzip NRRD file; equal input gives equal bytes.

    pynrrd's writer puts the date into its files, so it is not used.

    Args:
        path: The file, replaced if it exists.
        array: Voxels, shape (I, J, K), an integer or float type.
        geometry: The fields `space`, `space directions` and others of the grid.
        pairs: Key/value pairs, such as those of segments.

    Raises:
        DataError: If the file cannot be written.
        ValueError: If NRRD does not have the type.
    """
    if array.dtype.name not in _TYPE_NAMES:
        raise ValueError(
            "The array must be of an integer type, float32 or float64. "
            f"Received: dtype={array.dtype}"
        )
    fields = {
        "type": _TYPE_NAMES[array.dtype.name],
        "dimension": "3",
        "space": geometry["space"],
        "sizes": " ".join(map(str, array.shape)),
        "kinds": "domain domain domain",
        "endian": "little",
        "encoding": "gzip",
        **{name: text for name, text in geometry.items() if name != "space"},
    }
    lines = ["NRRD0005", *(f"{name}: {text}" for name, text in fields.items())]
    for key, text in (pairs or {}).items():
        escaped = text.replace("\\", "\\\\").replace("\n", "\\n")
        lines.append(f"{key}:={escaped}")
    compressor = zlib.compressobj(
        _COMPRESSION_LEVEL, zlib.DEFLATED, zlib.MAX_WBITS | 16
    )
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    with atomic_write(path) as temporary, open(temporary, "wb") as stream:
        stream.write("\n".join([*lines, "", ""]).encode())
        stream.write(compressor.compress(little.tobytes(order="F")))
        stream.write(compressor.flush())
