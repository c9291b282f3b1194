"""The software versions that a run depends on."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
from pathlib import Path

PACKAGES = ("tensorflow", "keras", "numpy", "scipy", "numba", "h5py", "pynrrd")


def package_versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that affect results."""
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {"python": platform.python_version(), **versions}


def current_commit() -> str | None:
    """Return the commit of this checkout, with "+" if files were changed.

    None outside a git checkout.
    """
    folder = Path(__file__).parent
    options = {"cwd": folder, "text": True, "stderr": subprocess.DEVNULL}
    try:
        commit = subprocess.check_output(["git", "rev-parse", "HEAD"], **options)
        diff = subprocess.check_output(
            ["git", "diff", "HEAD", "--name-only"], **options
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit.strip() + ("+" if diff.strip() else "")
