"""Testing several trained networks together on a cube's test cases."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from cube.folds import describe_splits, open_cube, record_splits
from cube.places import ScanFinder
from cube.reader import Cube
from models.device import find_device
from models.ensemble import load_members, settle_members
from models.transfer import check_classes, check_unseen
from runs.folder import (
    ENSEMBLE,
    RUN_TITLES,
    open_run_folder,
)
from runs.model_paths import find_models
from runs.testing import check_sources, predict_test_cases
from runs.train_and_test import record_start, warn_of_mismatch, write_results
from system.errors import DataError, UsageError
from volumes.formats.checksums import checksum


def score_ensemble(
    weights: Sequence[Path],
    cube_path: Path,
    run: Path,
    arguments: dict,
    *,
    require_gpu: bool,
    scans: Path | None = None,
) -> None:
    """Predict and score test cases that none of the networks has seen.

    Args:
        weights: The networks' files.
        cube_path: The cube.
        run: The run folder, which exists.
        arguments: The command line, to be recorded: the fold, if any, and `keep`.
        require_gpu: Whether to refuse to run on a CPU.
        scans: Folder in which the scans lie now, if they were moved.

    Raises:
        DataError: If the cube, its scans or a network cannot be used.
        UsageError: If the classes differ, or a network was trained or validated on a
            test case; names it.
    """
    device = find_device(require_gpu=require_gpu)
    title = RUN_TITLES[ENSEMBLE]
    print(f"{title} of {len(weights)} networks on {device}", flush=True)
    with open_cube(cube_path, arguments["fold"], arguments["folds"]) as cube:
        members = load_members(weights)
        for member in members:
            check_classes(member.path, member.metadata, cube)
            check_unseen(member.path, member.metadata, cube)
        members = settle_members(members, ("auto",), arguments["keep"])
        if arguments["fold"] is not None:
            print(describe_splits(record_splits(cube)), flush=True)
        finder = ScanFinder(cube, scans)
        check_sources(finder)
        config = {"arguments": arguments, "device": device, "untrained_classes": []}
        record_start(run, cube, config)
        test = predict_test_cases(members, finder, run)
    costs = {
        "parameters": sum(member.network.count_params() for member in members),
        "training_minutes": 0.0,
        "peak_memory_mib": 0.0,
    }
    write_results(run, title, costs, test)
    warn_of_mismatch(test)


def score_runs(
    folders: Sequence[Path],
    cube_path: Path,
    run: Path,
    *,
    scans: Path | None,
    force: bool,
) -> None:
    """Test the networks of several runs together, for compareRuns.py.

    The run folder is that of `train.py --weights FOLDERS --epochs 0`.

    Args:
        folders: Run folders, or models.
        cube_path: As of `score_ensemble`.
        run: The run folder to write.
        scans: As of `score_ensemble`.
        force: Whether to remove an earlier run in it.

    Raises:
        DataError: As of `score_ensemble`.
        UsageError: As of `score_ensemble`, or if there is only one network.
    """
    weights = find_models(folders)
    if len(weights) < 2:
        raise UsageError(
            "--ensemble needs the runs of two networks or more. Received: "
            f"{', '.join(map(str, weights))}"
        )
    arguments = {
        "cube": cube_path,
        "scans": scans,
        "model": ENSEMBLE,
        "weights": weights,
        "weights_checksum": "".join(map(checksum, weights)),
        "epochs": 0,
        "fold": None,
        "folds": None,
        "keep": None,
    }
    try:
        with Cube(cube_path), open_run_folder(run, force=force, resume=False):
            score_ensemble(
                weights, cube_path, run, arguments, require_gpu=False, scans=scans
            )
    except DataError:
        with suppress(OSError):  # the folder holds something
            run.rmdir()
        raise
