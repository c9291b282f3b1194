"""One network's run: train, test, score, and write the run folder."""

from __future__ import annotations

from pathlib import Path

from cube.class_report import (
    describe_ignored,
    describe_untrained,
    untrained_classes,
)
from cube.folds import describe_splits, open_cube, record_splits
from cube.mirroring import find_mirrored
from cube.places import ScanFinder
from cube.reader import Cube
from evaluation.curves import draw_curves
from evaluation.mismatch import describe_mismatch
from evaluation.provenance import current_commit, package_versions
from evaluation.score_file import write_scores
from evaluation.tables import format_summary, summarise
from models.device import find_device, peak_memory_mib
from models.ensemble import Member
from models.epoch_lines import describe_few_epochs
from models.keeping import settle_keep, store_keep
from models.metadata import ModelMetadata
from models.model_file import read_metadata
from models.options import TrainingOptions
from models.process_group import ProcessGroup
from models.setup import prepare_network
from models.train_run import MODEL_NAME, TrainingResult, check_resumable, fit
from models.unet import describe_blocks, describe_network
from runs.architecture import draw_architecture
from runs.device_choice import RECORD, settle_device
from runs.folder import (
    EARLIER_INSTANCES_NAME,
    RUN_CONFIG_NAME,
    SUMMARY_NAME,
    TITLES,
    write_json,
)
from runs.outcome import shorten_warnings
from runs.progress_pictures import ProgressPictures
from runs.report import report_run
from runs.testing import EvaluationResult, check_sources, predict_test_cases
from system.atomic import atomic_text
from system.group_place import ALONE, find_place
from system.text import shorten
from volumes.intensity_flag import describe_intensity


def run_network(
    options: TrainingOptions,
    cube_path: Path,
    run: Path,
    arguments: dict,
    *,
    require_gpu: bool,
    scans: Path | None = None,
) -> None:
    """Train a network on a cube, predict and score the cube's test cases.

    Args:
        options: The network, and how to train it.
        cube_path: The cube.
        run: The run folder, which exists.
        arguments: The command line, to be recorded.
        require_gpu: Whether to refuse to run on a CPU.
        scans: Folder in which the scans lie now, if they were moved.

    Raises:
        DataError: If the cube, its scans or the options cannot be used.
    """
    title = TITLES[options.model]
    place = ALONE if options.epochs == 0 else find_place()
    device = find_device(require_gpu=require_gpu)
    several = f"{place.size} processes, each on " if place.size > 1 else ""
    print(f"{title} on {several}{device}", flush=True)
    group = ProcessGroup(place)
    with open_cube(cube_path, options.fold, options.folds) as cube:
        print(f"intensity: {describe_intensity(cube.intensity)}", flush=True)
        if options.fold is not None:
            print(describe_splits(record_splits(cube)), flush=True)
        options, chosen = settle_device(options, cube, run, processes=group.size)
        network, metadata = prepare_network(options, cube)
        # A network that is only tested has learned from other scans.
        untrained = untrained_classes(cube) if options.epochs != 0 else {}
        for sentence in (*describe_ignored(cube), *describe_untrained(untrained)):
            print(f"Note: {sentence}.", flush=True)
        warn_of_mirroring(options, cube)
        finder = ScanFinder(cube, scans)
        check_sources(finder)
        check_resumable(options, metadata, run)
        config = {"arguments": arguments, "device": device, RECORD: chosen}
        if group.rank == 0:
            record_start(run, cube, config | {"untrained_classes": list(untrained)})
        pictures = ProgressPictures(run, title, cube, network, metadata)
        training = fit(options, cube, run, network, metadata, group, pictures.draw)
        if group.rank == 0:
            test_network(options, finder, run, training, metadata)
    group.meet()


