"""Reading files and compressed streams in bounded memory, hashing each byte once."""

from __future__ import annotations

import hashlib
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# How far a stream is decompressed beyond its expected end, to report its surplus.
SURPLUS_BYTES = 2**16
_CHUNK_BYTES = 2**20


class _HashingFile(io.FileIO):
    """A file whose bytes enter a hash once each, in order, however it is read."""

    def __init__(self, path: Path, digest: hashlib._Hash):
        super().__init__(path)
        self._digest = digest
        self._num_hashed = 0

    def hash_up_to(self, position: int) -> None:
        """Hash all bytes before `position`, or to the end of the file."""
        while self._num_hashed < position:
            size = min(_CHUNK_BYTES, position - self._num_hashed)
            chunk = os.pread(self.fileno(), size, self._num_hashed)
            if not chunk:
                break
            self._digest.update(chunk)
            self._num_hashed += len(chunk)

    def readinto(self, buffer) -> int:
        """Read into a buffer and hash what is new."""
        start = self.tell()
        self.hash_up_to(start)  # what a seek has skipped
        count = super().readinto(buffer)
        known = self._num_hashed - start
        if 0 <= known < count:
            self._digest.update(memoryview(buffer)[known:count])
            self._num_hashed = start + count
        return count


def hash_file(path: Path, digest: hashlib._Hash) -> None:
    """Feed all bytes of a file to `digest`."""
    with _HashingFile(path, digest) as file:
        file.hash_up_to(sys.maxsize)


@contextmanager
def open_hashed(path: Path, digest: hashlib._Hash) -> Iterator[io.BufferedIOBase]:
    """Open a file for reading; afterwards `digest` holds its every byte.

    Bytes that the block did not read, before or after the data, are hashed too;
    if the block raises, the rest is not.
    """
    file = _HashingFile(path, digest)
    with io.BufferedReader(file, _CHUNK_BYTES) as stream:
        yield stream
        file.hash_up_to(sys.maxsize)


def read_up_to(stream: io.BufferedIOBase, limit: int) -> bytearray:
    """Read a stream to its end, but at most `limit` bytes.

    Memory grows with the bytes that arrive: the size in a header is not trusted.

    Raises:
        TruncatedStreamError: If the compressed stream ends early.
    """
    content = bytearray()
    try:
        while len(content) < limit:
            chunk = stream.read1(min(_CHUNK_BYTES, limit - len(content)))
            if not chunk:
                break
            content += chunk
    except EOFError as error:
        raise TruncatedStreamError(len(content)) from error
    return content


class TruncatedStreamError(Exception):
    """A compressed stream that ends early.

    Args:
        received: Number of bytes that could be decompressed.
    """

    def __init__(self, received: int):
        super().__init__(received)
        self.received = received
