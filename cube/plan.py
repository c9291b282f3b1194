"""Deciding what a cube will hold: grid, classes, splits, copies and workers."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

from augment.compose import Compose
from cube.class_choice import check_classes, choose_classes
from cube.class_report import describe_classes
from cube.class_table import describe_unusual, format_classes, measure_cases
from cube.class_words import take_ignored
from cube.flags import list_origin
from cube.grid import (
    check_copies,
    check_spacing,
    choose_shape,
    choose_spacing,
    describe_grid,
    plan_extents,
    spacing_for_side,
)
from cube.intensities import describe_rule, settle_rule
from cube.mirroring import settle_mirroring
from cube.partial_build import PartialBuild
from cube.persons import check_persons
from cube.places import stored_paths
from cube.resources import (
    ResourceEstimate,
    check_filled,
    check_resources,
    estimate_resources,
    free_disk,
)
from cube.rows import CubeSpec
from cube.schema import MAX_ROWS, version_for
from cube.splits import assign_splits
from cube.survey import CaseInfo, check_duplicates
from cube.writer import MADE_WITH
from system.errors import UsageError
from system.text import count_of, format_bytes, shorten
from volumes.classes import Classes, Member, find_members


@dataclass(frozen=True)
class Plan:
    """Everything that is decided before the first row is made.

    Args:
        cases: Every case, in the order of the pair list.
        splits: Split of each case.
        copies: Number of augmented copies of each case; 0 outside training.
        spec: What all rows have in common.
        classes: The networks' classes.
        estimate: Size of the cube, and the memory that building it takes.
        workers: Number of processes, limited by the memory.
        intensity_reason: Why the scans are normalised as `spec.intensity` says.
        person_notes: On cases that were taken for different persons.
        flip: Probability of mirroring; None where classes of one side forbid it.
        flip_notes: Which classes these are.
        grid_notes: On cases that make the grid larger than most need.
        left_out: Why cases of the pair list were left out, by case id.
        origin: The pair list, and flags that let the cube be built; see `list_origin`.
    """

    cases: tuple[CaseInfo, ...]
    splits: tuple[str, ...]
    copies: tuple[int, ...]
    spec: CubeSpec
    classes: Classes
    estimate: ResourceEstimate
    workers: int
    intensity_reason: str = "by --intensity"
    person_notes: tuple[str, ...] = ()
    flip: float | None = None
    flip_notes: tuple[str, ...] = ()
    grid_notes: tuple[str, ...] = ()
    left_out: dict[str, str] = field(default_factory=dict)
    origin: dict[str, str | bool | float] = field(default_factory=dict)

    @property
    def num_rows(self) -> int:
        """Number of scans and copies together."""
        return len(self.cases) + sum(self.copies)

    @property
    def settled(self) -> dict[str, float | None]:
        """Flags whose default the classes may change, by name."""
        return {"flip": self.flip}

    @property
    def ignored(self) -> tuple[Member, ...]:
        """What the cube ignores; nothing if it occurs in no scan."""
        ignored = self.classes.ignored
        found = [find_members(ignored, c.label_values, c.names) for c in self.cases]
        return ignored if any(found) else ()


def plan_cube(
    cases: Sequence[CaseInfo],
    args: dict,
    compose: Compose,
    output: Path,
    left_out: dict[str, str] | None = None,
    *,
    classes: Classes | None = None,
    worker_memory: int | None = None,
) -> Plan:
    """Choose grid, classes and splits, and check that the cube can be built.

    Args:
        cases: Every case.
        args: Flags of makeCube.py by name.
        compose: The augmentation.
        output: The cube's file.
        left_out: Why cases of the pair list were left out, by case id.
        classes: Those of a model, instead of those of --labels.
        worker_memory: Bytes of each worker; None if they share this computer's.

    Raises:
        DataError: If a scan is listed twice, or a person has two subjects.
        UsageError: If the flags do not fit the cases, the disk or the memory.
    """
    person_notes = _check_distinct(cases, args)
    spacing, shape = _choose_grid(cases, args)
    classes = _choose_classes(cases, args, classes)
    intensity, reason = settle_rule(cases, args["intensity"])
    splits = _choose_splits(cases, args)
    copies = _choose_copies(splits, args["copies"])
    flip, flip_notes = settle_mirroring(classes, cases, args)
    compose = compose if flip else compose.without("flip")
    spec = CubeSpec(spacing, shape, intensity, compose, args["seed"])
    extents = plan_extents(cases, copies, spec)
    check_copies(cases, copies, extents)
    estimate = estimate_resources(cases, extents, shape)
    check_filled(shape, estimate.cube)
    wanted, finished = min(args["workers"], len(cases)), PartialBuild(output).size
    workers = check_resources(estimate, output, wanted, finished, worker_memory)
    return Plan(
        cases=tuple(cases),
        splits=splits,
        copies=copies,
        spec=spec,
        classes=classes,
        estimate=estimate,
        workers=workers,
        intensity_reason=reason,
        person_notes=person_notes,
        flip=flip,
        flip_notes=flip_notes,
        grid_notes=() if args["shape"] else tuple(describe_grid(cases, copies, spec)),
        left_out=left_out or {},
        origin=list_origin(args),
    )


def _check_distinct(cases: Sequence[CaseInfo], args: dict) -> tuple[str, ...]:
    """Check that no scan and no person is listed as two; return notes on persons."""
    if not args["allow_duplicates"]:
        check_duplicates(cases)
    return tuple(check_persons(cases, allow=args["allow_same_person"]))


def _choose_splits(cases: Sequence[CaseInfo], args: dict) -> tuple[str, ...]:
    """Return the split of each case, from the pair list or drawn."""
    splits = assign_splits(
        [case.pair.subject for case in cases],
        [case.pair.split for case in cases],
        validation=args["validation"],
        test=args["test"],
        seed=args["seed"],
    )
    return tuple(splits)


def _choose_copies(splits: Sequence[str], count: int) -> tuple[int, ...]:
    """Return the number of copies of each case; check that a cube holds them all."""
    copies = tuple(count if split == "train" else 0 for split in splits)
    if len(splits) + sum(copies) > MAX_ROWS:
        raise UsageError(
            f"A cube must have at most {MAX_ROWS} rows. Received: {len(splits)} scans "
            f"and {sum(copies)} copies; use a smaller --copies"
        )
    return copies


def _choose_classes(
    cases: Sequence[CaseInfo], args: dict, classes: Classes | None
) -> Classes:
    """Return the classes that --labels states, or those of a model."""
    if classes is None:
        return choose_classes(args["labels"], cases)
    _, ignored = take_ignored(args["labels"] or ())
    classes = replace(classes, ignored=ignored)
    check_classes(classes, cases)
    return classes


def _choose_grid(cases: Sequence[CaseInfo], args: dict) -> tuple[tuple, tuple]:
    """Return the spacing in mm and the shape of the cube, from flags or from scans."""
    grids = [case.grid for case in cases]
    spacing = tuple(args["spacing"] or ()) or choose_spacing(grids)
    if args["side"]:
        spacing = spacing_for_side(grids, args["side"])
    check_spacing(spacing, args["shape"] or (1, 1, 1), cases)
    return spacing, tuple(args["shape"] or choose_shape(grids, spacing))


def describe_plan(plan: Plan, output: Path) -> str:
    """Describe, before the work, what the cube will hold and what it will take."""
    folder, free = free_disk(output)
    spacing = " x ".join(f"{value:.4g}" for value in plan.spec.spacing)
    shape = " x ".join(str(side) for side in plan.spec.shape)
    notes: dict[str, list[str]] = {}
    for case in plan.cases:
        for note in case.notes:
            notes.setdefault(note, []).append(case.pair.case_id)
    lines = [
        f"grid      {shape} voxels of {spacing} mm (right, anterior, superior)",
        f"classes   {shorten(', '.join(plan.classes.names))}",
        f"rows      {count_of(len(plan.cases), 'scan')} and "
        f"{count_of(sum(plan.copies), 'copy', 'copies')}",
        f"size      {format_bytes(plan.estimate.cube)}; {format_bytes(free)} free in "
        f"{folder}",
        f"memory    about {format_bytes(plan.estimate.memory_per_worker)} for each of "
        f"{count_of(plan.workers, 'worker')}",
    ]
    lines += describe_rule(plan.cases, plan.spec.intensity, plan.intensity_reason)
    classes = describe_classes(plan.classes, plan.cases, plan.splits)
    volumes = measure_cases(plan.classes, plan.cases, plan.splits)
    unusual = describe_unusual(plan.classes.names, volumes)
    lists = (plan.grid_notes, classes, plan.flip_notes, plan.person_notes, unusual)
    for line in chain.from_iterable(lists):
        lines.append(f"note      {line}")
    for note, case_ids in notes.items():
        lines.append(f"note      {note} ({_count_cases(case_ids)})")
    table = format_classes(plan.classes.names, volumes)
    return "\n".join([*lines, "", table, ""])


def _count_cases(case_ids: Sequence[str]) -> str:
    """Return the name of one case, or how many there are and the first."""
    if len(case_ids) == 1:
        return f"case {case_ids[0]}"
    return f"{len(case_ids)} cases, first {case_ids[0]}"


def list_inputs(plan: Plan, arguments: dict, folder: Path) -> dict:
    """List everything that decides a cube's bytes, by the names that messages use.

    Args:
        plan: What the cube will hold.
        arguments: The flags that decide its content, JSON-safe.
        folder: The cube's, from which the paths of the scans lead.
    """
    inputs = {f"--{name.replace('_', '-')}": value for name, value in arguments.items()}
    inputs["format version of the cube"] = version_for(plan.ignored)
    inputs["classes"] = plan.classes.names
    if plan.ignored:
        inputs["structures that are ignored"] = plan.ignored
    inputs["structures of the classes"] = plan.classes.members
    inputs["number of cases"] = len(plan.cases)
    for number, case in enumerate(plan.cases, start=1):
        inputs[f"case {number} of the list"] = case.pair.case_id
    inputs["spacing in mm"] = plan.spec.spacing
    inputs["shape in voxels"] = plan.spec.shape
    for case, split in zip(plan.cases, plan.splits, strict=True):
        source, of_case = case.source, f"of case '{case.pair.case_id}'"
        paths = stored_paths(case.pair, folder)
        inputs[f"subject {of_case}"] = case.pair.subject
        inputs[f"split {of_case}"] = split
        for kind in ("image", "label"):
            checksum = source[f"{kind}_checksum"]
            inputs[f"{kind} {of_case}"] = f"{paths[kind]}, SHA-256 {checksum}"
        values = plan.classes.values_in(case.label_values, case.names)
        inputs[f"label values {of_case}"] = values
    for name in MADE_WITH:
        inputs[f"version of {name}"] = importlib.metadata.version(name)
    return inputs
