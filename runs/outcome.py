"""What train.py ends with: warnings and the files to open, in a few lines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from runs.folder import (
    MODEL_NAME,
    REPORT_NAME,
    RUN_CONFIG_NAME,
    SUMMARY_NAME,
    TITLES,
)
from system.text import count_of

# Of these, the files that exist are listed, the page to open first before all.
FILES = {
    REPORT_NAME: "open this first: every case with pictures, curves, costs",
    "comparison.md": "tables of both networks, with intervals",
    SUMMARY_NAME: "tables of the scores of each class",
}
MOST_WARNINGS = 3


def shorten_warnings(warnings: Sequence[str], path: Path) -> str:
    """Return a line for each of the first warnings, and one that counts the rest.

    Args:
        warnings: Sentences without their full stops.
        path: The file that holds all of them.
    """
    lines = [f"Warning: {warning}." for warning in warnings[:MOST_WARNINGS]]
    if len(warnings) > MOST_WARNINGS:
        rest = count_of(len(warnings) - MOST_WARNINGS, "more warning")
        lines.append(f"And {rest}: see {path}")
    return "\n".join(lines)


def list_outcome(run: Path) -> str:
    """List the files of a finished run that a person opens, a line each.

    Args:
        run: The folder of one network's run, or of both networks' runs.

    Returns:
        At most eight lines of path and purpose, only of what exists.
    """
    rows = [(run / name, purpose) for name, purpose in FILES.items()]
    inner = [run / model for model in TITLES]
    runs = [run] if (run / RUN_CONFIG_NAME).is_file() else inner
    for folder in runs:
        of = "" if folder == run else f" of {TITLES[folder.name]}"
        rows.append((folder / "overlays", f"pictures of the test cases{of}"))
        rows.append((folder / MODEL_NAME, f"for predict.py --model {folder}"))
    found = [(str(path), purpose) for path, purpose in rows if path.exists()]
    width = max((len(path) for path, _ in found), default=0)
    return "\n".join(f"{path.ljust(width)}  {purpose}" for path, purpose in found)
