"""makeCube.py that waits in the case "dan" until it is killed; only the first time.

The environment variable STALL names a file that does not exist yet. The process that
builds "dan" writes its process id there, and waits.
"""

import os
import sys
import time
from pathlib import Path

import makeCube
from cube import case_build

make_row = case_build.make_row
stall = Path(os.environ["STALL"])


def stalling(case, **options):
    if options["case_id"] == "dan" and not stall.exists():
        stall.write_text(str(os.getpid()))
        time.sleep(600)
    return make_row(case, **options)


# At module level, so that the processes of a pool run it too.
case_build.make_row = stalling

if __name__ == "__main__":
    sys.exit(makeCube.main())
