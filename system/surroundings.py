"""Independence of the scripts from the environment in which they are started.

Notebooks, clusters and other projects set variables and files that Keras, matplotlib
and numba read when they are imported. Nothing in them should decide, or spoil, what a
script does.
"""

from __future__ import annotations

import os
import sys

from system.cgroups import parse_count
from system.job import available_cpus

# Where numba caches, and for which CPU it compiles; all else would only slow it down,
# as NUMBA_DISABLE_JIT, or stop it, as an unknown NUMBA_THREADING_LAYER.
NUMBA_KEPT = ("NUMBA_CACHE_DIR", "NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES")


def fix_surroundings() -> None:
    """Set what packages read from the environment, for this process and its workers.

    Must be called before they are imported; it can be called again. Keras runs on
    TensorFlow with its own defaults, without reading or writing `~/.keras`;
    matplotlib draws into files; numba uses the CPUs that the process may use, or
    fewer if NUMBA_NUM_THREADS is lower.
    """
    for name in [name for name in os.environ if name.startswith("KERAS_")]:
        del os.environ[name]
    os.environ["KERAS_BACKEND"] = "tensorflow"
    # A folder in which no file can exist.
    os.environ["KERAS_HOME"] = os.devnull
    os.environ["MPLBACKEND"] = "agg"
    if "numba" not in sys.modules:  # which refuses another number once it has started
        _fix_numba()


def _fix_numba() -> None:
    available = available_cpus()
    wanted = parse_count(os.environ.get("NUMBA_NUM_THREADS", ""))
    threads = min(available, wanted or available)
    for name in [name for name in os.environ if name.startswith("NUMBA_")]:
        if name not in NUMBA_KEPT:
            del os.environ[name]
    os.environ["NUMBA_NUM_THREADS"] = str(threads)
