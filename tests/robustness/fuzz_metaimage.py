"""MetaImage files changed at random: whatever they hold, only a DataError may come out.

pytest runs a short round that is the same each time; a long one as fuzz_nrrd.py:

    make fuzz FORMAT=metaimage RUNS=20000 SEED=1
"""

from __future__ import annotations

import gzip
import re
import zlib
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from support.fuzzing import LONGEST_MESSAGE, SHORT_ROUND, fuzz, limited_time, main
from support.metaimage_files import RAW, metaimage_bytes
from support.nrrd_files import VOXELS

from system.errors import DataError
from volumes.formats.metaimage import read_metaimage, write_metaimage

DATA_FILES = {"scan.raw": b"before" + RAW, "a scan.zraw": zlib.compress(RAW)}
COMPRESSED = {"CompressedData": "True", "CompressedDataSize": None}
SIZED = {"CompressedData": "True", "CompressedDataSize": str(len(zlib.compress(RAW)))}

SEEDS = [
    metaimage_bytes(),
    metaimage_bytes(end="\r\n", Comment="by hand", DistanceUnits="mm"),
    metaimage_bytes(
        VOXELS.tobytes(), ElementByteOrderMSB="False", Modality="MET_MOD_CT"
    ),
    metaimage_bytes(zlib.compress(RAW), **SIZED),
    metaimage_bytes(zlib.compress(RAW), **COMPRESSED),
    metaimage_bytes(gzip.compress(RAW, mtime=0), **COMPRESSED),
    metaimage_bytes(b"before" + RAW, HeaderSize="-1"),
    metaimage_bytes(b"", ElementDataFile="scan.raw", HeaderSize="6"),
    metaimage_bytes(b"", ElementDataFile="scan.raw", HeaderSize="-1"),
    metaimage_bytes(b"", ElementDataFile="a scan.zraw", **SIZED),
    metaimage_bytes(TransformMatrix=None, Rotation="0 0.6 0.8 0 -0.8 0.6 1 0 0"),
    metaimage_bytes(Offset=None, Position="1 2 3", AnatomicalOrientation="LPS"),
    metaimage_bytes(ElementSpacing=None, ElementSize="0.7 0.7 4"),
    metaimage_bytes(ElementToIntensityFunctionSlope="2", ElementNumberOfChannels="1"),
    metaimage_bytes(
        RAW,
        NDims="4",
        DimSize="2 3 4 1",
        ElementSpacing="0.5 1 2 3",
        Offset="1 2 3 4",
        CenterOfRotation="0 0 0 1",
        TransformMatrix="0 1 0 0  0 0 1 0  1 0 0 0  0 0 0 1",
    ),
    *(
        metaimage_bytes(
            VOXELS.astype(code).tobytes(order="F"),
            ElementType=name,
            BinaryDataByteOrderMSB=str(code[0] == ">"),
        )
        for name, code in [
            ("MET_CHAR", "<i1"),
            ("MET_UCHAR", "<u1"),
            ("MET_USHORT", ">u2"),
            ("MET_LONG", ">i4"),
            ("MET_ULONG_LONG", "<u8"),
            ("MET_FLOAT", ">f4"),
            ("MET_DOUBLE", "<f8"),
        ]
    ),
]
_LINES = [line for seed in SEEDS for line in seed.split(b"\n") if b" = " in line]
NAMES = sorted({line.partition(b" = ")[0] for line in _LINES})
NUMBERS = [
    *(b"0", b"-0", b"-1", b"1", b"2", b"3", b"4", b"5", b"24", b"255", b"65536"),
    *(b"2147483648", b"9223372036854775808", b"1e308", b"-1e308", b"1e-320", b"1e-9"),
    *(b"nan", b"inf", b"-inf", b"0x10", b"1_000", "٣".encode(), b"9" * 5000, b"+5"),
]
# What writers of other programs, and of harm, put where a value belongs.
HOSTILE = [
    *(b"", b"=", b":", b"True", b"False", b"1", b"t", b"maybe", b"LOCAL", b"LIST"),
    *(b"LIST 2", b"%d 1 2 1", b"%03d.raw", b"/dev/zero", b"../x", b".", b"x\0y", b"~"),
    *(b"scan.raw", b"a scan.zraw", b"scan.mha", b"\xff\xfe", b"???", b"RAS", b"cm"),
    *(b"MET_UCHAR", b"MET_SHORT_ARRAY", b"MET_OTHER", b"1 1 1", b"1 0 0 0 1 0 0 0 1"),
    *(b"1 0 0 2 0 0 0 0 1", b"1 " * 3000, b"9" * 30_000, b"x" * 30_000, b"%" * 3000),
]


