"""The commands that reproduce a run or a comparison, from recorded arguments."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from augment.flags import FLAGS
from runs.folder import TITLES
from runs.gathering import Run, Side

# Recorded, but no flags, or shown elsewhere.
NO_FLAGS = ("cube", "output", "model", "force", "resume", "weights_checksum")
FOLD_FLAGS = ("fold", "folds")
# In place of the pair list of a cube that does not record it.
UNKNOWN_LIST = "PAIRS.txt"
UNKNOWN_NOTE = f"# {UNKNOWN_LIST}: the pair list, which this cube does not record"
# Flags with a form that starts with --no-, as their default depends on the device.
NEGATABLE = ("mixed_precision",)


def format_flags(arguments: Mapping[str, Any]) -> str:
    """Return recorded arguments as flags of the shell; absent ones are left out.

    >>> format_flags({"batch_size": 4, "force": False, "spacing": [4.0, 1.5]})
    '--batch-size 4 --spacing 4 1.5'
    """
    words = []
    for name, value in arguments.items():
        flag = name.replace("_", "-")
        if value is None or (value is False and name not in NEGATABLE):
            continue
        words.append(f"--no-{flag}" if value is False else f"--{flag}")
        if not isinstance(value, bool):
            values = value if isinstance(value, list | tuple) else [value]
            words += map(_format_value, values)
    return shlex.join(words)


def _format_value(value: Any) -> str:
    """Return a number without a decimal point if it is whole, else its text."""
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)


def cube_flags(arguments: Mapping[str, Any]) -> str:
    """Return the flags of makeCube.py that decide the content of a cube.

    A transform that is off though its default is on has the value `none`.
    """
    off = {
        name: "none"
        for name, flag in FLAGS.items()
        if flag.default is not None and arguments.get(name, "") is None
    }
    return format_flags({**arguments, **off})


def training_flags(run: Run) -> str:
    """Return the flags of a run, but for its cube, network, folder and fold."""
    return _select_flags(run, lambda name: name not in NO_FLAGS + FOLD_FLAGS)


def _select_flags(run: Run, is_shown: Callable[[str], bool]) -> str:
    arguments = run.config["arguments"]
    return format_flags({k: v for k, v in arguments.items() if is_shown(k)})


def list_commands(
    sides: Sequence[Side], against: bool, cases: Sequence[str], output: Path
) -> list[str]:
    """Return the commands that make the cube, train the runs and compare them.

    Args:
        sides: The sides of the page.
        against: Whether the sides were separated by --against.
        cases: The patterns of --cases.
        output: The folder of the page.
    """
    runs = [run for side in sides for run in side.runs]
    cubes = [line for run in runs for line in _cube_command(run)]
    commands = list(
        dict.fromkeys([*cubes, *(_train_command(run, runs) for run in runs)])
    )
    folders = [[str(folder) for folder in _folders(side.runs, runs)] for side in sides]
    if {*folders[0]} == {str(output)}:
        return commands  # train.py itself wrote the page
    words = list(dict.fromkeys(folders[0]))
    if len(folders) > 1:
        words += ["--against", *folders[1]] if against else folders[1]
    words = words if against else list(dict.fromkeys(words))
    if cases:
        words += ["--cases", *cases]
    words += ["--output", str(output)]
    if any(output in run.path.parents for run in runs):
        words.append("--force")  # or the folder would have to be empty
    return [*commands, f"python compareRuns.py {shlex.join(words)}"]


def _cube_command(run: Run) -> list[str]:
    """Return the command that makes the cube, below a comment on an unknown list.

    None is returned for runs of versions that did not record the cube's flags.
    """
    arguments = run.config.get("cube_arguments")
    if not arguments:
        return []
    origin = dict(run.config.get("cube_origin") or {})
    if arguments.get("flip") == FLAGS["flip"].default:  # by the classes, unless given
        arguments = {name: value for name, value in arguments.items() if name != "flip"}
    pairs = origin.pop("pairs", UNKNOWN_LIST)
    words = shlex.join([pairs, "--output", str(run.config["arguments"]["cube"])])
    command = f"python makeCube.py {words} {cube_flags({**arguments, **origin})}"
    return [UNKNOWN_NOTE, command] if pairs == UNKNOWN_LIST else [command]


def _train_command(run: Run, runs: Sequence[Run]) -> str:
    arguments = run.config["arguments"]
    model, folder = arguments["model"], run.path
    if _is_half(run, runs):
        model, folder = "both", run.path.parent
    words = [] if model not in (*TITLES, "both") else ["--model", model]
    words = [str(arguments["cube"]), *words, "--output", str(folder)]
    flags = _select_flags(run, FOLD_FLAGS.__contains__), training_flags(run)
    return " ".join(filter(None, ["python train.py", shlex.join(words), *flags]))


def _is_half(run: Run, runs: Sequence[Run]) -> bool:
    """Return whether the run was one of the two of `--model both`."""
    twins = [each for each in runs if each.path.parent == run.path.parent]
    return {each.path.name for each in twins} == TITLES.keys() and len(
        {training_flags(each) for each in twins}
    ) == 1


def _folders(of_side: Sequence[Run], runs: Sequence[Run]) -> list[Path]:
    return [run.path.parent if _is_half(run, runs) else run.path for run in of_side]
