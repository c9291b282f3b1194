"""Building a planned cube: each case in a file of its own, then all in one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from operator import attrgetter
from pathlib import Path

from tqdm import tqdm

from cube.case_build import BuiltCase, Job, build_case
from cube.class_choice import prediction_values
from cube.partial_build import PartialBuild
from cube.plan import Plan, list_inputs
from cube.reader import Cube
from cube.writer import CubeWriter
from system.atomic import atomic_write
from system.errors import DataError, UsageError
from system.processes import map_cases
from system.text import format_table
from volumes.classes import find_members


def write_cube(
    output: Path,
    plan: Plan,
    arguments: dict,
    *,
    force: bool = True,
    resume: bool = False,
    skip: bool = False,
    map_cases: Callable[..., Iterator] = map_cases,
) -> list[BuiltCase | DataError]:
    """Build every case and write the cube, renamed into place when complete.

    A case that cannot be built does not stop the others. Until the cube is in place,
    finished cases lie in a folder beside it, where a later run finds them; see
    `cube.partial_build`.

    Args:
        output: The cube's file.
        plan: What goes into it.
        arguments: The flags that decide the content, JSON-safe.
        force: Whether to replace an existing file that has other inputs.
        resume: Whether to keep a complete cube, or the finished cases of a build.
        skip: Whether to write the cube without the cases that cannot be built.
        map_cases: Where the cases are built; see `system.processes.Engine`.

    Returns:
        How each case went, in the order of the plan.

    Raises:
        DataError: If a case cannot be built and `skip` is off, if none can, or if a
            worker is killed.
        UsageError: If there is another cube and `force` is off, or the cases to be
            resumed have other inputs.
        OutputError: If the disk is full or cannot be written to.
    """
    partial_build = PartialBuild(output)
    folder = output.parent.resolve()
    inputs = list_inputs(plan, arguments, folder)
    attributes = _cube_attributes(plan, arguments, inputs) | {"built_in": str(folder)}
    if resume and not partial_build.count and output.exists():
        results = _keep_complete(output, plan, attributes, force=force)
        if results:
            _check_errors(plan, results, skip=skip)
            partial_build.clear()
            return results
    with partial_build.locked(inputs, resume=resume):
        building = build_cases(plan, partial_build, attributes, map_cases)
        results = list(tqdm(building, total=len(plan.cases), unit="case", disable=None))
        attributes["left_out"] = plan.left_out | _check_errors(plan, results, skip=skip)
        gather(output, plan, results, partial_build, attributes)
    return results


def _keep_complete(
    output: Path, plan: Plan, attributes: dict, *, force: bool
) -> list[BuiltCase | DataError]:
    """Return the results of a complete cube; none if it is to be replaced."""
    results = _read_results(output, plan, attributes["request"])
    if not results and not force:
        raise UsageError(_describe_other(output, attributes["arguments"]))
    return results


def _describe_other(output: Path, arguments: dict) -> str:
    """Return why a file is not kept: the first flag that differs, if one does."""
    try:
        with Cube(output) as cube:
            before = cube.arguments
    except DataError:  # no cube, or of an unknown version
        before = {}
    for name, now in json.loads(json.dumps(arguments)).items():
        if name in before and before[name] != now:
            return (
                f"{output} can only be resumed with the same "
                f"--{name.replace('_', '-')}. Received: {now}, but the cube was built "
                f"with {before[name]}. --force replaces it."
            )
    return (
        f"{output} can only be resumed with the inputs it was built from. Received: "
        "another cube; --force replaces it."
    )


def _check_errors(
    plan: Plan, results: Sequence[BuiltCase | DataError], *, skip: bool
) -> dict[str, str]:
    """Return why cases cannot be built, by case id, if the cube can do without."""
    errors = {
        case.pair.case_id: str(result)
        for case, result in zip(plan.cases, results, strict=True)
        if isinstance(result, DataError)
    }
    if errors and (not skip or len(errors) == len(results)):
        raise DataError("\n".join(errors.values()))
    return errors


def _cube_attributes(plan: Plan, arguments: dict, inputs: dict) -> dict:
    ignored = {"ignored": plan.ignored} if plan.ignored else {}
    return {
        **ignored,
        "spacing": plan.spec.spacing,
        "class_names": plan.classes.names,
        "class_members": plan.classes.members,
        "label_values": prediction_values(plan.classes, plan.cases),
        "intensity": plan.spec.intensity,
        "arguments": arguments,
        "grid_notes": plan.grid_notes,
        "origin": plan.origin,
        "request": hashlib.sha256(json.dumps(inputs).encode()).hexdigest(),
    }


def _read_results(
    output: Path, plan: Plan, inputs_digest: str
) -> list[BuiltCase | DataError]:
    """Return the results of a complete cube; none if it has other inputs."""
    try:
        with Cube(output) as cube:
            if cube.inputs_digest != inputs_digest:
                return []
            results: dict[str, BuiltCase | DataError] = {
                cube.case_ids[row]: _result_of(cube, row) for row in cube.rows(copy=0)
            }
            for case_id, reason in cube.left_out.items():
                results[case_id] = DataError(reason)
    except DataError:
        return []
    return [results[case.pair.case_id] for case in plan.cases]


def _result_of(cube: Cube, row: int) -> BuiltCase:
    return BuiltCase(cube.sources[row]["intensity"]["kind"], seconds=None)


def build_cases(
    plan: Plan,
    partial_build: PartialBuild,
    attributes: dict,
    map_cases: Callable[..., Iterator],
) -> Iterator[BuiltCase | DataError]:
    """Build the cases of a plan that are not finished; yield all, in order."""
    jobs = _list_jobs(plan, partial_build, attributes)
    finished = {}
    for job in jobs:
        with suppress(DataError), Cube(job.path, is_part=True) as cube:
            if cube.inputs_digest == attributes["request"]:
                finished[job.path] = _result_of(cube, 0)
    built = map_cases(
        build_case,
        [job for job in jobs if job.path not in finished],
        plan.workers,
        name=attrgetter("case.pair.case_id"),
    )
    for job in jobs:
        yield finished[job.path] if job.path in finished else next(built)


def _list_jobs(plan: Plan, partial_build: PartialBuild, attributes: dict) -> list[Job]:
    cases = zip(plan.cases, plan.splits, plan.copies, strict=True)
    return [
        Job(
            case,
            split,
            copies,
            plan.spec,
            plan.classes.values_in(case.label_values, case.names),
            find_members(plan.classes.ignored, case.label_values, case.names),
            attributes,
            partial_build.case_path(number),
        )
        for number, (case, split, copies) in enumerate(cases, start=1)
    ]


def gather(
    output: Path,
    plan: Plan,
    results: Sequence[BuiltCase | DataError],
    partial_build: PartialBuild,
    attributes: dict,
) -> None:
    """Copy the rows of all finished cases into the cube.

    Raises:
        DataError: If one is not there, or from another build: a worker of a cluster
            may still have been building it when a new build began.
    """
    finished = [
        number
        for number, result in enumerate(results, start=1)
        if isinstance(result, BuiltCase)
    ]
    partial_build.check_holds(finished)
    with (
        atomic_write(output, folder=partial_build.folder) as partial,
        CubeWriter(
            partial,
            shape=plan.spec.shape,
            num_rows=sum(1 + plan.copies[number - 1] for number in finished),
            attributes=attributes,
        ) as cube,
    ):
        for number in finished:
            with Cube(partial_build.case_path(number), is_part=True) as case:
                if case.inputs_digest != attributes["request"]:
                    raise DataError(
                        f"{case.path} must be of this build. Received: a case of "
                        "another; --resume builds it again."
                    )
                cube.add_rows(case)


def describe_cube(
    plan: Plan, output: Path, results: Sequence[BuiltCase | DataError]
) -> str:
    """Describe, after the work, the cases of the cube and how long each took."""
    rows = []
    left_out = list(plan.left_out.values())
    for case, split, copies, result in zip(
        plan.cases, plan.splits, plan.copies, results, strict=True
    ):
        if isinstance(result, DataError):
            left_out.append(str(result))
            continue
        pair = case.pair
        took = "before" if result.seconds is None else f"{result.seconds:.1f}"
        rows.append((pair.case_id, pair.subject, split, str(copies), result.kind, took))
    heads = ("case", "subject", "split", "copies", "intensity", "seconds")
    lines = [format_table(heads, rows)]
    lines += [f"left out  {reason}" for reason in left_out]
    lines.append(f"{output}: {output.stat().st_size / 1e6:.1f} MB")
    return "\n".join(lines)
