"""Where the project lies, and the real scans that some tests read."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"  # tests that need it skip where it is missing
