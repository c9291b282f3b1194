"""Four scans on an oblique, anisotropic grid, and the script that gathers them."""

import signal

import numpy as np

import cube.build
import makeCube
from volumes.formats.files import write_image
from volumes.geometry import Grid, affine_from

COS, SIN = np.cos(np.pi / 9), np.sin(np.pi / 9)
# I -> inferior, J -> anterior, K -> right, turned by 20 degrees.
DIRECTION = [[0, SIN, COS], [0, COS, -SIN], [-1, 0, 0]]
GRID = Grid((14, 11, 6), affine_from((0.9, 1.1, 3.0), (-70, 12, 800), DIRECTION))
NAMES = ("ann", "ben", "cid", "dan")
FLAGS = ("--copies", 1, "--spacing", 3, 1.5, 1.5)


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


def write_list(folder, lines):
    (folder / "pairs.txt").write_text("\n".join(lines))


def write_scans(folder):
    """Write every scan with its label map, and the list of them."""
    for name in NAMES:
        write_scan(folder, name)
    write_list(folder, [f"{name}.nrrd,{name}_label.nrrd" for name in NAMES])
    return folder


def build(folder, *flags):
    """Run the script in process, on one worker; return its exit code."""
    arguments = [folder / "pairs.txt", "--output", folder / "cube.h5", "--workers", 1]
    return makeCube.main([str(word) for word in (*arguments, *flags)])


def beside_the_scans(folder):
    """Every file that is no scan and no pair list, hidden ones included."""
    return sorted(
        path.name for path in folder.iterdir() if path.suffix not in (".nrrd", ".txt")
    )


def hear_interrupts():
    """Let Ctrl-C end a child, even of a shell that runs its jobs deaf to it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def record_built_cases(monkeypatch):
    """Give the cases that will be made, in order; the list grows with each."""
    build_case, cases = cube.build.build_case, []

    def noted(job):
        cases.append(job.case.pair.case_id)
        return build_case(job)

    monkeypatch.setattr(cube.build, "build_case", noted)
    return cases
