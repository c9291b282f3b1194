"""From a plan to a finished cube: make every case, gather them, write."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

from tqdm import tqdm

from cube.partial_build import Parts
from cube.plan import Plan
from cube.reader import Cube
from cube.rows import CubeSpec, PreparedCase, make_row
from cube.survey import CaseInfo
from cube.writer import MADE_WITH, CubeWriter
from system.atomic import atomic_write
from system.errors import DataError, OutputError, UsageError
from system.processes import map_cases
from system.text import format_table
from volumes.formats.files import read_finite_volume, read_label_map


@dataclass(frozen=True)
class Job:
    """One case for a worker: read it, make its rows, write them.

    Args:
        fact: What is known of the case.
        split: Its split.
        copies: How many augmented copies it gets.
        recipe: What all rows have in common.
        attributes: The cube's.
        part: Where the rows go, a cube of their own.
    """

    fact: CaseInfo
    split: str
    copies: int
    recipe: CubeSpec
    attributes: dict
    part: Path


@dataclass(frozen=True)
class BuiltCase:
    """A finished case.

    Args:
        kind: How it was normalised.
        seconds: What it took; None if an earlier run made it.
    """

    kind: str
    seconds: float | None


def _source(fact: CaseInfo) -> dict:
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


def build_case(job: Job) -> BuiltCase | DataError:
    """Read one scan and write its row and those of its copies.

    Returns:
        How it went, or why the case cannot be made.

    Raises:
        OutputError: If the rows cannot be written.
    """
    start = time.perf_counter()
    pair = job.fact.pair
    try:
        voxels = math.prod(job.fact.grid.shape)  # no more than when it was surveyed
        image = read_finite_volume(pair.image, voxels)
        label_map = read_label_map(pair.label, voxels)
        scan = PreparedCase(image.array, label_map.array, image.grid, job.recipe)
        source = {**_source(job.fact), "intensity": scan.intensity.to_dict()}
        with (
            atomic_write(job.part) as partial,
            CubeWriter(
                partial,
                shape=job.recipe.shape,
                num_rows=1 + job.copies,
                attributes=job.attributes,
            ) as cube,
        ):
            for copy in range(1 + job.copies):
                sample = make_row(
                    scan,
                    case_id=pair.case_id,
                    subject=pair.subject,
                    split=job.split,
                    source=source,
                    copy=copy,
                )
                cube.add(sample)
    except OutputError:  # the disk's fault, and so the end for all cases
        raise
    except DataError as error:
        return error
    except MemoryError as error:
        return DataError(f"Case '{pair.case_id}': the memory does not suffice. {error}")
    return BuiltCase(scan.intensity.kind, time.perf_counter() - start)


def build_cases(
    plan: Plan, parts: Parts, attributes: dict
) -> Iterator[BuiltCase | DataError]:
    """Make every case of a plan that is not finished; yield them all, in order."""
    jobs = [
        Job(fact, split, copies, plan.recipe, attributes, parts.part(number))
        for number, (fact, split, copies) in enumerate(
            zip(plan.facts, plan.splits, plan.copies, strict=True), start=1
        )
    ]
    finished = {job.part for job in jobs if parts.is_finished(job.part)}
    made = map_cases(
        build_case,
        [job for job in jobs if job.part not in finished],
        plan.workers,
        name=attrgetter("fact.pair.case_id"),
    )
    for job in jobs:
        yield _made_before(job.part) if job.part in finished else next(made)


def _made_before(part: Path) -> BuiltCase:
    with Cube(part) as cube:
        return BuiltCase(cube.sources[0]["intensity"]["kind"], None)


def _whole_before(
    output: Path, plan: Plan, request: str
) -> list[BuiltCase | DataError]:
    """Tell what is in a cube that an earlier run finished; nothing if it is another."""
    try:
        with Cube(output) as cube:
            if cube.request != request:
                return []
            made: dict[str, BuiltCase | DataError] = {
                cube.case_ids[row]: BuiltCase(
                    cube.sources[row]["intensity"]["kind"], None
                )
                for row in cube.rows(copy=0)
            }
            made.update({name: DataError(why) for name, why in cube.left_out.items()})
    except DataError:
        return []
    return [made[fact.pair.case_id] for fact in plan.facts]


def describe_request(plan: Plan, arguments: dict) -> dict:
    """Name all that decides a cube's bytes, as messages call it."""
    request = {
        f"--{name.replace('_', '-')}": value for name, value in arguments.items()
    }
    request["number of cases"] = len(plan.facts)
    for number, fact in enumerate(plan.facts, start=1):
        request[f"case {number} of the list"] = fact.pair.case_id
    request["spacing in mm"] = plan.recipe.spacing
    request["shape in voxels"] = plan.recipe.shape
    for fact, split in zip(plan.facts, plan.splits, strict=True):
        source, case = _source(fact), f"of case '{fact.pair.case_id}'"
        request[f"subject {case}"] = fact.pair.subject
        request[f"split {case}"] = split
        for kind in ("image", "label"):
            checksum = source[f"{kind}_checksum"]
            request[f"{kind} {case}"] = f"{source[kind]}, SHA-256 {checksum}"
    for name in MADE_WITH:
        request[f"version of {name}"] = importlib.metadata.version(name)
    return request


