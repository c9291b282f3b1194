"""Resample scans and label maps, with augmented copies, into one HDF5 cube.

Example:
    python makeCube.py pairs.txt --output cube.h5 --spacing 2 --copies 4
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cube.flags import CONTENT_FLAGS, build_parser, check_args
from system.errors import UsageError
from system.shell import script

if TYPE_CHECKING:
    from augment.compose import Compose
    from cube.pairs import Pair
    from system.processes import Engine
    from volumes.classes import Classes, Member


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse and check the command line."""
    parser = build_parser(__doc__)
    args = parser.parse_args(argv)
    check_args(parser, args)
    return args


def build_augmentation(args: dict) -> Compose:
    """Build the chain of transforms.

    Raises:
        UsageError: If a transform does not accept its value.
    """
    from augment.compose import compose_of

    try:
        return compose_of(args)
    except ValueError as error:
        raise UsageError(str(error)) from error


def read_classes(model: Path | None) -> Classes | None:
    """Return the classes of a model; None without one."""
    if model is None:
        return None
    from runs.model_paths import find_models

    found = find_models([model])[0]  # before Keras, which takes seconds to start
    from models.model_file import read_metadata

    return read_metadata(found).classes


@script
def main(argv: Sequence[str] | None = None) -> int:
    """Survey every case, plan the cube, build it and print a summary."""
    args = vars(parse_args(argv))
    # Imported late, so that --help and usage errors are immediate.
    from cube.class_words import read_ignored
    from cube.output_file import check_inputs, check_output
    from cube.pairs import list_notes, read_pairs
    from cube.writer import MADE_WITH
    from system.cluster import open_engine
    from system.compiled import announce_compiling

    announce_compiling()
    if args["scheduler"]:  # whose workers have other working directories
        args["output"] = args["output"].absolute()
        args["pairs"] = args["pairs"].absolute()
    check_output(args["output"], force=args["force"], resume=args["resume"])
    compose = build_augmentation(args)
    ignored = read_ignored(args["labels"], has_model=args["labels_from"] is not None)
    classes = read_classes(args["labels_from"])
    pairs = read_pairs(args["pairs"], may_be_missing=args["on_error"] == "skip")
    for note in list_notes(pairs):
        print(f"note: {args['pairs']}: {note}", file=sys.stderr)
    check_inputs(args["output"], args["pairs"], pairs)
    with open_engine(args["scheduler"], args["workers"], MADE_WITH) as engine:
        return build_cube(pairs, args, compose, classes, ignored, engine)


def build_cube(
    pairs: Sequence[Pair],
    args: dict,
    compose: Compose,
    classes: Classes | None,
    ignored: Sequence[Member],
    engine: Engine,
) -> int:
    """Survey every case, plan the cube, build it and print a summary."""
    from cube.build import describe_cube, write_cube
    from cube.plan import describe_plan, plan_cube
    from cube.survey import survey_cases

    output, skip = args["output"], args["on_error"] == "skip"
    args = {**args, "workers": engine.workers}
    cases, left_out = survey_cases(
        pairs,
        args["workers"],
        args["max_voxels"],
        skip=skip,
        allow_unlikely=args["allow_unlikely"],
        ignored=ignored,
        map_cases=engine.map_cases,
    )
    for fault in left_out.values():
        print(f"left out  {fault}", file=sys.stderr)
    plan = plan_cube(
        cases,
        args,
        compose,
        output,
        left_out,
        classes=classes,
        worker_memory=engine.worker_memory,
    )
    print(describe_plan(plan, output))
    results = write_cube(
        output,
        plan,
        {name: args[name] for name in CONTENT_FLAGS} | plan.settled,
        force=args["force"],
        resume=args["resume"],
        skip=skip,
        map_cases=engine.map_cases,
    )
    print(describe_cube(plan, output, results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
