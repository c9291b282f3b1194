"""Crafted scans, label maps and pair lists.

Each has a maker of the file, and the message that it must cause.
"""

import gzip
import os

import numpy as np
from support.hostile_files import (
    RAW,
    bomb,
    detached,
    long_header,
    nifti,
    nifti_bomb,
    nrrd,
    secret,
)
from support.nrrd_files import SHAPE

FLOATS = np.zeros(SHAPE, "<f4")
NAN, INF = FLOATS.copy(), FLOATS.copy()
NAN[0, 1, 2] = np.nan
INF[1, 2, 3] = -np.inf
LARGE = np.full(SHAPE, 2**31, "<u4")
PLACE = r"field 'data file' must name a file in the header's own folder or below it"

SCANS = {
    "data file at an absolute path": (
        detached("{folder}/secret.raw", secret),
        PLACE,
    ),
    "data file above the folder": (detached("../secret.raw", secret), PLACE),
    "data file through a link": (
        detached(
            "link.raw",
            lambda inside: (
                secret(inside),
                (inside / "link.raw").symlink_to("../secret.raw"),
            ),
        ),
        f"{PLACE}, not a link that leaves it",
    ),
    "data file that is a device": (detached("/dev/zero", secret), PLACE),
    "link to a device": (
        detached("zero", lambda inside: (inside / "zero").symlink_to("/dev/zero")),
        f"{PLACE}, not a link that leaves it",
    ),
    "data file that is a pipe": (
        detached("pipe", lambda inside: os.mkfifo(inside / "pipe")),
        "field 'data file' must name a regular file",
    ),
    "product of sizes beyond 64 bits": (
        nrrd(sizes="4294967296 4294967296 4294967297"),
        "field 'sizes' must be positive and at most 2147483648 voxels",
    ),
    "sizes beyond 64 bits": (
        nrrd(sizes="2 3 18446744073709551620"),
        "field 'sizes' must hold integers",
    ),
    "sizes of NIfTI": (
        nifti(dim=[3, 32767, 32767, 32767, 1, 1, 1, 1]),
        "field 'dim' must hold positive sizes and at most 2147483648 voxels",
    ),
    "text that promises gigabytes": (
        nrrd(b"1 2 3", encoding="ascii", sizes="1024 1024 2048"),
        "2147483648 numbers after .* Received: 3 numbers",
    ),
    "raw that promises gigabytes": (
        nrrd(b"", type="double", sizes="1024 1024 2048"),
        "17179869184 bytes after .* Received: 0 bytes",
    ),
    "gzip that promises gigabytes": (
        nrrd(gzip.compress(RAW), encoding="gzip", sizes="1024 1024 2048"),
        "4294967296 bytes after .* Received: 48 bytes",
    ),
    "gzip bomb": (bomb("gzip"), "48 bytes after .* Received: at least 65584 bytes"),
    "bzip2 bomb": (bomb("bzip2"), "48 bytes after .* Received: at least 65584 bytes"),
    "NIfTI bomb": (
        nifti_bomb,
        "fields 'dim' and 'datatype', 48 bytes. Received: at least 65584 bytes",
    ),
    "NIfTI with its voxels far away": (
        nifti(suffix=".nii.gz", vox_offset=1e9),
        "within 16777216 bytes. Received: .* and 1000000000",
    ),
    "negative spacing": (
        nrrd(space_directions=None, spacings="1 -1 1"),
        "field 'spacings' must hold three positive numbers. Received: '1 -1 1'",
    ),
    "spacing that is no number": (
        nrrd(space_directions=None, spacings="1 nan 1"),
        "field 'spacings' must hold three positive numbers. Received: '1 nan 1'",
    ),
    "negative spacing of NIfTI": (
        nifti(pixdim=[1, 1, -1, 1, 0, 0, 0, 0]),
        "field 'pixdim' must hold three positive spacings .* Received: 1, -1, 1",
    ),
    "spacing of NIfTI that is no number": (
        nifti(pixdim=[1, 1, np.nan, 1, 0, 0, 0, 0]),
        "field 'pixdim' must hold three positive spacings .* Received: 1, nan, 1",
    ),
    "direction that is no number": (
        nrrd(space_directions="(1,0,0) (0,nan,0) (0,0,1)"),
        "field 'space directions' must hold finite numbers",
    ),
    "singular direction": (
        nrrd(space_directions="(1,0,0) (2,0,0) (0,0,1)"),
        "field 'space directions' must span space",
    ),
    "singular direction of NIfTI": (
        nifti(affine=np.eye(4), srow_y=[2, 0, 0, 0]),
        "fields 'sform', 'qform' and 'pixdim' must describe a grid",
    ),
    "too few data": (nrrd(RAW[:-2]), "48 bytes after .* Received: 46 bytes"),
    "too many data": (nrrd(RAW + b"!"), "48 bytes after .* Received: 49 bytes"),
    "too few data of NIfTI": (nifti(data=RAW[:-2]), "48 bytes. Received: 46 bytes"),
    "too many data of NIfTI": (nifti(data=RAW + b"!"), "48 bytes. Received: 49 bytes"),
    "NaN in the image": (
        nrrd(NAN.tobytes("F"), type="float"),
        "must hold finite values. Received: 1 NaN or infinite voxels",
    ),
    "infinity in the image": (
        nrrd(INF.tobytes("F"), type="float"),
        "must hold finite values. Received: 1 NaN or infinite voxels",
    ),
    "values that have no square": (
        nrrd((FLOATS.astype("<f8") - 1e300).tobytes("F"), type="double"),
        r"must hold values from -1e\+15 to 1e\+15. Received: -1e\+300 to -1e\+300",
    ),
    "header of a hundred thousand fields": (
        nrrd(b"", *[f"kinds{n}: x" for n in range(10**5)], type="x" * 10**6),
        "the header must end with an empty line within 1048576 bytes",
    ),
    "blanks by the hundred thousand": (
        nrrd(space_directions="(1," + " " * 500_000 + "x"),
        "field 'space directions' could not be parsed",
    ),
    "numbered pattern without end": (
        nrrd(b"", data_file="%" * 500_000),
        "field 'data file' must name a file that exists|could not be read",
    ),
    "segment of a number too long": (
        nrrd(None, f"Segment{'9' * 5000}_ID:=x", f"Segment0_LabelValue:={'9' * 5000}"),
        "Segment0_LabelValue must be an integer from 1 to 65535",
    ),
    # The largest last: what these hold may hide what others would.
    "header of 100 MB in one line": (
        long_header(b"x" * 100),
        "the header must end with an empty line within 1048576 bytes",
    ),
    "header of 100 MB in many lines": (
        long_header(b"# no end\n"),
        "the header must end with an empty line within 1048576 bytes",
    ),
}
LABELS = {
    "label 2^31": (
        nrrd(LARGE.tobytes("F"), type="uint"),
        "must be integers from 0 to 65535. Received: 2147483648$",
    ),
    "label 2^31 as a float": (
        nrrd(LARGE.astype("<f8").tobytes("F"), type="double"),
        "must be integers from 0 to 65535. Received: 2147483648$",
    ),
    "label that is no number": (
        nrrd(NAN.tobytes("F"), type="float"),
        "must be integers from 0 to 65535. Received: nan$",
    ),
}


def a_million_lines(folder):
    path = folder / "pairs.txt"
    path.write_text("a,b.nii\n" * 10**6)
    return path


def as_many_lines_as_allowed(folder):
    path = folder / "pairs.txt"
    path.write_text("".join(f"a{n}/i.nrrd,a{n}/l.nrrd\n" for n in range(20_000)))
    return path


LISTS = {
    "a million lines": (a_million_lines, "at most 20000 lines .* Received: 1000000 "),
    "as many as allowed": (as_many_lines_as_allowed, "40000 faults in the pair list"),
}
