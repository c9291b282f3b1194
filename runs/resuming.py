"""What a run is resumed with: the arguments and the inputs recorded in its folder."""

from __future__ import annotations

from pathlib import Path

from runs.folder import RUN_CONFIG_NAME, network_folders, read_json
from system.errors import DataError

# Arguments that belong to one call of train.py and are not resumed.
OF_ONE_CALL = ("output", "force", "resume", "gpus", "weights_checksum")


CHECKPOINT = "checkpoint/state.npz"  # of `models.checkpoint`, which loads TensorFlow


def is_begun(run: Path) -> bool:
    """Return whether a run, of one network or of both, has a checkpoint."""
    folders = (run, *network_folders(run))
    return any((folder / CHECKPOINT).is_file() for folder in folders)


def read_arguments(run: Path) -> dict:
    """Read the arguments with which a run was started, to resume it.

    Args:
        run: The folder of one network's run, or of both networks' runs.

    Returns:
        The arguments by name, without those that belong to one call of train.py.

    Raises:
        DataError: If the folder holds no run.
    """
    if not run.is_dir():
        raise DataError(f"{run} must hold a run to resume. Received: no such folder")
    folder = run
    if not (run / RUN_CONFIG_NAME).is_file():
        folder = network_folders(run)[0]  # the one that is trained first
    if not (folder / RUN_CONFIG_NAME).is_file():
        raise DataError(
            f"{run} must hold a run to resume. Received: no {RUN_CONFIG_NAME}"
        )
    arguments = read_json(folder / RUN_CONFIG_NAME).get("arguments", {})
    if folder != run:
        arguments["model"] = "both"
    for name in ("cube", "scans"):
        if arguments.get(name) is not None:
            arguments[name] = Path(arguments[name])
    weights = arguments.get("weights")
    if weights is not None:  # of earlier versions, one path
        weights = [weights] if isinstance(weights, str) else weights
        arguments["weights"] = [Path(each) for each in weights]
    for name in OF_ONE_CALL:
        arguments.pop(name, None)
    return arguments


def check_same_inputs(run: Path, inputs: dict[str, tuple[Path | str, str]]) -> None:
    """Check that a test is resumed with the files it was started with.

    Args:
        run: The folder of one network's run.
        inputs: Path and checksum of its "cube" and "weights".

    Raises:
        DataError: If one is another file; names both.
    """
    config = read_json(run / RUN_CONFIG_NAME)
    recorded = {**config.get("arguments", {}), **config}
    for name, (path, checksum) in inputs.items():
        expected = recorded.get(f"{name}_checksum")
        if expected not in (None, checksum):
            started = recorded.get(name)
            if isinstance(started, list):
                started = ", ".join(map(str, started))
            raise DataError(
                f"{run} must be resumed with the same {name}. Received: {path} "
                f"({checksum[:12]}), but it was started with {started} "
                f"({str(expected)[:12]})"
            )
