"""Four scans on an oblique, anisotropic grid, and the script that builds their cube."""

import signal
from pathlib import Path

import numpy as np

import cube.build
import makeCube
from cube.pairs import Pair
from cube.survey import CaseInfo
from volumes.formats.files import write_image
from volumes.geometry import Grid, affine_from
from volumes.intensity_rule import IntensityProfile

COS, SIN = np.cos(np.pi / 9), np.sin(np.pi / 9)
# I -> inferior, J -> anterior, K -> right, turned by 20 degrees.
DIRECTION = [[0, SIN, COS], [0, COS, -SIN], [-1, 0, 0]]
GRID = Grid((14, 11, 6), affine_from((0.9, 1.1, 3.0), (-70, 12, 800), DIRECTION))
NAMES = ("ann", "ben", "cid", "dan")
MR_PROFILE = IntensityProfile(low=0, median=200, high=900, air=0, kind="")
FLAGS = ("--copies", 1, "--spacing", 3, 1.5, 1.5)
# 3D Slicer numbers the segments of each file separately; VerSe has its own numbers.
SLICER = {1: "L1", 2: "L2", 3: "sacrum"}
VERSE = {19: "T12", 20: "L1", 21: "L2", 24: "L5", 26: "sacrum"}


def write_scan(folder, name, *, image=None, label=None, label_grid=GRID):
    rng = np.random.default_rng(list(name.encode()))
    if image is None:
        image = rng.integers(0, 900, GRID.shape).astype(np.int16)
    if label is None:
        label = np.zeros(GRID.shape, np.uint8)
        label[2:6, 3:8, 2:4] = 21
        label[7:11, 3:8, 2:4] = 20
    write_image(folder / f"{name}.nrrd", image, GRID)
    write_image(folder / f"{name}_label.nrrd", label, label_grid)


def make_case(
    case_id="ann",
    *,
    subject=None,
    grid=GRID,
    content_checksum=None,
    names=None,
    label_values=(20,),
    profile=MR_PROFILE,
):
    """Return what a survey finds out about a case, without any files."""
    image, label = Path(f"{case_id}.nrrd"), Path(f"{case_id}_label.nrrd")
    return CaseInfo(
        pair=Pair(image, label, case_id, subject or case_id, None, 1),
        grid=grid,
        label_values=label_values,
        names=names or {},
        image_checksum="",
        label_checksum="",
        content_checksum=content_checksum or case_id,
        profile=profile,
        notes=(),
    )


def write_list(folder, lines):
    (folder / "pairs.txt").write_text("\n".join(lines))


def write_scans(folder):
    """Write all scans, their label maps and the pair list."""
    for name in NAMES:
        write_scan(folder, name)
    write_list(folder, [f"{name}.nrrd,{name}_label.nrrd" for name in NAMES])
    return folder


def build(folder, *flags):
    """Run makeCube.py in this process with one worker; return its exit code."""
    arguments = [folder / "pairs.txt", "--output", folder / "cube.h5", "--workers", 1]
    return makeCube.main([str(word) for word in (*arguments, *flags)])


def beside_the_scans(folder):
    """List all files except scans and pair lists, hidden ones included."""
    return sorted(
        path.name for path in folder.iterdir() if path.suffix not in (".nrrd", ".txt")
    )


def hear_interrupts():
    """Let Ctrl-C end a child process, even if the shell made its jobs ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def record_built_cases(monkeypatch):
    """Return a list to which the id of every case that is built will be appended."""
    build_case, case_ids = cube.build.build_case, []

    def recording(job):
        case_ids.append(job.case.pair.case_id)
        return build_case(job)

    monkeypatch.setattr(cube.build, "build_case", recording)
    return case_ids


def named(case_id, names, found=None):
    """A case whose label map names its values; by default all of them occur."""
    return make_case(case_id, names=names, label_values=tuple(found or names))


def unnamed(case_id, *values):
    """A case whose label map has values without names."""
    return make_case(case_id, label_values=values)
