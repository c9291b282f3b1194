"""Checksums of scans: of a file's bytes, and of the voxels however they are stored."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np

from system.errors import DataError
from volumes.formats import metaimage_header, nrrd_header
from volumes.formats.bounded_read import hash_file
from volumes.formats.dicom import series_checksum
from volumes.formats.files import METAIMAGE_SUFFIXES, is_series_folder, suffix_of
from volumes.formats.nrrd_header import check_is_file
from volumes.geometry import canonical_view
from volumes.volume import Volume


def checksum(path: str | Path) -> str:
    """Return the SHA-256 of a file's bytes in hexadecimal, as `Volume.checksum`.

    If an NRRD or MetaImage header names a data file, its bytes follow. Of a folder,
    see `volumes.formats.dicom.series_checksum`.

    Raises:
        DataError: If it is not a regular file, or cannot be read.
    """
    path = Path(path)
    if is_series_folder(path):
        return series_checksum(path)
    check_is_file(path)  # a device would never end
    data_path = _data_path(path)
    parts = [path] if data_path == path else [path, data_path]
    digest = hashlib.sha256()
    try:
        for part in parts:
            hash_file(part, digest)
    except OSError as error:
        raise DataError(f"{path}: could not be read: {error}") from error
    return digest.hexdigest()


def _data_path(path: Path) -> Path:
    """Return the file that holds the voxels, which a header may name."""
    suffix = suffix_of(path)
    if suffix in METAIMAGE_SUFFIXES:
        return metaimage_header.read_header(path, sys.maxsize).data_path
    if suffix.endswith(("nrrd", "nhdr")):
        return nrrd_header.read_header(path, sys.maxsize).data_path
    return path


def content_checksum(volume: Volume) -> str:
    """Return the SHA-256 of a scan's voxels in canonical order, however it is stored.

    It does not depend on type, byte order, compression, file format, the order and
    direction of the stored axes, or the scan's position in the world, which formats
    round differently. It depends on the values of the voxels from the patient's left
    to right, posterior to anterior and inferior to superior.
    """
    array = canonical_view(volume.array, volume.grid)
    digest = hashlib.sha256(np.array(array.shape, dtype="<i8").tobytes())
    for plane in array:
        single = plane.astype("<f4")
        is_exact = np.array_equal(single, plane)  # in any type that holds the values
        values = single if is_exact else plane.astype("<f8")
        digest.update((values + 0.0).tobytes())  # + 0: no minus zero
    return digest.hexdigest()
