"""Opening one DICOM file with pydicom: bounded, and silent about the patient.

What may identify a patient (names, dates, UIDs, free texts) is compared at most, and
never shown. So messages carry numbers, names of fields, and the kind of pydicom's
exceptions, whose own texts quote values.
"""

from __future__ import annotations

import logging
import math
import os
import struct
import warnings
from collections.abc import Iterator, MutableSequence, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from system.errors import DataError

if TYPE_CHECKING:
    from pydicom import Dataset, FileDataset

# Of one file, without its pixel data and the fields that are passed over. pydicom takes
# some microseconds a read, and far longer over each item of a sequence.
MAX_HEADER_BYTES = 2**24
MAX_READS = 2**20
MAX_ITEMS = 2**17
_ITEM_TAGS = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")  # in both byte orders
_PIXEL_DATA = (0x7FE0, 0x0010)
_UNDEFINED_LENGTH = 0xFFFFFFFF


def require_pydicom() -> None:
    """Check that pydicom can be imported, and keep its messages off the screen.

    Raises:
        DataError: If it is missing or too old.
    """
    try:
        import pydicom.pixels  # noqa: F401 - since version 3
    except ImportError as error:
        raise DataError(
            "Reading a DICOM folder needs the package pydicom, version 3 or later. "
            "Received: none. Install it with: pip install -U pydicom"
        ) from error
    # They quote values of the header, which may identify a patient.
    for name in ("pydicom", "pylibjpeg", "libjpeg", "openjpeg"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


@contextmanager
def refusing(demand: str) -> Iterator[None]:
    """Turn what pydicom raises into a DataError without its text; ignore warnings.

    Args:
        demand: What must hold, and the file it must hold for.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except (DataError, MemoryError):
            raise
        except Exception as error:  # which ones it raises is not documented
            raise DataError(
                f"{demand}. Received: data that pydicom cannot read "
                f"({type(error).__name__})"
            ) from None


class _HeaderStream:
    """A file of which no more than a header's worth can be read."""

    def __init__(self, stream: BinaryIO, label: str):
        self._stream, self._label = stream, label
        self._bytes_left = MAX_HEADER_BYTES
        self._reads_left, self._items_left = MAX_READS, MAX_ITEMS
        self.fault: DataError | None = None
        self.seek, self.tell = stream.seek, stream.tell

    def read(self, size: int = -1) -> bytes:
        if size < 0:  # pydicom reads on to the end only to inflate all of it
            self.fault = DataError(
                f"{self._label}: the transfer syntax must not be a deflated one. "
                "Received: Deflated Explicit VR Little Endian. "
                "Store the series uncompressed"
            )
            raise self.fault
        content = self._stream.read(min(size, self._bytes_left + 1))
        self._bytes_left -= len(content)
        self._reads_left -= 1
        self._items_left -= sum(content.count(tag) for tag in _ITEM_TAGS)
        if min(self._bytes_left, self._reads_left, self._items_left) < 0:
            self.fault = DataError(
                f"{self._label}: the header must be at most {MAX_HEADER_BYTES} bytes "
                f"long, with {MAX_ITEMS} items of sequences and some {MAX_READS} "
                "elements. Received: more"
            )
            raise self.fault
        return content


def read_header(
    stream: BinaryIO, label: str, fields: Sequence[str]
) -> FileDataset | None:
    """Read the header of a file up to its pixel data.

    Args:
        stream: The file, left where the header ends.
        label: What messages call it.
        fields: Keywords of the fields to keep.

    Returns:
        The fields, None if the file is not a DICOM file.

    Raises:
        DataError: If pydicom cannot read it, or it is deflated or too long.
    """
    from pydicom import dcmread

    if stream.read(132)[128:] != b"DICM":
        return None
    stream.seek(0)
    header = _HeaderStream(stream, label)
    try:
        with refusing(f"{label}: the header must be one of a DICOM file"):
            return dcmread(header, stop_before_pixels=True, specific_tags=list(fields))
    except DataError as error:  # pydicom may have replaced the stream's own
        raise header.fault or error from None


def find_pixel_data(
    stream: BinaryIO, is_little_endian: bool, label: str
) -> tuple[int, int, bool]:
    """Find where the pixel data begin in a file that was read up to them.

    Returns:
        The offset, the number of bytes (to the end of the file where they are
        encapsulated), and whether they are encapsulated.

    Raises:
        DataError: If there are none, or fewer than promised.
    """
    order = "<" if is_little_endian else ">"
    start = stream.tell()
    head = stream.read(12)
    size = os.fstat(stream.fileno()).st_size
    if len(head) < 12 or struct.unpack(f"{order}HH", head[:4]) != _PIXEL_DATA:
        raise DataError(
            f"{label}: an image must hold pixel data. Received: none in {size} bytes. "
            "The file may be cut off"
        )
    # No length without VR looks like one of these: it would be odd.
    is_explicit = head[4:6] in (b"OB", b"OW")
    offset = start + (12 if is_explicit else 8)
    (length,) = struct.unpack(f"{order}L", head[8:] if is_explicit else head[4:8])
    if length == _UNDEFINED_LENGTH:
        return offset, size - offset, True
    if offset + length > size:
        raise DataError(
            f"{label}: the pixel data must be as long as the file says, {length} "
            f"bytes. Received: {max(size - offset, 0)} bytes. The file is cut off"
        )
    return offset, length, False


def numbers_of(
    dataset: Dataset, keyword: str, count: int, label: str
) -> tuple[float, ...]:
    """Return the numbers of a field, none where it is missing or empty.

    Raises:
        DataError: If it holds another count, or anything but finite numbers.
    """
    demand = f"{label}: field '{keyword}' must hold finite numbers, {count} of them"
    with refusing(demand):
        numbers = tuple(float(value) for value in values_of(dataset, keyword))
    if not numbers:
        return ()
    if len(numbers) != count or not all(map(math.isfinite, numbers)):
        shown = ", ".join(f"{number:.6g}" for number in numbers[:6])
        raise DataError(f"{demand}. Received: {len(numbers)} ({shown})")
    return numbers


def integer_of(dataset: Dataset, keyword: str, label: str) -> int | None:
    """Return the integer of a field, None where it is missing or empty."""
    numbers = numbers_of(dataset, keyword, 1, label)
    return int(numbers[0]) if numbers else None


def values_of(dataset: Dataset, keyword: str) -> list:
    """Return the values of a field as a list, empty where there are none."""
    value = dataset.get(keyword)
    if value is None or value == "":
        return []
    return list(value) if isinstance(value, MutableSequence) else [value]
