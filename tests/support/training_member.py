"""Train as one of several processes by TF_CONFIG, and keep this one's weights.

Arguments: the cube, the run folder, options of `training_options` as JSON, and the
step before which this process kills itself, or 0.
"""

import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import models  # noqa: F401  sets TensorFlow up before it is imported

# isort: split
import numpy as np
from support.small_runs import training_options

from cube.reader import Cube
from models.process_group import ProcessGroup
from models.setup import prepare_network
from models.train_run import fit
from models.training_step import TrainingStep
from system.group_place import find_place
from system.shell import script


def die_before(step):
    """Let this process kill itself before that step."""
    take, taken = TrainingStep.__call__, []

    def dying(*args, **inputs):
        taken.append(1)
        if len(taken) == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return take(*args, **inputs)

    TrainingStep.__call__ = dying


@script
def main(argv):
    """Train; write this process's own weights beside the run folder."""
    cube_path, run, options, death = argv
    options, run = json.loads(options), Path(run)
    if death != "0":
        die_before(int(death))
    group = ProcessGroup(find_place())
    options = replace(training_options(), **options)
    with Cube(Path(cube_path)) as cube:
        network, metadata = prepare_network(options, cube)
        run.mkdir(exist_ok=True)
        fit(options, cube, run, network, metadata, group)
    np.savez(run.with_suffix(f".{group.rank}.npz"), *network.get_weights())
    group.meet()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
