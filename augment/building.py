"""From a pair list to a finished cube: survey, plan, make every case, write."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tqdm import tqdm

from augment.compose import Compose
from augment.samples import Recipe, Scan, make_sample
from volumes.atomic import replacing
from volumes.classes import Classes, choose_classes
from volumes.cube import CubeWriter, Sample
from volumes.errors import DataError, UsageError
from volumes.files import read_finite_volume, read_label_map
from volumes.limits import MAX_VOXELS
from volumes.pairs import Pair
from volumes.parallel import map_in_order, worker_pool
from volumes.planning import (
    Facts,
    Needs,
    check_duplicates,
    check_needs,
    choose_shape,
    choose_spacing,
    foresee,
    free_disk,
    spacing_for_side,
    survey,
)
from volumes.splits import assign_splits
from volumes.text import format_table


@dataclass(frozen=True)
class Plan:
    """All that is decided before the first voxel is read.

    Args:
        facts: Of every case, in the order of the pair list.
        splits: Of every case.
        copies: How many augmented copies each case gets; 0 outside training.
        recipe: What all rows have in common.
        classes: The networks' classes.
        needs: Foreseen size and memory.
        workers: Processes, as many as the memory allows.
    """

    facts: tuple[Facts, ...]
    splits: tuple[str, ...]
    copies: tuple[int, ...]
    recipe: Recipe
    classes: Classes
    needs: Needs
    workers: int

    @property
    def num_rows(self) -> int:
        """Scans and copies together."""
        return len(self.facts) + sum(self.copies)


@dataclass(frozen=True)
class Job:
    """One case for a worker: read it, make its rows."""

    fact: Facts
    split: str
    copies: int
    recipe: Recipe


def _survey_or_fault(pair: Pair, max_voxels: int) -> Facts | DataError:
    try:
        return survey(pair, max_voxels)
    except DataError as error:
        return error


def survey_cases(
    pairs: Sequence[Pair], workers: int, max_voxels: int = MAX_VOXELS
) -> tuple[Facts, ...]:
    """Look at every case before any is made, so that no hour is lost to line 40.

    Raises:
        DataError: If any case cannot be used; all are named.
    """
    # A pool of processes takes seconds to start; few cases are read sooner.
    with worker_pool(min(workers, len(pairs) // 8)) as pool:
        look = partial(_survey_or_fault, max_voxels=max_voxels)
        found = list(map_in_order(pool, look, pairs, 2 * workers))
    faults = [str(fact) for fact in found if isinstance(fact, DataError)]
    if faults:
        raise DataError("\n".join(faults))
    return tuple(found)


def plan_cube(
    facts: Sequence[Facts], args: dict, compose: Compose, output: Path
) -> Plan:
    """Decide the grid, the classes, the splits, and see that it all fits.

    Args:
        facts: Of every case.
        args: makeCube.py's flags by name.
        compose: The augmentation.
        output: Where the cube will lie.

    Raises:
        DataError: If a scan is listed twice.
        UsageError: If the flags do not fit the cases, the disk or the memory.
    """
    if not args["allow_duplicates"]:
        check_duplicates(facts)
    grids = [fact.grid for fact in facts]
    spacing = tuple(args["spacing"] or ()) or choose_spacing(grids)
    if args["side"]:
        spacing = spacing_for_side(grids, args["side"])
    shape = tuple(args["shape"] or choose_shape(grids, spacing))
    found = {value for fact in facts for value in fact.label_values}
    names = {} if args["labels"] == ["binary"] else segment_names(facts)
    classes = choose_classes(args["labels"], found, names)
    splits = assign_splits(
        [fact.pair.subject for fact in facts],
        [fact.pair.split for fact in facts],
        validation=args["validation"],
        test=args["test"],
        seed=args["seed"],
    )
    copies = tuple(args["copies"] if split == "train" else 0 for split in splits)
    needs = foresee(facts, [1 + count for count in copies], shape)
    workers = check_needs(needs, output, min(args["workers"], len(facts)))
    recipe = Recipe(
        spacing, shape, classes.lookup(), args["intensity"], compose, args["seed"]
    )
    return Plan(tuple(facts), tuple(splits), copies, recipe, classes, needs, workers)


def segment_names(facts: Sequence[Facts]) -> dict[int, str]:
    """Gather the names that label maps give to values.

    Raises:
        DataError: If two label maps name one value differently: 3D Slicer numbers
            the segments of each file on its own.
    """
    names: dict[int, tuple[str, str]] = {}
    for fact in facts:
        for value, name in fact.segment_names.items():
            case_id, other = names.setdefault(value, (fact.pair.case_id, name))
            if other != name:
                raise DataError(
                    f"Label value {value} must mean one structure. Received: '{other}' "
                    f"in case '{case_id}', '{name}' in case '{fact.pair.case_id}'. "
                    "--labels binary takes all structures as one class."
                )
    return {value: name for value, (_, name) in names.items()}


def _source(fact: Facts) -> dict:
    """Say where a row came from; paths are absolute."""
    return {
        "image": str(fact.pair.image.resolve()),
        "label": str(fact.pair.label.resolve()),
        "image_checksum": fact.image_checksum,
        "label_checksum": fact.label_checksum,
        "content_checksum": fact.content_checksum,
        "shape": list(fact.grid.shape),
        "spacing": list(fact.grid.spacing),
        "orientation": fact.grid.orientation,
        "notes": list(fact.notes),
    }


def make_case(job: Job) -> tuple[list[Sample], float]:
    """Read one scan and make its row and those of its copies.

    Returns:
        The rows, and the seconds they took.
    """
    start = time.perf_counter()
    pair = job.fact.pair
    voxels = math.prod(job.fact.grid.shape)  # no more than when it was surveyed
    image = read_finite_volume(pair.image, voxels)
    label_map = read_label_map(pair.label, voxels)
    scan = Scan(image.array, label_map.array, image.grid, job.recipe)
    source = {**_source(job.fact), "intensity": scan.intensity.to_dict()}
    rows = [
        make_sample(
            scan,
            case_id=pair.case_id,
            subject=pair.subject,
            split=job.split,
            source=source,
            copy=copy,
        )
        for copy in range(1 + job.copies)
    ]
    return rows, time.perf_counter() - start


def make_cases(plan: Plan) -> Iterator[tuple[list[Sample], float]]:
    """Make every case of a plan, in order, in as many processes as it says."""
    jobs = (
        Job(fact, split, copies, plan.recipe)
        for fact, split, copies in zip(
            plan.facts, plan.splits, plan.copies, strict=True
        )
    )
    with worker_pool(plan.workers) as pool:
        ahead = plan.workers if plan.workers > 1 else 0
        yield from map_in_order(pool, make_case, jobs, ahead)


def write_cube(output: Path, plan: Plan, arguments: dict) -> list[tuple[str, float]]:
    """Make every case and write the cube, renamed into place when complete.

    Args:
        output: The cube's file.
        plan: What goes into it.
        arguments: The flags that decide the content, JSON-safe.

    Returns:
        How each case was normalised, and the seconds it took.
    """
    attributes = {
        "spacing": plan.recipe.spacing,
        "class_names": plan.classes.names,
        "label_values": plan.classes.values,
        "intensity": plan.recipe.intensity,
        "arguments": arguments,
    }
    made = []
    with (
        replacing(output) as partial,
        CubeWriter(
            partial,
            shape=plan.recipe.shape,
            num_rows=plan.num_rows,
            attributes=attributes,
        ) as cube,
        tqdm(total=len(plan.facts), unit="case", disable=None) as bar,
    ):
        for rows, took in make_cases(plan):
            for sample in rows:
                cube.add(sample)
            made.append((rows[0].source["intensity"]["kind"], took))
            bar.set_description(rows[0].case_id)
            bar.update()
    return made


def check_output(output: Path, *, force: bool) -> None:
    """Refuse to write over an existing file unless told to.

    Raises:
        UsageError: If the file exists and `force` is off, or it is a folder.
    """
    if output.is_dir() or (output.exists() and not force):
        kind = "is a folder" if output.is_dir() else "exists; --force replaces it"
        raise UsageError(f"{output} {kind}.")


def describe_plan(plan: Plan, output: Path) -> str:
    """Say, before the work, what the cube will be and what it will take."""
    recipe = plan.recipe
    folder, free = free_disk(output)
    spacing = " x ".join(f"{value:.4g}" for value in recipe.spacing)
    shape = " x ".join(str(side) for side in recipe.shape)
    notes: dict[str, list[str]] = {}
    for fact in plan.facts:
        for note in fact.notes:
            notes.setdefault(note, []).append(fact.pair.case_id)
    lines = [
        f"grid      {shape} voxels of {spacing} mm (right, anterior, superior)",
        f"classes   {', '.join(plan.classes.names)}",
        f"rows      {len(plan.facts)} scans and {sum(plan.copies)} copies",
        f"size      {plan.needs.cube / 1e6:.0f} MB; "
        f"{free / 1e9:.1f} GB free in {folder}",
        f"memory    about {plan.needs.memory_per_worker / 1e6:.0f} MB for each of "
        f"{plan.workers} workers",
    ]
    for note, cases in notes.items():
        lines.append(f"note      {note} ({len(cases)} cases, {cases[0]} the first)")
    return "\n".join(lines)


def describe_cube(plan: Plan, output: Path, made: Sequence[tuple[str, float]]) -> str:
    """Say, after the work, which cases lie in the cube and how long each took."""
    rows = [
        (fact.pair.case_id, fact.pair.subject, split, str(copies), kind, f"{took:.1f}")
        for fact, split, copies, (kind, took) in zip(
            plan.facts, plan.splits, plan.copies, made, strict=True
        )
    ]
    table = format_table(
        ("case", "subject", "split", "copies", "intensity", "seconds"), rows
    )
    return f"{table}\n{output}: {output.stat().st_size / 1e6:.1f} MB"
