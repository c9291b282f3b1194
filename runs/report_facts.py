"""What was trained on what, for the report: from the records of the runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from evaluation.comparison import format_counts
from evaluation.comparison_page import format_cost
from evaluation.metrics import class_names_of, subjects_of
from runs.commands import cube_flags, format_flags, training_flags
from runs.folder import read_json
from runs.gathering import Run, Side
from runs.split_counts import count_splits
from system.text import Table, format_number, shorten


def list_facts(sides: Sequence[Side]) -> list[tuple[str, str]]:
    """Return titles and texts: cube, cases, weights, device, software and flags."""
    runs = [run for side in sides for run in side.runs]
    config = runs[0].config
    cube, checksum = config["arguments"]["cube"], config["cube_checksum"]
    classes = class_names_of(sides[0].scores)
    facts = [
        ("Cube", f"{cube} ({checksum[:12]})"),
        ("Cases", _describe_cases(sides[0])),
        ("Classes", shorten(", ".join(classes))),
        ("Classes without training scans", _for_each(sides, _describe_untrained)),
        ("Weights", _for_each(sides, _describe_weights)),
        ("Device", _for_each(sides, lambda run: str(run.config.get("device") or ""))),
        ("Commit", _for_each(sides, lambda run: str(run.config.get("commit") or ""))),
        ("Software", _for_each(sides, _describe_versions)),
        ("Flags", _for_each(sides, training_flags)),
        ("Defaults set by the device", _for_each(sides, _describe_device_defaults)),
        ("Cube's flags", _for_each(sides, _describe_cube)),
    ]
    return [(title, text) for title, text in facts if text]


def list_runs(sides: Sequence[Side]) -> Table | None:
    """Return a row per run; None if each network has one."""
    if all(len(side.runs) == 1 for side in sides):
        return None
    heads = ["Run", "Network", "Fold", "Test cases", "Mean Dice", "Minutes"]
    rows = []
    for side in sides:
        for run in side.runs:
            fold = run.fold[0]
            dice = [score.dice for score in run.scores]
            rows.append(
                [
                    str(run.path),
                    side.name,
                    "" if fold is None else str(fold),
                    str(len(subjects_of(run.scores))),
                    format_number(sum(dice) / len(dice) if dice else None, 3),
                    format_cost(run.costs.get("training_minutes"), 1),
                ]
            )
    return Table(heads, rows)


def _for_each(sides: Sequence[Side], describe: Callable[[Run], str]) -> str:
    """Describe the runs in one text, or those of each network if they differ."""
    texts = {
        side.name: "; ".join(dict.fromkeys(map(describe, side.runs))) for side in sides
    }
    if len(set(texts.values())) == 1:
        return next(iter(texts.values()))
    return "\n".join(f"{name}: {text or 'none'}" for name, text in texts.items())


def _describe_cases(side: Side) -> str:
    subjects = subjects_of(side.scores)
    num_folds = side.runs[0].fold[1]
    if len(side.runs) > 1:
        count = {"num_cases": len(subjects), "num_subjects": len({*subjects.values()})}
        folds = f" of {num_folds} folds" if num_folds else ""
        return f"{format_counts(count)}, tested in {len(side.runs)} runs{folds}"
    record = side.runs[0].path / "splits.json"
    if not record.is_file():  # not written by earlier versions
        return f"{len(subjects)} tested"
    return count_splits(read_json(record)["cases"])


def _describe_untrained(run: Run) -> str:
    return ", ".join(map(str, run.config.get("untrained_classes", [])))


def _describe_weights(run: Run) -> str:
    arguments = run.config["arguments"]
    weights = arguments.get("weights")
    if not weights:
        return ""
    listed = ", ".join([weights] if isinstance(weights, str) else map(str, weights))
    if arguments.get("epochs") == 0:
        return f"trained elsewhere, only tested here: {listed}"
    return f"training began from {listed}"


def _describe_device_defaults(run: Run) -> str:
    return format_flags(run.config.get("device_defaults") or {})


def _describe_cube(run: Run) -> str:
    """Return the flags of makeCube.py; earlier versions did not record them."""
    return cube_flags(run.config.get("cube_arguments") or {})


def _describe_versions(run: Run) -> str:
    versions = run.config.get("versions", {})
    return ", ".join(f"{name} {version}" for name, version in versions.items())
