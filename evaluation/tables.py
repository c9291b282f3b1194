"""Scores as a file, as a summary, and as a table for the shell."""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np

from evaluation.scores import EMPTY_MASK_RULES, Score
from evaluation.statistics import CONFIDENCE, NUM_RESAMPLES, bootstrap_interval
from volumes.atomic import replacing
from volumes.errors import DataError
from volumes.text import format_figure, format_interval, format_table

COLUMNS = tuple(field.name for field in fields(Score))
TEXT_COLUMNS = ("case_id", "class_name", "empty")
OPTIONAL_COLUMNS = ("hd95_mm", "assd_mm", "nsd_1mm", "nsd_2mm")
EMPTY_WORDS = ("", "both", "prediction", "reference")


@dataclass(frozen=True)
class Metric:
    """A column of the summary.

    Args:
        key: Its name in summary.json.
        title: Its name in tables, with the unit.
        decimals: Figures after the point.
        better: Which way is better: "higher", "lower" or "zero".
        of: Takes it from a score; None where it does not apply.
    """

    key: str
    title: str
    decimals: int
    better: str
    of: Callable[[Score], float | None]


METRICS = (
    Metric("dice", "Dice", 3, "higher", lambda score: score.dice),
    Metric("iou", "IoU", 3, "higher", lambda score: score.iou),
    Metric("hd95_mm", "HD95 (mm)", 2, "lower", lambda score: score.hd95_mm),
    Metric("assd_mm", "ASSD (mm)", 2, "lower", lambda score: score.assd_mm),
    Metric("nsd_1mm", "NSD 1 mm", 3, "higher", lambda score: score.nsd_1mm),
    Metric("nsd_2mm", "NSD 2 mm", 3, "higher", lambda score: score.nsd_2mm),
    Metric(
        "volume_error_ml",
        "Volume error (ml)",
        2,
        "zero",
        lambda score: score.volume_error_ml,
    ),
    Metric(
        "absolute_volume_error_ml",
        "|Volume error| (ml)",
        2,
        "lower",
        lambda score: abs(score.volume_error_ml),
    ),
)


