"""Four small scans of bright boxes, their cube, train.py on it; handwritten runs."""

from __future__ import annotations

import csv
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
from support.instance_rows import instance_score

import makeCube
import train
from evaluation.score_file import write_scores
from evaluation.scores import Score
from models.earlier import EARLIER
from models.options import TrainingOptions
from models.training_loop import HISTORY_COLUMNS, write_history
from runs.folder import write_json
from volumes.formats.files import read_volume, write_image, write_label_map
from volumes.geometry import Grid, affine_from
from volumes.volume import Segment

SHAPE = (8, 10, 7)
SPACING = (1.5, 2.0, 2.5)
# I -> inferior, J -> anterior and right, K -> right and posterior, by 10 degrees.
COS, SIN = np.cos(np.pi / 18), np.sin(np.pi / 18)
DIRECTION = [[0, SIN, COS], [0, COS, -SIN], [-1, 0, 0]]
SEGMENTS = (Segment(20, "L1", (1, 0, 0)), Segment(21, "L2", (0, 1, 0)))
CASES = {"ann": "train", "ben": "validation", "cid": "test", "dan": "test"}
# The least that trains: sides of 4 voxels, halved once.
TINY = ["--filters", "2", "--depth", "1", "--steps", "2", "--batch-size", "2"]


def write_scan(folder: Path, name: str, seed: int) -> tuple[Path, Path]:
    """Write a scan and its label map of two boxes."""
    grid = Grid(SHAPE, affine_from(SPACING, (-12.5, 40 + seed, 300), DIRECTION))
    label = np.zeros(SHAPE, np.uint16)
    label[1:4, 2:7, 2:5] = 21
    label[4:7, 2:7, 2:5] = 20
    noise = np.random.default_rng(seed).normal(0, 30, SHAPE)
    image = (500.0 * (label > 0) + noise).astype(np.float32)
    paths = folder / f"{name}.nrrd", folder / f"{name}_reference.seg.nrrd"
    write_image(paths[0], image, grid)
    write_label_map(paths[1], label, like=read_volume(paths[0]), segments=SEGMENTS)
    return paths


def write_cube(folder: Path, cases: dict[str, str] = CASES) -> Path:
    """Build the cube of a few scans, by name and split, with makeCube.py itself."""
    lines = []
    for seed, (name, split) in enumerate(cases.items()):
        image, label = write_scan(folder, name, seed)
        lines.append(f"{image.name},{label.name},{name},{split}")
    (folder / "pairs.txt").write_text("\n".join(lines) + "\n")
    flags = ["--spacing", "2", "--labels", "keep", "--copies", "1", "--workers", "1"]
    cube = folder / "cube.h5"
    code = makeCube.main([str(folder / "pairs.txt"), "--output", str(cube), *flags])
    if code:
        raise RuntimeError(f"makeCube.py ended with {code}")
    return cube


def write_run(
    folder: Path,
    dice: dict[str, float],
    *,
    model: str = "unet2d",
    fold: int | None = None,
    costs: dict | None = None,
    cube_checksum: str = "0" * 64,
    history: bool = False,
    matched: dict[str, int] | None = None,
    **arguments,
) -> None:
    """Write the files of one network's run, with the given Dice for each case.

    If given, `matched` is the number of vertebrae that are found in each case.
    """
    arguments = {"cube": "c.h5", "model": model, "fold": fold, **arguments}
    arguments["folds"] = None if fold is None else 3
    score = Score("", "", "spine", 0, 0.5, 2.0, 1.0, 0.5, 0.5, 1.0, 1.0, 0.0, "")
    scores = [
        replace(score, case_id=name, subject=f"subject {name}", dice=value)
        for name, value in dice.items()
    ]
    folder.mkdir(parents=True)
    instances = [instance_score(*each) for each in (matched or {}).items()]
    write_scores(folder / "scores.csv", scores, instances)
    device = f"CPU {model}"
    config = {
        "arguments": arguments,
        "cube_checksum": cube_checksum,
        "device": device,
    }
    write_json(folder / "config.json", config)
    costs = {"training_minutes": 1.0} if costs is None else costs
    write_json(folder / "summary.json", {"costs": costs})
    if history:
        epoch = dict.fromkeys(HISTORY_COLUMNS, 0.5) | {"epoch": 1}
        write_history(folder / "history.csv", [epoch])


def training_options(**changed) -> TrainingOptions:
    """Return options of one epoch, all others at their defaults but for `changed`."""
    options = dict.fromkeys(field.name for field in fields(TrainingOptions))
    options |= {"model": "unet2d", "epochs": 1, "steps": 2, "loss": "dice"}
    options |= {"seed": 0, "augment": "stored", "mixed_precision": False}
    options |= EARLIER
    return TrainingOptions(**{**options, "resume": False, **changed})


def call(cube: Path, run: Path, *flags: str, model: str = "unet2d") -> int:
    """Call train.py in process; return its exit code."""
    return train.main([str(cube), "--output", str(run), "--model", model, *flags])


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read a CSV file as a dict per row."""
    with open(path, newline="") as stream:
        return list(csv.DictReader(stream))


def names_in(folder: Path) -> list[str]:
    """List the names of the files and folders in a folder, sorted."""
    return sorted(path.name for path in folder.iterdir())
