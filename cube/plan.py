"""Before and after a cube is made: survey the cases, plan, say what is in it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from augment.compose import Compose
from cube.pairs import Pair
from cube.partial_build import Parts
from cube.resources import (
    ResourceEstimate,
    check_resources,
    estimate_resources,
    free_disk,
)
from cube.rows import CubeSpec
from cube.splits import assign_splits
from cube.survey import CaseInfo, check_duplicates
from system.atomic import require_folder
from system.errors import DataError, UsageError
from system.limits import MAX_LENGTH, SPACING_RANGE
from system.text import format_bytes
from volumes.classes import Classes, choose_classes
from volumes.geometry import (
    Grid,
    canonical_grid,
    canonical_spacing,
)
from volumes.pooling import pooling_sizes

MOST_COARSER = 1000  # times; the blur before it takes as many voxels


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
        left_out: Why cases of the list are not in it, by case.
    """

    facts: tuple[CaseInfo, ...]
    splits: tuple[str, ...]
    copies: tuple[int, ...]
    recipe: CubeSpec
    classes: Classes
    needs: ResourceEstimate
    workers: int
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def num_rows(self) -> int:
        """Scans and copies together."""
        return len(self.facts) + sum(self.copies)


def check_spacing(
    spacing: Sequence[float], shape: Sequence[int], facts: Sequence[CaseInfo]
) -> None:
    """See that a grid of this spacing can be, and is not far coarser than a scan.

    Raises:
        UsageError: If it is not.
    """
    low, high = SPACING_RANGE
    if not low <= min(spacing) <= max(spacing) <= high or (
        max(side * count for side, count in zip(spacing, shape, strict=True))
        > MAX_LENGTH
    ):
        raise UsageError(
            f"The voxels of a cube must measure {low:g} to {high:g} mm, and its grid "
            f"{MAX_LENGTH:g} mm at most. Received: {spacing} mm, {shape} voxels"
        )
    for fact in facts:
        finest = min(fact.grid.spacing)
        if max(spacing) > MOST_COARSER * finest:
            raise UsageError(
                f"A cube's voxels must be at most {MOST_COARSER} times coarser than a "
                f"scan's. Received: {max(spacing):g} mm, and {finest:g} mm of case "
                f"'{fact.pair.case_id}'"
            )


def check_inputs(output: Path, pair_list: Path, pairs: Sequence[Pair]) -> None:
    """See that the cube does not take the place of what it is made from.

    Raises:
        UsageError: If it would.
    """
    inputs = [pair_list, *(path for pair in pairs for path in (pair.image, pair.label))]
    if os.path.realpath(output) in map(os.path.realpath, inputs):
        raise UsageError(f"{output} is what the cube is made from. Name another file.")


def plan_cube(
    facts: Sequence[CaseInfo],
    args: dict,
    compose: Compose,
    output: Path,
    left_out: dict[str, str] | None = None,
) -> Plan:
    """Decide the grid, the classes, the splits, and see that it all fits.

    Args:
        facts: Of every case.
        args: makeCube.py's flags by name.
        compose: The augmentation.
        output: Where the cube will lie.
        left_out: Why cases of the list are not among them, by case.

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
    check_spacing(spacing, args["shape"] or (1, 1, 1), facts)
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
    needs = estimate_resources(facts, [1 + count for count in copies], shape)
    workers = check_resources(
        *(needs, output, min(args["workers"], len(facts))), Parts(output).size
    )
    recipe = CubeSpec(
        spacing, shape, classes.lookup(), args["intensity"], compose, args["seed"]
    )
    return Plan(
        *(tuple(facts), tuple(splits), copies, recipe, classes, needs, workers),
        left_out or {},
    )


def segment_names(facts: Sequence[CaseInfo]) -> dict[int, str]:
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


def check_output(output: Path, *, force: bool, resume: bool) -> None:
    """Refuse to write where nothing can be written, or over what is there.

    Raises:
        UsageError: If it is a folder or its folder takes no files; or if the file
            exists, or finished cases of a build that was cut short lie beside it,
            and neither `force` nor `resume` is on.
    """
    parts = Parts(output)
    if os.path.isdir(output):
        raise UsageError(f"{output} is a folder.")
    require_folder(output.parent)
    if parts.count and not (force or resume):
        raise UsageError(
            f"{parts.folder} holds what a build that was cut short had finished "
            f"({parts.count} cases): --resume goes on with it, --force begins anew."
        )
    if os.path.exists(output) and not (force or resume):
        raise UsageError(f"{output} exists; --force replaces it.")


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
        f"size      {format_bytes(plan.needs.cube)}; {format_bytes(free)} free in "
        f"{folder}",
        f"memory    about {format_bytes(plan.needs.memory_per_worker)} for each of "
        f"{plan.workers} workers",
    ]
    for note, cases in notes.items():
        lines.append(f"note      {note} ({len(cases)} cases, {cases[0]} the first)")
    return "\n".join(lines)


def choose_spacing(grids: Sequence[Grid]) -> tuple[float, float, float]:
    """Take the median spacing of the scans, and the finest two axes as equal.

    Returns:
        Spacing in mm along right, anterior, superior; the finest two are both
        the smaller of their medians.
    """
    median = np.median([canonical_spacing(grid) for grid in grids], axis=0)
    order = np.argsort(median, kind="stable")
    median[order[1]] = median[order[0]]
    return tuple(float(f"{value:.4g}") for value in median)


def spacing_for_side(grids: Sequence[Grid], side: int) -> tuple[float, float, float]:
    """Choose one isotropic spacing so that the longest scan fits `side` voxels."""
    longest = max(max(np.array(grid.shape) * np.array(grid.spacing)) for grid in grids)
    return (float(longest / side),) * 3


def choose_shape(
    grids: Sequence[Grid], spacing: Sequence[float], depth: int = 4
) -> tuple[int, int, int]:
    """Take what the largest scan needs, rounded up to what the networks halve.

    Returns:
        Sides in voxels, each a multiple of the product of its axis' poolings:
        16, or less along thick slices.
    """
    need = np.max([canonical_grid(grid, spacing).shape for grid in grids], axis=0)
    multiple = np.prod(pooling_sizes(spacing, depth), axis=0)
    return tuple((-(-need // multiple) * multiple).tolist())