def _spliced(draw: st.DrawFn, content: bytes) -> bytes:
    """Replace a few bytes by a few others."""
    first = draw(st.integers(0, len(content)))
    return content[:first] + draw(st.binary(max_size=4)) + content[first + 2 :]


def _changed_line(draw: st.DrawFn, line: bytes) -> bytes:
    """Change one line of a header."""
    ways = ["other", "hostile", "hostile", *["number"] * 4, "name", "mark", "bytes"]
    way = draw(st.sampled_from(ways))
    name, _, value = line.partition(b" = ")
    if way == "other":
        others = [other for other in _LINES if other.startswith(name + b" = ")]
        return draw(st.sampled_from(others or [line]))
    if way == "hostile":
        return name + b" = " + draw(st.sampled_from(HOSTILE))
    if way == "name":
        return draw(st.sampled_from(NAMES)) + b" = " + value
    if way == "mark":
        return name + draw(st.sampled_from([b":", b"\t=", b" ", b"= =", b""])) + value
    found = list(re.finditer(rb"-?[\d.]+", line))
    if way == "number" and found:
        number = draw(st.sampled_from(found))
        new = draw(st.sampled_from(NUMBERS))
        return line[: number.start()] + new + line[number.end() :]
    return _spliced(draw, line)


def _changed_data(draw: st.DrawFn, data: bytes) -> bytes:
    """Change what stands behind a header."""
    way = draw(st.sampled_from(["cut", "add", "splice", "zlib", "gzip", "bomb"]))
    if way == "cut":
        return data[: draw(st.integers(0, len(data)))]
    if way == "add":
        return data + draw(st.binary(min_size=1, max_size=8))
    if way == "zlib":
        return zlib.compress(data)
    if way == "gzip":
        return gzip.compress(data, mtime=0)
    if way == "bomb":
        return zlib.compress(bytes(2**18))
    return _spliced(draw, data)


@st.composite
def changed_files(draw: st.DrawFn) -> bytes:
    """Change a real-looking file in some places, most often in one or two."""
    seed = draw(st.sampled_from(SEEDS))
    end = seed.index(b"\n", seed.index(b"ElementDataFile"))
    lines, data = seed[:end].split(b"\n"), seed[end + 1 :]
    for _ in range(draw(st.sampled_from([0, 1, 1, 1, 2, 3, 4]))):
        place = draw(st.sampled_from(range(len(lines))))
        way = draw(st.sampled_from([*["change"] * 8, "drop", "move", "repeat"]))
        if way == "drop" and len(lines) > 1:
            del lines[place]
        elif way == "move":
            lines.insert(0, lines.pop(place))
        elif way == "repeat":
            lines.insert(0, lines[place])
        else:
            lines[place] = _changed_line(draw, lines[place])
    for _ in range(draw(st.sampled_from([0, 0, 0, 0, 1, 2]))):
        data = _changed_data(draw, data)
    gap = draw(st.sampled_from([*[b"\n"] * 8, b"\r\n", b"\n\n", b""]))
    return b"\n".join(lines) + gap + data


def check(path: Path, content: bytes) -> str:
    """Read a file and write a label map like it; say "read" or "refused"."""
    path.write_bytes(content)
    message = ""
    try:
        with limited_time():
            volume = read_metaimage(path)
    except DataError as error:
        message = str(error)
    if message:
        assert str(path) in message
        assert len(message) <= LONGEST_MESSAGE
        assert "\n" not in message
        return "refused"
    assert volume.array.shape == volume.grid.shape
    assert min(volume.grid.spacing) > 0
    write_metaimage(path.with_name("copy.mha"), volume.array, volume)
    copy = read_metaimage(path.with_name("copy.mha"))
    np.testing.assert_array_equal(copy.array, volume.array)
    np.testing.assert_array_equal(copy.grid.affine, volume.grid.affine)
    return "read"


def test_only_data_errors_come_out_of_changed_files(tmp_path):
    for name, content in DATA_FILES.items():
        (tmp_path / name).write_bytes(content)

    outcomes = fuzz(
        tmp_path / "scan.mha", changed_files(), SHORT_ROUND, seed=0, check=check
    )

    # Neither so mild that all are read nor so wild that none is.
    assert outcomes["read"] > SHORT_ROUND / 20
    assert outcomes["refused"] > SHORT_ROUND / 20


if __name__ == "__main__":
    main("scan.mha", changed_files(), DATA_FILES, check)
