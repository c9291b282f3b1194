"""makeCube.py that stops at one case until it is killed, once.

The environment's STALL names a file that is not there yet: the process that has
the case "dan" in work writes its number there, and waits.
"""

import os
import sys
import time
from pathlib import Path

import makeCube
from cube import build

make_row = build.make_row
stall = Path(os.environ["STALL"])


def stalling(scan, **about):
    if about["case_id"] == "dan" and not stall.exists():
        stall.write_text(str(os.getpid()))
        time.sleep(600)
    return make_row(scan, **about)


# Processes that a pool spawns run this line too.
build.make_row = stalling

if __name__ == "__main__":
    sys.exit(makeCube.main())