def write_scores(path: str | Path, scores: Iterable[Score]) -> None:
    """Write a row per case and class; an empty cell is "not applicable"."""
    with (
        replacing(Path(path)) as temporary,
        open(temporary, "w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(astuple(score) for score in scores)


def read_scores(path: str | Path) -> list[Score]:
    """Read what `write_scores` wrote, every float as it was.

    Raises:
        DataError: If the file cannot be read, a column is missing, a cell holds
            no number, or a case and class come twice. Names file and line.
    """
    try:
        with open(path, newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            missing = [
                name for name in COLUMNS if name not in (reader.fieldnames or ())
            ]
            if missing:
                raise DataError(
                    f"{path} must have the columns of a scores file. "
                    f"Received: no {', '.join(missing)}"
                )
            numbered = [(reader.line_num, _parse_row(row)) for row in reader]
    except OSError as error:
        raise DataError(f"{path} could not be read: {error.strerror}") from error
    except (
        csv.Error,
        TypeError,
        ValueError,
    ) as error:  # a short row, a word for a number
        raise DataError(
            f"{path}, line {reader.line_num}: every row must be a full row of a "
            f"scores file. Received: {error}"
        ) from error
    seen = set()
    for line, score in numbered:
        if (score.case_id, score.class_name) in seen:
            raise DataError(
                f"{path}, line {line}: a case and class must come once. Received: "
                f"'{score.case_id}', '{score.class_name}' again"
            )
        seen.add((score.case_id, score.class_name))
    return [score for _, score in numbered]


def _parse_row(row: dict[str, str]) -> Score:
    if row["empty"] not in EMPTY_WORDS:
        raise ValueError(f"empty={row['empty']!r}")
    cells = {}
    for name in COLUMNS:
        if name in TEXT_COLUMNS:
            cells[name] = row[name]
        elif name in OPTIONAL_COLUMNS and row[name] == "":
            cells[name] = None
        else:
            cells[name] = float(row[name])
            if not math.isfinite(cells[name]):
                raise ValueError(f"{name}={row[name]}")
    return Score(**cells)


def class_names_of(scores: Iterable[Score]) -> list[str]:
    """List the classes in the order in which they first come."""
    return list(dict.fromkeys(score.class_name for score in scores))


def values_by_case(scores: Iterable[Score], metric: Metric) -> dict[str, float]:
    """Average a metric over the classes of each case.

    Classes to which it does not apply are left out of a case's mean; a case with
    no other class is left out of the answer.
    """
    collected: dict[str, list[float]] = {}
    for score in scores:
        value = metric.of(score)
        if value is not None:
            collected.setdefault(score.case_id, []).append(value)
    return {case_id: float(np.mean(values)) for case_id, values in collected.items()}


def summarize(scores: Sequence[Score], seed: int = 0) -> dict:
    """Condense scores into what summary.json holds.

    Args:
        scores: A score per case and class.
        seed: Seed of the bootstrap.

    Returns:
        A dictionary that JSON can hold: `classes` with an entry per class, and
        `over_classes`, where each case counts with its mean over classes. Each
        entry has `num_cases`, the counts `both_empty`, `prediction_empty`,
        `reference_empty` and `one_empty` over cases and classes, and under
        `metrics` the `mean`, `median`, `interval` and `num_values` of each.
    """
    return {
        "num_cases": len({score.case_id for score in scores}),
        "confidence": CONFIDENCE,
        "num_resamples": NUM_RESAMPLES,
        "seed": seed,
        "classes": {
            name: _summarize_group(
                [score for score in scores if score.class_name == name], seed
            )
            for name in class_names_of(scores)
        },
        "over_classes": _summarize_group(scores, seed),
    }


def count_empty(scores: Iterable[Score]) -> dict[str, int]:
    """Count the pairs of masks of which one or both hold no voxel."""
    counts = Counter(score.empty for score in scores)
    return {
        "both_empty": counts["both"],
        "prediction_empty": counts["prediction"],
        "reference_empty": counts["reference"],
        "one_empty": counts["prediction"] + counts["reference"],
    }


def _summarize_group(scores, seed) -> dict:
    return {
        "num_cases": len({score.case_id for score in scores}),
        **count_empty(scores),
        "metrics": {
            metric.key: _summarize_values(
                list(values_by_case(scores, metric).values()), seed
            )
            for metric in METRICS
        },
    }


def _summarize_values(values: list[float], seed: int) -> dict:
    interval = bootstrap_interval(values, seed)
    return {
        "num_values": len(values),
        "mean": float(np.mean(values)) if values else None,
        "median": float(np.median(values)) if values else None,
        "interval": list(interval) if interval else None,
    }


def format_summary(summary: dict, *, markdown: bool = False) -> str:
    """Lay a summary out for the shell: a row per class, then the means over cases."""
    empty = ("prediction_empty", "reference_empty", "both_empty")
    signed = METRICS[:-1]  # the size of the volume error is left to the lower table
    rows = [
        [name, str(entry["num_cases"])]
        + [
            format_figure(entry["metrics"][metric.key]["mean"], metric.decimals)
            for metric in signed
        ]
        + [str(entry[key]) for key in empty]
        for name, entry in summary["classes"].items()
    ]
    heads = ["Mean per class", "Cases", *(metric.title for metric in signed)]
    heads += ["Missed", "Invented", "In neither"]
    overall_heads = ["Over cases", "Mean", "95 % interval", "Median", "Cases"]
    overall = summary["over_classes"]["metrics"]
    overall_rows = [_format_overall(metric, overall[metric.key]) for metric in METRICS]
    return "\n\n".join(
        [
            format_table(heads, rows, markdown=markdown),
            format_table(overall_heads, overall_rows, markdown=markdown),
            "A case counts with its mean over classes. The interval is a bootstrap "
            "over cases.\n" + EMPTY_MASK_RULES,
        ]
    )


def _format_overall(metric: Metric, entry: dict) -> list[str]:
    return [
        metric.title,
        format_figure(entry["mean"], metric.decimals),
        format_interval(entry["interval"], metric.decimals),
        format_figure(entry["median"], metric.decimals),
        str(entry["num_values"]),
    ]