def test_network(
    options: TrainingOptions,
    finder: ScanFinder,
    run: Path,
    training: TrainingResult,
    metadata: ModelMetadata,
) -> None:
    """Predict and score the test cases of a trained network; write the results.

    Args:
        options: How it was trained.
        finder: Knows the cube, and where its scans lie now.
        run: The run folder.
        training: The network and what its training took.
        metadata: What it is trained for.
    """
    title = TITLES[options.model]
    metadata = settle_keep(options, finder.cube, training.network, metadata)
    # A resumed run without a better epoch has left the file of the earlier one.
    if metadata.keep != read_metadata(run / MODEL_NAME).keep:
        store_keep(run / MODEL_NAME, training.network, metadata)
    blocks = describe_blocks(training.network, metadata.patch_size)
    caption = describe_network(training.network)
    draw_architecture(blocks, title, caption, run / "architecture.png")
    if training.history:
        draw_curves({title: training.history}, run / "curves.png")
    member = Member(run / MODEL_NAME, training.network, metadata)
    test = predict_test_cases([member], finder, run)
    costs = {
        "parameters": training.network.count_params(),
        "training_minutes": training.minutes,
        "peak_memory_mib": training.peak_mib,
    }
    few = describe_few_epochs(len(training.history), options)
    if few and training.history:
        print(f"Note: {few}.", flush=True)
    write_results(run, title, costs, test)
    if options.epochs == 0:
        warn_of_mismatch(test)


def record_start(run: Path, cube: Cube, config: dict) -> None:
    """Write `config.json`, completed by what is known of all runs, and `splits.json`.

    Args:
        run: The run folder.
        cube: With its own splits or those of a fold.
        config: Arguments, device and untrained classes of the run.
    """
    common = {
        "versions": package_versions(),
        "commit": current_commit(),
        "cube_arguments": cube.arguments,
        "cube_origin": cube.origin,
        "cube_checksum": cube.checksum,
        "cube_checksum_with_places": cube.checksum_with_places,
    }
    write_json(run / RUN_CONFIG_NAME, config | common)
    write_json(run / "splits.json", record_splits(cube))


def warn_of_mirroring(options: TrainingOptions, cube: Cube) -> None:
    """Print which classes of one side --augment online mirrors, if any."""
    is_online = options.augment == "online" and options.epochs != 0
    mirrored = find_mirrored(cube) if is_online else ()
    if mirrored:
        print(
            "Warning: --augment online mirrors left and right as the cube says, though "
            f"these classes name one side: {shorten(', '.join(mirrored))}; build it "
            "again with --flip none.",
            flush=True,
        )


def warn_of_mismatch(test: EvaluationResult) -> None:
    """Print in which classes a network from elsewhere predicts another structure."""
    for sentence in describe_mismatch(test.scores):
        print(f"Warning: {sentence}.", flush=True)


def write_results(run: Path, title: str, costs: dict, test: EvaluationResult) -> None:
    """Write scores, summaries and `report.html`; print warnings and the verdict.

    Args:
        run: The run folder.
        title: What was tested.
        costs: Parameters, minutes and peak memory of the training.
        test: The scores and costs of the test.
    """
    write_scores(run / "scores.csv", test.scores, test.instances)
    (run / EARLIER_INSTANCES_NAME).unlink(missing_ok=True)  # of a resumed run
    summary = summarise(test.scores, instances=test.instances)
    costs = costs | {
        "seconds_per_scan": test.seconds_per_scan,
        "peak_memory_mib": max(peak_memory_mib(), costs["peak_memory_mib"]),
    }
    written = {"scores": summary, "costs": costs, "warnings": list(test.warnings)}
    write_json(run / "summary.json", written)
    if test.scores:
        page = f"# {title}\n\n{format_summary(summary, markdown=True)}\n"
        if test.warnings:
            page += "\n## Warnings\n\n"
            page += "".join(f"- {warning}.\n" for warning in test.warnings)
            print(shorten_warnings(test.warnings, run / SUMMARY_NAME), flush=True)
        with atomic_text(run / SUMMARY_NAME) as stream:
            stream.write(page)
    print(report_run(run, title, summary if test.scores else {}), flush=True)
