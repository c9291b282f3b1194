"""Measure the scripts: waiting and memory of train.py, and the time of --help."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.timing import Row, compare, milliseconds, timed, verdict
from system.text import format_table

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ("makeCube.py", "checkCube.py", "train.py", "predict.py")
CUBE_FLAGS = ("--spacing", "2", "--copies", "2", "--validation", "0", "--test", "0")
STEPS = {"unet3d": 20, "unet2d": 60}  # an epoch
WAITING = 0.05  # share of a step
HELP_SECONDS = 0.5
MIB = 2**20


def call(*words: object) -> None:
    """Run one of the project's programs; show its output if it fails."""
    command = [sys.executable, *map(str, words)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if ran.returncode:
        sys.exit(f"{' '.join(command)}\n{ran.stdout}{ran.stderr}")


def train(cube: Path, run: Path, *flags: object) -> tuple[float, float, float]:
    """Train two epochs with train.py.

    Returns:
        Of the second epoch the seconds a step and the share of them that was
        spent waiting for batches; and the peak memory of all in bytes.
    """
    call("train.py", cube, "--output", run, "--epochs", 2, *flags)
    with open(run / "history.csv") as stream:
        last = list(csv.DictReader(stream))[-1]
    costs = json.loads((run / "summary.json").read_text())["costs"]
    figures = (float(last[name]) for name in ("seconds_per_step", "waiting_share"))
    return *figures, costs["peak_memory_mib"] * MIB


def training_rows(*, quick: bool) -> list[Row]:
    """Train on phantoms with train.py, print the table, and return the rows."""
    rows, lines = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scans, cube = folder / "scans", folder / "cube.h5"
        call("-m", "phantom", scans, "--cases", 2 if quick else 6)
        call("makeCube.py", scans / "pairs.txt", "--output", cube, *CUBE_FLAGS)
        for model, steps in STEPS.items():
            for augment in ("stored",) if quick else ("stored", "online"):
                what = f"{model} {augment}"
                flags = ("--model", model, "--augment", augment)
                few = ("--steps", steps // 2 if quick else steps)
                seconds, waiting, peak = train(cube, folder / what, *flags, *few)
                name = f"waiting for data, share of a step, {what} (peer: the limit)"
                row = compare(name, waiting, WAITING, 1.0)
                rows += [row, Row(f"peak memory of training, {what} (bytes)", peak)]
                reached = "reached" if waiting <= WAITING else "MISSED"
                figures = (f"{waiting:.1%}", f"{WAITING:.0%}: {reached}")
                lines.append(
                    (what, milliseconds(seconds), *figures, f"{peak / MIB:.0f}")
                )
    print("\ntrain.py on phantoms, second epoch\n")
    print(format_table(("", "ms a step", "waiting", "limit", "peak MiB"), lines))
    return rows


def help_rows() -> list[Row]:
    """Time --help of every script, print the table, and give the rows."""
    rows, lines = [], []
    for script in SCRIPTS:
        found = [timed(partial(call, script, "--help")) for _ in range(5)]
        name = f"{script} --help (peer: the limit)"
        row = compare(name, float(np.median(found)), HELP_SECONDS, 1.0)
        rows.append(row)
        lines.append((script, milliseconds(row.ours), verdict(row)))
    print(f"\n--help; limit {HELP_SECONDS:g} s\n")
    print(format_table(("", "ms", "limit / ms"), lines))
    return rows
