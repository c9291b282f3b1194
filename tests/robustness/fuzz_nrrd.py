"""NRRD files changed at random: whatever they hold, only a DataError may come out.

pytest runs a short round that is the same each time. A long one is another for each
seed; it stops with a traceback at the first file that fails, which Hypothesis has made
as small as it can:

    make fuzz RUNS=200000 SEED=1
"""

from __future__ import annotations

import bz2
import gzip
import re

from hypothesis import strategies as st
from support.fuzzing import SHORT_ROUND, fuzz, main
from support.places import SHARED
from support.refused_twins import REFUSED
from support.twins import READ

REAL_FILES = SHARED / "nrrd_conformance"
LARGEST_SEED = 2**16

FILES = [twin.files for twin in READ.values()]
OTHER_FILES = [files for files, _ in REFUSED.values()]
# What headers point to; the first file of each kind is the one that is changed.
DATA_FILES = {
    name: content
    for files in FILES + OTHER_FILES
    for name, content in list(files.items())[1:]
}
# Those that can be read more often, or hardly any would be after a change.
SEEDS = [next(iter(files.values())) for files in FILES * 6 + OTHER_FILES]
SEEDS += [
    path.read_bytes()
    for path in sorted(REAL_FILES.rglob("*.n*r*"))
    if path.stat().st_size <= LARGEST_SEED
]

_LINES = [line for seed in SEEDS for line in seed.partition(b"\n\n")[0].split(b"\n")]
_PARTS = [re.split(rb":=?", line, maxsplit=1) for line in _LINES if b":" in line]
NAMES = sorted({name.strip() for name, _ in _PARTS})
NUMBERS = b"0 -0 -1 1 2 3 255 65536 2147483648 9223372036854775808 0.1 1e6".split()
NUMBERS += b"1e308 -1e308 1e-320 1e-9 inf -inf nan none +5 0x10 1_000".split()
NUMBERS += ["٣".encode(), b"9" * 400]
# Values that other programs write, and hostile ones.
HOSTILE = b"( ) () (,) (1,2 ??? LIST /dev/zero ../x . \" 'mm \\n".split()
HOSTILE += b"raw gzip bzip2 hex ascii RAS scanner-xyz".split()
HOSTILE += [b"", b"none none none", b"\xff\xfe", b"%d 1 2 1", b"x\0y", b"1 1 1"]
HOSTILE += [b"list domain domain domain", b"(1,0,0) (1,0,0) (0,0,1)"]
HOSTILE += [b"1 " * 3000, b"2 " * 3000 + b",", b"%" + b" 1" * 3000 + b" x"]
HOSTILE += [b"(" * 3000, b"%" * 3000, b"(1," + b" " * 30_000 + b"2)"]
HOSTILE += [b"9" * 5000, b"x" * 30_000]


def _changed_line(draw: st.DrawFn, line: bytes) -> bytes:
    """Change one line of a header."""
    ways = ["other", "hostile", "hostile", *["number"] * 4, "name", "bytes", "pair"]
    way = draw(st.sampled_from(ways))
    name, colon, value = line.partition(b":")
    if way == "other":
        others = [value for key, value in _PARTS if key == name]
        return name + b":" + draw(st.sampled_from(others or [value]))
    if way == "hostile":
        return name + b": " + draw(st.sampled_from(HOSTILE))
    if way == "name":
        return draw(st.sampled_from(NAMES)) + colon + value
    if way == "pair":
        return name + b":=" + value
    if way == "number":
        found = list(re.finditer(rb"-?[\d.]+", line))
        if found:
            number = draw(st.sampled_from(found))
            new = draw(st.sampled_from(NUMBERS))
            return line[: number.start()] + new + line[number.end() :]
    return _spliced(draw, line)


def _spliced(draw: st.DrawFn, content: bytes) -> bytes:
    """Replace a few bytes by a few others."""
    first = draw(st.integers(0, len(content)))
    return content[:first] + draw(st.binary(max_size=4)) + content[first + 2 :]


def _changed_payload(draw: st.DrawFn, payload: bytes) -> bytes:
    """Change what stands behind a header."""
    way = draw(st.sampled_from(["cut", "add", "splice", "gzip", "bzip2", "text", "0"]))
    if way == "cut":
        return payload[: draw(st.integers(0, len(payload)))]
    if way == "add":
        return payload + draw(st.binary(min_size=1, max_size=8))
    if way == "gzip":
        return gzip.compress(payload, mtime=0)
    if way == "bzip2":
        return bz2.compress(payload)
    if way == "text":
        return b" ".join(draw(st.lists(st.sampled_from(NUMBERS), max_size=30)))
    if way == "0":
        return gzip.compress(bytes(2**18), mtime=0)
    return _spliced(draw, payload)


@st.composite
def changed_files(draw: st.DrawFn) -> bytes:
    """Change a real-looking file in some places, most often in one or two."""
    head, _, payload = draw(st.sampled_from(SEEDS)).partition(b"\n\n")
    lines = head.split(b"\n")
    for _ in range(draw(st.sampled_from([0, 1, 1, 1, 2, 3, 4]))):
        # Not `integers`, whose favourite is 0: without its first line no file is NRRD.
        place = draw(st.sampled_from([*range(1, len(lines)), *range(len(lines))]))
        way = draw(st.sampled_from([*["change"] * 8, "drop", "move"]))
        if way == "drop" and len(lines) > 1:
            del lines[place]
        elif way == "move":
            lines.append(lines.pop(place))
        else:
            lines[place] = _changed_line(draw, lines[place])
    for _ in range(draw(st.sampled_from([0, 0, 0, 0, 1, 2]))):
        payload = _changed_payload(draw, payload)
    gap = draw(st.sampled_from([*[b"\n\n"] * 8, b"\r\n\r\n", b"\n"]))
    return b"\n".join(lines) + gap + payload


def test_only_data_errors_come_out_of_changed_files(tmp_path):
    for name, content in DATA_FILES.items():
        (tmp_path / name).write_bytes(content)

    outcomes = fuzz(tmp_path / "scan.seg.nrrd", changed_files(), SHORT_ROUND, seed=0)

    # Neither so mild that all are read nor so wild that none is.
    assert outcomes["read"] > SHORT_ROUND / 20
    assert outcomes["refused"] > SHORT_ROUND / 20


if __name__ == "__main__":
    main("scan.seg.nrrd", changed_files(), DATA_FILES)
