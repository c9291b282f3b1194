"""Crafted files are refused in one sentence, quickly and with little memory.

Scripts are called for every file, one after the other in a process of their own, to
measure exit code, message, CPU time and memory.
"""

import re

import numpy as np
import pytest
from h5py import ExternalLink, SoftLink
from support.hostile_files import (
    LONG_HEADER_BYTES,
    attribute,
    changed_cube,
    cut_cube,
    nrrd,
    replaced,
    stored_elsewhere,
    virtual,
    with_a_grid_that_no_scan_fills,
    with_lambda,
    with_voxels_only_promised,
    without_metadata,
    without_voxels,
)
from support.hostile_scans import LABELS, LISTS, SCANS
from support.measured_calls import measure
from support.nrrd_files import nrrd_bytes, write

pytestmark = pytest.mark.slow  # each file has a process

SECONDS = 5
MEMORY_MIB = 200
LONGEST = 1000


def external_link(file, other):
    replaced(file, "image", ExternalLink(str(other), "image"))


def soft_link_out_of_the_file(file, other):
    file["outside"] = ExternalLink(str(other), "/")
    replaced(file, "image", SoftLink("/outside/image"))


CUBES = {
    "of a newer version": (
        changed_cube(attribute("format_version", 4)),
        "must have format version 3 or older. Received: 4, from a newer makeCube.py",
    ),
    "of a version that is none": (
        changed_cube(attribute("format_version", np.arange(3))),
        r"must have format version 1 to 3. Received: array\(\[0, 1, 2\]\)",
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
        changed_cube(without_voxels),
        "must hold `image` as 1 to .* Received: shape .4, 32768, 32768, 32768.",
    ),
    "whose voxels are only promised": (
        changed_cube(with_voxels_only_promised),
        "must hold all of `image`, not compressed, 3840 bytes. Received: 0",
    ),
    "whose grid no scan fills": (
        changed_cube(with_a_grid_that_no_scan_fills),
        "a grid that its scans fill, .* for 131072 bytes .* Received: 4294967296",
    ),
    "of brackets without end": (
        changed_cube(attribute("class_names", "[" * 30_000)),
        r"must hold a valid `class_names`. Received: '\[\[",
    ),
}


def check(measured, code, message, input_mib=0.0):
    """Check the exit code, the message, the CPU time and the memory of a call."""
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
    """Yield a call of makeCube.py for each file, as image, label map or pair list."""
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


# Scans that predict.py must refuse too, and one that only a network refuses.
PREDICTED = {
    **{name: SCANS[name] for name in ("gzip bomb", "NIfTI bomb", "NaN in the image")},
    "data file that is a device": SCANS["data file that is a device"],
    "text that promises gigabytes": SCANS["text that promises gigabytes"],
    "voxels of a hundred metres": (
        nrrd(space_directions="(1e5,0,0) (0,1e5,0) (0,0,1e5)"),
        "must have at most 2147483648 voxels at the network's",
    ),
}
MODELS = {
    "with a Lambda layer": (
        with_lambda,
        r"only layers of train.py's networks. Received: None.__lambda__, "
        r"keras.layers.Lambda$",
    ),
    "that does not say what it was trained for": (
        without_metadata,
        r"must hold traits.json, as models of train.py do",
    ),
}


@pytest.fixture(scope="module")
def calls_of_predict(small_run, tmp_path_factory):
    model = small_run / "model.keras"
    folder = tmp_path_factory.mktemp("hostile for predict")
    good = write(folder, nrrd_bytes())
    last = ["--output", str(folder / "labels")]
    # Labels a scan, which loads TensorFlow.
    first = ["--output", str(folder / "first"), "--no-pictures"]
    calls = {"": ["predict", str(good), "--model", str(model), *first]}
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