def write_cube(
    output: Path,
    plan: Plan,
    arguments: dict,
    *,
    force: bool = True,
    resume: bool = False,
    skip: bool = False,
) -> list[BuiltCase | DataError]:
    """Make every case and write the cube, renamed into place when complete.

    A case that cannot be made does not stop the rest. Until the cube is in place,
    finished cases lie in a folder beside it, where a later run finds them; see
    `cube.partial_build`.

    Args:
        output: The cube's file.
        plan: What goes into it.
        arguments: The flags that decide the content, JSON-safe.
        force: Whether a file that is there, and was made otherwise, is replaced.
        resume: Whether to go on with the cases that an earlier run finished, or
            with the whole cube.
        skip: Whether to write the cube without cases that cannot be made.

    Returns:
        How each case went, in the order of the plan.

    Raises:
        DataError: If a case cannot be made and `skip` is off, or none can.
        UsageError: If there is another cube and `force` is off, or what is there
            to be resumed was begun with another request.
        OutputError: If the disk is full or takes no files.
    """
    parts, request = Parts(output), describe_request(plan, arguments)
    attributes = {
        "spacing": plan.recipe.spacing,
        "class_names": plan.classes.names,
        "label_values": plan.classes.values,
        "intensity": plan.recipe.intensity,
        "arguments": arguments,
        "request": hashlib.sha256(json.dumps(request).encode()).hexdigest(),
    }
    if resume and not parts.count and output.exists():
        made = _whole_before(output, plan, attributes["request"])
        if made:
            parts.clear()
            return made
        if not force:
            raise UsageError(
                f"{output} must be made by the same request to be resumed. Received: "
                "another cube; --force replaces it."
            )
    with parts.keeping(request, resume=resume):
        made = []
        with tqdm(total=len(plan.facts), unit="case", disable=None) as bar:
            for case in build_cases(plan, parts, attributes):
                bar.set_description(plan.facts[len(made)].pair.case_id)
                made.append(case)
                bar.update()
        faults = {
            fact.pair.case_id: str(case)
            for fact, case in zip(plan.facts, made, strict=True)
            if isinstance(case, DataError)
        }
        if faults and (not skip or len(faults) == len(made)):
            raise DataError("\n".join(faults.values()))
        attributes["left_out"] = {**plan.left_out, **faults}
        gather(output, plan, made, parts, attributes)
    return made


def gather(
    output: Path,
    plan: Plan,
    made: Sequence[BuiltCase | DataError],
    parts: Parts,
    attributes: dict,
) -> None:
    """Copy the rows of all finished cases into the cube."""
    finished = [
        number
        for number, case in enumerate(made, start=1)
        if isinstance(case, BuiltCase)
    ]
    with (
        atomic_write(output, folder=parts.folder) as partial,
        CubeWriter(
            partial,
            shape=plan.recipe.shape,
            num_rows=sum(1 + plan.copies[number - 1] for number in finished),
            attributes=attributes,
        ) as cube,
    ):
        for number in finished:
            with Cube(parts.part(number)) as part:
                cube.add_rows(part)


def describe_cube(
    plan: Plan, output: Path, made: Sequence[BuiltCase | DataError]
) -> str:
    """Say, after the work, which cases lie in the cube and how long each took."""
    rows = []
    for fact, split, copies, case in zip(
        plan.facts, plan.splits, plan.copies, made, strict=True
    ):
        if isinstance(case, BuiltCase):
            took = "before" if case.seconds is None else f"{case.seconds:.1f}"
            about = (fact.pair.subject, split, str(copies), case.kind, took)
            rows.append((fact.pair.case_id, *about))
    heads = ("case", "subject", "split", "copies", "intensity", "seconds")
    left_out = [
        f"left out  {case}"
        for case in (*plan.left_out.values(), *made)
        if not isinstance(case, BuiltCase)
    ]
    size = f"{output}: {output.stat().st_size / 1e6:.1f} MB"
    return "\n".join([format_table(heads, rows), *left_out, size])
