"""What train.py ends with: the files to open, in a few lines."""

from __future__ import annotations

from pathlib import Path

from runs.folder import (
    MODEL_NAME,
    REPORT_NAME,
    RUN_CONFIG_NAME,
    SUMMARY_NAME,
    TITLES,
)

# Of these, the files that exist are listed, the page to open first before all.
FILES = {
    REPORT_NAME: "open this first: every case with pictures, curves, costs",
    "comparison.md": "tables of both networks, with intervals",
    SUMMARY_NAME: "tables of the scores of each class",
}


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
