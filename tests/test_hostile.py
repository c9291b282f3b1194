"""What somebody wrote on purpose gets one sentence, soon, and little memory.

Scripts are called for every file in a process of their own, one after the other, so
that each can be measured: its exit code, what it says, what it computes, what it holds.
"""

import gzip
import os
import re

import numpy as np
import pytest
from h5py import ExternalLink, SoftLink
from hand_made_hostile import (
    LONG_HEADER_BYTES,
    RAW,
    attribute,
    bomb,
    changed_cube,
    cut_cube,
    detached,
    long_header,
    nifti,
    nifti_bomb,
    nrrd,
    promising,
    replaced,
    secret,
    stored_elsewhere,
    virtual,
    with_lambda,
    without_traits,
)
from hand_made_nrrd import SHAPE, nrrd_bytes, write
from measured_calls import measure

pytestmark = pytest.mark.slow  # each file has a process

SECONDS = 5
MEMORY_MIB = 200
LONGEST = 1000

FLOATS = np.zeros(SHAPE, "<f4")
NAN, INF = FLOATS.copy(), FLOATS.copy()
NAN[0, 1, 2] = np.nan
INF[1, 2, 3] = -np.inf
LARGE = np.full(SHAPE, 2**31, "<u4")
PLACE = r"field 'data file' must name a file in the header's own folder or below it"

# A scan, and what is said of it.
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
        "field 'dim' must be positive and at most 2147483648 voxels",
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
        "fields 'dim' and 'datatype' promise, 48 bytes. Received: at least 65584 bytes",
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


def external_link(file, other):
    replaced(file, "image", ExternalLink(str(other), "image"))


def soft_link_out_of_the_file(file, other):
    file["outside"] = ExternalLink(str(other), "/")
    replaced(file, "image", SoftLink("/outside/image"))


CUBES = {
    "of a newer version": (
        changed_cube(attribute("format_version", 2)),
        "must have format version 1. Received: 2, from a newer makeCube.py",
    ),
    "of a version that is none": (
        changed_cube(attribute("format_version", np.arange(3))),
        r"must have format version 1. Received: array\(\[0, 1, 2\]\)",
    ),
    "cut off": (cut_cube, "cannot be opened as HDF5"),
    "with an external link": (
        changed_cube(external_link),
        "must hold 'image' itself. Received: a link to 'image' of .*other.h5",
    ),
    "with a soft link out of the file": (
        changed_cube(soft_link_out_of_the_file),
        "must hold 'image' itself. Received: a link to '/outside/image'",
    ),
    "with a virtual dataset": (
        changed_cube(virtual),
        "must hold 'image' itself. Received: a virtual dataset",
    ),
    "with bytes stored elsewhere": (
        changed_cube(stored_elsewhere),
        "must hold 'label' itself. Received: bytes in another file",
    ),
    "that promises more than a disk holds": (
        changed_cube(promising),
        "must hold `image` as 1 to .* Received: shape .4, 32768, 32768, 32768.",
    ),
    "of brackets without end": (
        changed_cube(attribute("class_names", "[" * 30_000)),
        r"must hold a valid `class_names`. Received: '\[\[",
    ),
}


def check(measured, code, message, input_mib=0.0):
    """See that a call ended as it should, in one line, soon, and in little memory."""
    print(f"{measured.seconds:.2f} s, {measured.growth_mib:.0f} MiB: {measured.error}")
    assert measured.code == code, measured.error
    line, *more = measured.error.splitlines()
    assert re.search(message, line)
    assert len(line) <= LONGEST
    # predict.py counts the scans that failed; a list's faults have a line each.
    assert len(more) <= 1 or "faults in the pair list" in line
    assert measured.seconds < SECONDS
    assert measured.growth_mib < input_mib + MEMORY_MIB


def cube_calls(folder, makers, role):
    """Give a call of makeCube.py for each file, in the role of image or label."""
    for number, (name, (maker, _)) in enumerate(makers.items()):
        own = folder / f"{role} {number}"
        own.mkdir()
        if role == "pairs":
            pairs = maker(own)
        else:
            good = write(own, nrrd_bytes(), "good.nrrd")
            files = {"image": good, "label": good, role: maker(own)}
            pairs = own / "pairs.txt"
            pairs.write_text(f'"{files["image"]}","{files["label"]}"\n')
        output = str(own / "cube.h5")
        yield name, ["makeCube", str(pairs), "--output", output, "--workers", "1"]


