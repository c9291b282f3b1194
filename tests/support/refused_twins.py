"""Small twins, written by hand, of other programs' NRRD files that are refused."""

from __future__ import annotations

from support.twins import (
    PACKED_BYTES,
    RAW,
    SEGMENTS,
    a_nifti,
    ball,
    header,
    packed,
    stack,
)

FLAT = "NRRD0004\ntype: uint8\ndimension: {}\nsizes: {}\nencoding: {}\n"
VECTORS = """\
NRRD0004
type: double
dimension: 4
space: left-posterior-superior
sizes: 3 2 2 2
space directions: none (240,0,0) (0,240,0) (0,0,161.2)
kinds: vector domain domain domain
endian: little
encoding: raw
space origin: (-120,-120,-80.6)
"""
HELIX = """\
NRRD0005
type: float
dimension: 4
space: right-anterior-superior
sizes: 7 1 2 2
space directions: none (0.43,0,0) (0,0.4,0) (0,0,0.37)
centerings: ??? cell cell cell
kinds: 3D-masked-symmetric-matrix space space space
endian: little
encoding: raw
measurement frame: (1,0,0) (0,1,0) (0,0,1)
"""
SERIES = """\
NRRD0001
type: double
dimension: 4
space dimension: 3
sizes: 1 2 2 2
kinds: space space space time
encoding: raw
endian: little
spacings: 1.0 1.0 1.0 nan
space units: "m" "m" "m"
"""
OVERLAP = SEGMENTS.format(dimension=4, sizes="2 2 3 4", none="none ", kind="list ")
PLANE = FLAT.format(2, "6 4", "raw") + "space dimension: 3\n"

# What is refused: its files, and what the sentence says.
REFUSED = {
    "overlapping segments": (
        {"label.seg.nrrd": header(OVERLAP) + packed(bytes(48))},
        "field 'kinds' .*2 layers .*overlapping segments",
    ),
    "vectors": (
        {"deform.nrrd": header(VECTORS) + bytes(192)},
        "'dimension', 'kinds'.*4-D data .*kinds vector",
    ),
    "colours": (
        {
            "rgb.nrrd": header(
                FLAT.format(3, "3 3 4", "raw") + "kinds: RGB-color domain domain\n"
            )
            + bytes(36)
        },
        "'dimension', 'kinds'.*3-D data .*kinds RGB-color",
    ),
    "a plane in three dimensions": (
        {"sum.nrrd": header(PLANE + "space directions: (1,0,0) (0,1,0)\n") + bytes(24)},
        "'dimension', 'kinds'.*2-D data of sizes 6 x 4",
    ),
    "a line of text": (
        {"line.nrrd": header(FLAT.format(1, "4", "ASCII")) + b"1 2 3 4\n"},
        "'dimension', 'kinds'.*1-D data of sizes 4",
    ),
    "a plane of text": (
        {"plane.nrrd": header(FLAT.format(2, "2 2", "text")) + b"1 2\n3 4\n"},
        "'dimension', 'kinds'.*2-D data of sizes 2 x 2",
    ),
    "a series": (
        {"series.nrrd": header(SERIES) + bytes(64)},
        "'dimension', 'kinds'.*4-D data .*time",
    ),
    "four dimensions": (
        {"four.nrrd": header(FLAT.format(4, "2 2 3 4", "raw")) + bytes(48)},
        "'dimension', 'kinds'.*4-D data of sizes 2 x 2 x 3 x 4",
    ),
    "matrices": (
        {"helix.nrrd": header(HELIX) + bytes(112)},
        "'dimension', 'kinds'.*4-D data .*kinds 3D-masked-symmetric-matrix",
    ),
    "a type that no machine has": (
        {"mask.nrrd": stack(kind="int128") + PACKED_BYTES},
        "field 'type' .*'int128'",
    ),
    "gzip that claims to be bzip2": (
        {"mask.nrrd": stack("bzip2") + PACKED_BYTES},
        "field 'encoding' .*'bzip2'",
    ),
    "a negative skip": (
        {"ball.nhdr": ball("raw", "byte skip: -5", "data file: b.raw"), "b.raw": RAW},
        "field 'byte skip' .*'-5'",
    ),
    "inside a NIfTI without a skip": (
        {
            "ball.nhdr": ball("gzip", "data file: ball.nii.gz"),
            "ball.nii.gz": a_nifti(),
        },
        r"'sizes' and 'type', 48 bytes .*Received: 400 bytes",
    ),
    "a list of files": (
        {"list.nhdr": stack()[:-1] + b"data file: LIST\nslice0.raw\nslice1.raw\n"},
        "field 'data file' .*'LIST'",
    ),
    "a list of slabs": (
        {"list.nhdr": stack()[:-1] + b"data file: LIST 3\nslab0-9.raw\n"},
        "field 'data file' .*'LIST 3'",
    ),
    "a data file that is missing": (
        {"ball.nhdr": ball("raw", "data file: ./dummy.raw")},
        "field 'data file' must name a file that exists",
    ),
}
