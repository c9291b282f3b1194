"""What a run cost, and what it ran on."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
from pathlib import Path

PACKAGES = ("tensorflow", "keras", "numpy", "scipy", "numba", "h5py", "pynrrd")


def package_versions() -> dict[str, str]:
    """Give the versions of Python and of the packages that decide a result."""
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {"python": platform.python_version(), **versions}


def commit() -> str | None:
    """Give the commit of this checkout, with "+" where files differ from it."""
    folder = Path(__file__).parent
    options = {"cwd": folder, "capture_output": True, "text": True, "check": True}
    try:
        found = subprocess.run(["git", "rev-parse", "HEAD"], **options)
        changed = subprocess.run(["git", "diff", "HEAD", "--name-only"], **options)
    except (OSError, subprocess.CalledProcessError):
        return None
    return found.stdout.strip() + ("+" if changed.stdout.strip() else "")
