"""Testing several trained networks together on a cube's test cases."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cube.folds import describe_splits, open_cube, record_splits
from cube.places import ScanFinder
from evaluation.provenance import current_commit, package_versions
from models.device import find_device
from models.ensemble import load_members, settle_members
from models.transfer import check_classes, check_unseen
from runs.folder import ENSEMBLE, RUN_CONFIG_NAME, RUN_TITLES, write_json
from runs.testing import check_sources, predict_test_cases
from runs.train_and_test import write_results


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
        splits = record_splits(cube)
        if arguments["fold"] is not None:
            print(describe_splits(splits), flush=True)
        finder = ScanFinder(cube, scans)
        check_sources(finder)
        config = {
            "arguments": arguments,
            "device": device,
            "versions": package_versions(),
            "commit": current_commit(),
            "untrained_classes": [],
            "cube_checksum": cube.checksum,
            "cube_checksum_with_places": cube.checksum_with_places,
        }
        write_json(run / RUN_CONFIG_NAME, config)
        write_json(run / "splits.json", splits)
        test = predict_test_cases(members, finder, run)
    costs = {
        "parameters": sum(member.network.count_params() for member in members),
        "training_minutes": 0.0,
        "peak_memory_mib": 0.0,
    }
    write_results(run, title, costs, test)
