"""Handwritten runs with overlays, whose names are hard on pages of HTML."""

from __future__ import annotations

from pathlib import Path

from PIL import Image
from support.small_runs import write_run

from runs.folder import TITLES
from system.text import file_names

HOSTILE = ("<script>alert(1)</script>", "50 % of #1", 'M\u00fcller\'s "spine"', "a&b")
DICE = {
    "unet2d": dict(zip(HOSTILE, (0.5, 0.75, 0.25, 0.9), strict=True)),
    "unet3d": dict(zip(HOSTILE, (0.6, 0.7, 0.5, 0.8), strict=True)),
}


def write_runs(folder: Path, *models: str, history: bool = False) -> list[Path]:
    """Write a run of each network, and an overlay of each case."""
    runs = []
    for model in models or TITLES:
        runs.append(folder / model)
        write_run(runs[-1], DICE[model], model=model, history=history)
        for name in file_names(HOSTILE).values():
            path = runs[-1] / "overlays" / f"{name}.png"
            path.parent.mkdir(exist_ok=True)
            Image.new("RGB", (60, 40), (90, 90, 90)).save(path)
    return runs
