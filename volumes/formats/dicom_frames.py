"""The stored values of a DICOM image, decoded one frame at a time."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from system.errors import DataError
from volumes.formats.dicom_file import refusing
from volumes.formats.dicom_format import ENCODINGS, RLE, PixelFormat, find_decoder
from volumes.formats.dicom_image import DicomImage

_SOF_MARKERS = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}  # frame headers of JPEG


def read_frames(image: DicomImage, pixel_format: PixelFormat) -> Iterator[npt.NDArray]:
    """Yield the stored values of each frame, shape (rows, columns).

    Args:
        image: The image.
        pixel_format: How its pixels are stored, of `check_pixel_format`.

    Raises:
        DataError: If they cannot be decoded, or into another size than the header's.
    """
    try:
        with image.path.open("rb") as stream:
            stream.seek(image.pixel_offset)
            read = _decoded if image.is_encapsulated else _native
            yield from read(stream, image, pixel_format)
    except OSError as error:
        raise DataError(f"{image.label}: could not be read: {error.strerror}") from None


def _native(
    stream: BinaryIO, image: DicomImage, pixel_format: PixelFormat
) -> Iterator[npt.NDArray]:
    """Yield the stored values of frames that are not encapsulated."""
    for _ in range(image.num_frames):
        content = stream.read(pixel_format.num_bytes)
        if len(content) < pixel_format.num_bytes:
            raise DataError(
                f"{image.label}: the pixel data must be as long as before. "
                "Received: fewer bytes; the file has changed"
            )
        plane = np.frombuffer(content, pixel_format.dtype).reshape(pixel_format.shape)
        plane = plane.astype(pixel_format.dtype.newbyteorder("="), copy=False)
        # Other bits may hold anything; the sign is the highest of those stored.
        highest = 8 * pixel_format.dtype.itemsize - 1
        plane = plane << (highest - pixel_format.high_bit)
        yield plane >> (highest + 1 - pixel_format.bits_stored)


def _decoded(
    stream: BinaryIO, image: DicomImage, pixel_format: PixelFormat
) -> Iterator[npt.NDArray]:
    """Yield the stored values of frames that are encapsulated."""
    from pydicom.encaps import encapsulate, generate_frames

    name, packages = ENCODINGS[image.transfer_syntax]
    decoder = find_decoder(image.transfer_syntax)
    options: dict[str, Any] = {
        "number_of_frames": 1,
        "rows": pixel_format.shape[0],
        "columns": pixel_format.shape[1],
        "samples_per_pixel": 1,
        "photometric_interpretation": "MONOCHROME2",
        "bits_allocated": 8 * pixel_format.dtype.itemsize,
        "bits_stored": pixel_format.bits_stored,
        "pixel_representation": int(pixel_format.dtype.kind == "i"),
    }
    clamped = _ClampedStream(stream, image.pixel_offset + image.pixel_length)
    frames = generate_frames(clamped, number_of_frames=image.num_frames)
    for _ in range(image.num_frames):
        with refusing(
            f"{image.label}: the pixel data must be {name}, as "
            f"{packages.replace(' ', ' and ')} can decode it"
        ):
            encoded = next(frames)
            _check_encoded_size(encoded, image, pixel_format)
            plane, _ = decoder.as_array(
                encapsulate([encoded]),
                index=0,
                raw=True,
                # The decoder of pylibjpeg-rle panics, past any except clause.
                decoding_plugin="pydicom" if image.transfer_syntax == RLE else "",
                **options,
            )
        low, high = pixel_format.value_range
        if plane.shape != pixel_format.shape or plane.min() < low or plane.max() > high:
            raise DataError(
                f"{image.label}: the decoded pixels must be {pixel_format.shape} "
                f"values of {low} to {high} (field 'BitsStored'). "
                f"Received: {plane.shape}, {plane.min()} to {plane.max()}"
            )
        yield plane


class _ClampedStream:
    """A file that is asked for no more bytes than it has: they would be allocated."""

    def __init__(self, stream: BinaryIO, end: int):
        self._stream, self._end = stream, end
        self.seek, self.tell = stream.seek, stream.tell

    def read(self, size: int = sys.maxsize) -> bytes:
        left = max(self._end - self._stream.tell(), 0)
        return self._stream.read(min(size, left))


def _check_encoded_size(
    encoded: bytes, image: DicomImage, pixel_format: PixelFormat
) -> None:
    """Refuse a frame that would be decoded into another size than the header's."""
    if image.transfer_syntax == RLE:  # which says nothing of the size
        return
    size = _encoded_size(encoded)
    if size != pixel_format.shape:
        received = "none" if size is None else f"{size[0]} x {size[1]}"
        rows, columns = pixel_format.shape
        raise DataError(
            f"{image.label}: the compressed image must be of one grey channel and of "
            f"the size of its header, {rows} x {columns}. Received: {received}"
        )


def _encoded_size(encoded: bytes) -> tuple[int, int] | None:
    """Return the rows and columns that a codestream of one channel is of."""

    def number(start: int, count: int) -> int:
        return int.from_bytes(encoded[start : start + count], "big")

    if encoded[:4] == b"\xff\x4f\xff\x51":  # JPEG 2000, whose size comes first
        right, bottom, left, top = (number(place, 4) for place in (8, 12, 16, 20))
        return (bottom - top, right - left) if number(40, 2) == 1 else None
    place = 2
    while encoded[:2] == b"\xff\xd8" and encoded[place : place + 1] == b"\xff":
        marker = number(place + 1, 1)
        if marker in _SOF_MARKERS:
            is_grey = number(place + 9, 1) == 1
            return (number(place + 5, 2), number(place + 7, 2)) if is_grey else None
        place += 2 + number(place + 2, 2)
    return None
