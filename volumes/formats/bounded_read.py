"""Unpacking a stream no further than somebody promised."""

from __future__ import annotations

from typing import BinaryIO

# How far a stream is unpacked beyond the promise, to say by how much it is too long.
SURPLUS_BYTES = 2**16
_CHUNK_BYTES = 2**20


def read_up_to(stream: BinaryIO, limit: int) -> bytearray:
    """Read a stream to its end, but no more than `limit` bytes.

    Memory is asked for as bytes arrive, not as they were promised: a header may
    promise what it likes.

    Raises:
        TruncatedStreamError: If the packed stream ends before its end, with what was read.
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
    """A packed stream that ends too soon.

    Args:
        received: How many bytes could be unpacked.
    """

    def __init__(self, received: int):
        super().__init__(received)
        self.received = received
