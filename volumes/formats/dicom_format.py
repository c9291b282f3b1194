"""How the pixels of a DICOM image are stored, and whether they can be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from system.errors import DataError
from volumes.formats.dicom_image import DicomImage

if TYPE_CHECKING:
    from pydicom.pixels.decoders.base import Decoder

_LIBJPEG, _OPENJPEG = "pylibjpeg pylibjpeg-libjpeg", "pylibjpeg pylibjpeg-openjpeg"
_NATIVE = ("", "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2")
RLE = "1.2.840.10008.1.2.5"
# What each encoding is called, and the packages that decode it.
ENCODINGS = {
    "1.2.840.10008.1.2.4.50": ("JPEG Baseline", _LIBJPEG),
    "1.2.840.10008.1.2.4.51": ("JPEG Extended", _LIBJPEG),
    "1.2.840.10008.1.2.4.57": ("JPEG Lossless", _LIBJPEG),
    "1.2.840.10008.1.2.4.70": ("JPEG Lossless SV1", _LIBJPEG),
    "1.2.840.10008.1.2.4.80": ("JPEG-LS Lossless", _LIBJPEG),
    "1.2.840.10008.1.2.4.81": ("JPEG-LS Near-lossless", _LIBJPEG),
    "1.2.840.10008.1.2.4.90": ("JPEG 2000 Lossless", _OPENJPEG),
    "1.2.840.10008.1.2.4.91": ("JPEG 2000", _OPENJPEG),
    "1.2.840.10008.1.2.4.201": ("High-Throughput JPEG 2000 Lossless", _OPENJPEG),
    "1.2.840.10008.1.2.4.202": ("High-Throughput JPEG 2000 RPCL", _OPENJPEG),
    "1.2.840.10008.1.2.4.203": ("High-Throughput JPEG 2000", _OPENJPEG),
    RLE: ("RLE Lossless", "pydicom"),
}
# No lossless encoding makes noise much longer than it is.
_ENCODED_SHARE, _ENCODED_SURPLUS = 2, 2**20


@dataclass(frozen=True)
class PixelFormat:
    """How the pixels of an image are stored.

    Args:
        shape: Rows and columns.
        dtype: Type of the bits that a pixel occupies, with their byte order.
        bits_stored: How many of them hold the value.
        high_bit: The highest of those, from 0.
    """

    shape: tuple[int, int]
    dtype: np.dtype
    bits_stored: int
    high_bit: int

    @property
    def num_bytes(self) -> int:
        """Length of an image or frame that is not encapsulated."""
        return self.shape[0] * self.shape[1] * self.dtype.itemsize

    @property
    def value_range(self) -> tuple[int, int]:
        """Smallest and largest value that the stored bits can hold."""
        if self.dtype.kind == "u":
            return 0, 2**self.bits_stored - 1
        return -(2 ** (self.bits_stored - 1)), 2 ** (self.bits_stored - 1) - 1


def check_pixel_format(image: DicomImage) -> PixelFormat:
    """Check the fields that describe an image's pixels.

    Raises:
        DataError: If they are not those of grey values of 8 or 16 bits, in an
            encoding that can be read, as long as they must be.
    """
    fields = image.pixel_fields
    for keyword, allowed in (
        ("SamplesPerPixel", (1,)),
        ("BitsAllocated", (8, 16)),
        ("PixelRepresentation", (0, 1)),
    ):
        if fields.get(keyword) not in allowed:
            raise _fault(image, keyword, f"must be {' or '.join(map(str, allowed))}")
    if image.photometric != "MONOCHROME2":
        is_inverse = image.photometric == "MONOCHROME1"
        raise DataError(
            f"{image.label}: field 'PhotometricInterpretation' must be MONOCHROME2, "
            "so that larger values are brighter. Received: "
            f"{'MONOCHROME1, the inverse' if is_inverse else 'another'}"
        )
    if image.has_lookup_table:
        raise DataError(
            f"{image.label}: values must be given by 'RescaleSlope' and "
            "'RescaleIntercept'. Received: a table, field 'ModalityLUTSequence'"
        )
    allocated, stored = fields["BitsAllocated"], fields.get("BitsStored", 0)
    if not 1 <= stored <= allocated:
        raise _fault(image, "BitsStored", f"must be 1 to {allocated}")
    high = fields.get("HighBit", stored - 1)
    highest = stored - 1 if image.is_encapsulated else allocated - 1
    if not stored - 1 <= high <= highest:
        raise _fault(image, "HighBit", f"must be {stored - 1} to {highest}")
    if allocated == 8 and not image.is_little_endian:
        raise _fault(image, "BitsAllocated", "must be 16 where bytes are big-endian")
    kind = "ui"[fields["PixelRepresentation"]]
    order = "<" if image.is_little_endian else ">"
    dtype = np.dtype(f"{order}{kind}{allocated // 8}")
    pixel_format = PixelFormat((image.rows, image.columns), dtype, stored, high)
    _check_encoding(image, pixel_format)
    return pixel_format


def find_decoder(transfer_syntax: str) -> Decoder:
    """Return pydicom's decoder of an encoding, available or not."""
    from pydicom.pixels.decoders import base

    return base.get_decoder(transfer_syntax)


def _fault(image: DicomImage, keyword: str, demand: str) -> DataError:
    received = image.pixel_fields.get(keyword)
    return DataError(f"{image.label}: field '{keyword}' {demand}. Received: {received}")


def _check_encoding(image: DicomImage, pixel_format: PixelFormat) -> None:
    """Refuse encodings that cannot be decoded, and data of the wrong length."""
    promised = pixel_format.num_bytes * image.num_frames
    syntax = image.transfer_syntax
    if syntax in _NATIVE and not image.is_encapsulated:
        if image.pixel_length not in (promised, promised + promised % 2):
            raise DataError(
                f"{image.label}: the pixel data must be as long as their fields "
                f"promise, {promised} bytes. Received: {image.pixel_length} bytes"
            )
        return
    if syntax not in ENCODINGS or not image.is_encapsulated:
        raise DataError(
            f"{image.label}: the pixel data must be uncompressed, or encapsulated as "
            "JPEG, JPEG-LS, JPEG 2000 or RLE. Received: another transfer syntax. Store "
            "the series uncompressed"
        )
    name, packages = ENCODINGS[syntax]
    if not find_decoder(syntax).is_available:
        raise DataError(
            f"{image.label}: decoding {name} pixel data (transfer syntax {syntax}) "
            f"needs {packages.replace(' ', ' and ')}. Received: not installed. "
            f"Install them with: pip install {packages}"
        )
    if image.pixel_length > promised * _ENCODED_SHARE + _ENCODED_SURPLUS:
        raise DataError(
            f"{image.label}: compressed pixel data must not be longer than "
            f"{_ENCODED_SHARE} times what they hold, {promised} bytes. "
            f"Received: {image.pixel_length} bytes"
        )
