"""Networks, losses, batches from a cube, the training loop, tiled prediction.

Importing this package imports TensorFlow without its start-up messages.
"""

import os
from contextlib import suppress

from models.quiet import hide_retracing, suppress_stderr
from system.job import available_cpus
from system.surroundings import fix_surroundings

fix_surroundings()
# TensorFlow reads these when it is first imported.
# Convolutions are four times faster on AMD CPUs, where TensorFlow leaves oneDNN off.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
# Hides informational messages and warnings.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

with suppress_stderr():
    import tensorflow  # first here, so that its messages are hidden
hide_retracing()

with suppress(RuntimeError):  # it has started, in a process that used it before
    tensorflow.config.threading.set_intra_op_parallelism_threads(available_cpus())
    tensorflow.config.threading.set_inter_op_parallelism_threads(available_cpus())
