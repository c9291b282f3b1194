"""Names of anatomical structures: one spelling of each, and groups of vertebrae.

Names come from segmentation files, tables and flags. They are compared in one form, so
that "L1", "vertebrae_L1" of TotalSegmentator and "L1 vertebra" of 3D Slicer are one
structure. No structure is inferred from a number.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence

from system.text import on_one_line

MAX_NAME = 100  # characters; longer names end in a part of their checksum

CERVICAL = tuple(f"C{number}" for number in range(1, 8))
THORACIC = tuple(f"T{number}" for number in range(1, 14))
LUMBAR = tuple(f"L{number}" for number in range(1, 7))
VERTEBRA_NAMES = CERVICAL + THORACIC + LUMBAR  # from the neck down
GROUPS = {"cervical": CERVICAL, "thoracic": THORACIC, "lumbar": LUMBAR}
VARIANTS = ("T13", "L6")  # that most people do not have
SACRAL = tuple(f"S{number}" for number in range(1, 6))
_LEVELS = {*VERTEBRA_NAMES, *SACRAL}

# "Th12" is the German and Scandinavian "T12".
_LEVEL = re.compile(
    r"(?:vertebrae? ?)?(?:([cls])|(t)h?) ?0?([1-9]\d?)(?: ?vertebrae?)?"
)
_SIDES = {"left": "left", "right": "right"}
_SIDE_LETTERS = {"l": "left", "r": "right"}
# Before a last letter L, which is lumbar there, as in "T-L", "vertebrae L", "discs L".
_OF_THE_SPINE = re.compile(
    r"c|th?|l|s|cervical|thoracic|lumbar|sacral|levels?|junction"
    r"|spine|spinal|(inter)?vertebra[el]?|dis[ck]s?|columns?|cords?"
)
# What programs call a structure that nobody has named.
_UNNAMED = re.compile(r"(?:(?:segment|label|value|class)(?: ?\d+)*|[\d ]*|unnamed)")


def canonical_name(name: str) -> str:
    """Return the one form in which the names of structures are compared.

    Case, blanks, underscores and hyphens do not count. Vertebrae and sacral levels
    are "C1" to "S5", without the word vertebra before or after; other names are in
    lower case with single blanks.

    Args:
        name: As a file, a table or a user writes it.

    Returns:
        At most 100 characters on one line; "" for a name without any.
    """
    folded = unicodedata.normalize("NFKC", on_one_line(name)).casefold()
    words = re.sub(r"[\s_-]+", " ", on_one_line(folded)).strip()
    match = _LEVEL.fullmatch(words)
    level = f"{match[1] or match[2]}{match[3]}".upper() if match else ""
    if level in _LEVELS:
        return level
    if len(words) > MAX_NAME:
        digest = hashlib.sha256(words.encode()).hexdigest()[:8]
        words = f"{words[: MAX_NAME - 9]} {digest}"
    return words


def is_unnamed(name: str) -> bool:
    """Check whether a canonical name is a program's default, such as "segment 1"."""
    return _UNNAMED.fullmatch(name) is not None


def side_of(name: str) -> str:
    """Return the side that a name states: "left", "right", or "" for none or both.

    The sides are the words left and right, and a letter l or r that ends the name. It
    is none after a word for the spine or a part of it, with a level between them or
    without: the L of "vertebrae L" or "T-L" is lumbar.

    Args:
        name: Of a structure or a class, in any spelling.
    """
    words = re.findall(r"[^\W_]+", canonical_name(name))
    sides = {_SIDES[word] for word in words if word in _SIDES}
    before = [word for word in words[:-1] if not word[-1].isdigit()]
    if (
        before
        and words[-1] in _SIDE_LETTERS
        and not _OF_THE_SPINE.fullmatch(before[-1])
    ):
        sides.add(_SIDE_LETTERS[words[-1]])
    return sides.pop() if len(sides) == 1 else ""


def sort_structures(names: Iterable[str]) -> list[str]:
    """Sort canonical names: vertebrae from the neck down, then the alphabet."""
    places = {name: place for place, name in enumerate(VERTEBRA_NAMES)}
    return sorted(names, key=lambda name: (places.get(name, len(places)), name))


def vertebra_classes(class_names: Sequence[str]) -> tuple[int, ...]:
    """Return the classes that are a single vertebra each, from the neck down.

    A class is identified by its name alone: "label_20" is no vertebra, since the
    numbers of label maps mean different structures in different data sets.

    Args:
        class_names: Name of each class, the background first.

    Returns:
        Class numbers in the order of the spine; empty if there are fewer than two.
    """
    places = {}
    for number, name in enumerate(class_names):
        level = canonical_name(name)
        if level in VERTEBRA_NAMES:
            places[number] = VERTEBRA_NAMES.index(level)
    if len(places) < 2:
        return ()
    return tuple(sorted(places, key=lambda number: places[number]))
