"""Small pictures of a cube's cases, for a page that may show a thousand of them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from system.atomic import atomic_write

THUMBNAIL_FOLDER = "thumbnails"
MAX_BYTES = 30_000
MAX_CASES_OF_OVERVIEW = 48


def write_thumbnail(picture: Image.Image, path: Path) -> None:
    """Write a picture as a JPEG of at most `MAX_BYTES`.

    The quality is lowered until the file is small enough, and the picture halved if
    that is not enough.
    """
    with atomic_write(path) as partial:
        partial.write_bytes(_encode(picture.convert("RGB")))


def _encode(picture: Image.Image) -> bytes:
    for quality in (85, 70, 50):
        stream = io.BytesIO()
        picture.save(stream, format="JPEG", quality=quality, optimize=True)
        if stream.tell() <= MAX_BYTES:
            return stream.getvalue()
    return _encode(picture.reduce(2))


def choose_for_overview(case_ids: Sequence[str]) -> list[str]:
    """Return the cases that the overview shows: all, or some evenly spread ones."""
    if len(case_ids) <= MAX_CASES_OF_OVERVIEW:
        return list(case_ids)
    places = np.linspace(0, len(case_ids) - 1, MAX_CASES_OF_OVERVIEW).round()
    return [case_ids[place] for place in places.astype(int)]