@pytest.fixture(scope="module")
def calls_of_make_cube(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile scans")
    calls = dict(
        [
            ("", ["makeCube", str(folder / "none.txt"), "--output", "x.h5"]),
            *cube_calls(folder, LISTS, "pairs"),
            *cube_calls(folder, LABELS, "label"),
            *cube_calls(folder, SCANS, "image"),
        ]
    )
    yield dict(zip([*calls][1:], measure([*calls.values()]), strict=True))
    for path in folder.rglob("scan.nrrd"):
        path.unlink()  # some have 100 MB


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (name, message)
        for kind in (LISTS, LABELS, SCANS)
        for name, (_, message) in kind.items()
    ],
)
def test_hostile_file_is_refused_by_make_cube(calls_of_make_cube, name, message):
    input_mib = LONG_HEADER_BYTES / 2**20 if "100 MB" in name else 0

    check(calls_of_make_cube[name], 1, message, input_mib)


@pytest.fixture(scope="module")
def calls_on_cubes(tmp_path_factory):
    calls = {"": ["checkCube", "none.h5", "--no-pictures"]}
    calls["  "] = ["train", "none.h5", "--output", "none"]
    for number, (name, (maker, _)) in enumerate(CUBES.items()):
        folder = tmp_path_factory.mktemp(f"cube {number}")
        cube = str(maker(folder))
        calls["checkCube", name] = ["checkCube", cube, "--no-pictures"]
        calls["train", name] = ["train", cube, "--output", str(folder / "run")]
    return dict(zip([*calls][1:], measure([*calls.values()]), strict=True))


@pytest.mark.parametrize("script", ["checkCube", "train"])
@pytest.mark.parametrize("name", CUBES)
def test_hostile_cube_is_refused(calls_on_cubes, name, script):
    check(calls_on_cubes[script, name], 1, CUBES[name][1])


# The scans that predict.py gets too, and what only a network makes of them.
PREDICTED = {
    **{name: SCANS[name] for name in ("gzip bomb", "NIfTI bomb", "NaN in the image")},
    "data file that is a device": SCANS["data file that is a device"],
    "text that promises gigabytes": SCANS["text that promises gigabytes"],
    "voxels of a hundred metres": (
        nrrd(space_directions="(1e5,0,0) (0,1e5,0) (0,0,1e5)"),
        "must take at most 2147483648 voxels of the network's",
    ),
}
MODELS = {
    "with a Lambda layer": (
        with_lambda,
        r"nothing but the layers of train.py's networks. Received: None.__lambda__, "
        r"keras.layers.Lambda$",
    ),
    "that does not say what it was trained for": (
        without_traits,
        r"must hold traits.json, as models of train.py do",
    ),
}


@pytest.fixture(scope="module")
def calls_of_predict(small_run, tmp_path_factory):
    model = small_run / "model.keras"
    folder = tmp_path_factory.mktemp("hostile for predict")
    good = write(folder, nrrd_bytes())
    last = ["--output", str(folder / "labels")]
    calls = {"": ["predict", "none.nrrd", "--model", str(model), *last]}
    for name, (maker, _) in PREDICTED.items():
        own = tmp_path_factory.mktemp("scan")
        calls[name] = ["predict", str(maker(own)), "--model", str(model), *last]
    for name, (maker, _) in MODELS.items():
        changed = maker(model, tmp_path_factory.mktemp("model"))
        calls[name] = ["predict", str(good), "--model", str(changed), *last]
    return dict(zip([*calls][1:], measure([*calls.values()]), strict=True))


@pytest.mark.parametrize("name", [*PREDICTED, *MODELS])
def test_hostile_file_is_refused_by_predict(calls_of_predict, name):
    check(calls_of_predict[name], 1, {**PREDICTED, **MODELS}[name][1])
