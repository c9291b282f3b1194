"""Summary and tables of vertebrae: identification, and labels off by one level."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from evaluation.levels import FOUND_WITHIN
from evaluation.metrics import class_names_of
from evaluation.scores import Score
from evaluation.statistics import mean_or_none
from system.text import Part, Table, format_number

# Rise of the Dice that counts as a shift; labels without overlap rise less by chance.
SHIFT_GAIN = 0.1

VERTEBRA_RULES = (
    "Cases: scans with the vertebra in the reference. Found, by the rule of VerSe: the "
    "centroids of prediction and reference\nare less than "
    f"{FOUND_WITHIN:.0f} mm apart, and no other vertebra of the reference is closer. "
    "False positives: predicted, but not in the\nreference. If the Dice of a case "
    f"rises by more than {SHIFT_GAIN} when all labels are shifted by one level, its "
    "vertebrae were\nsegmented but given the wrong levels."
)


def summarise_vertebrae(scores: Iterable[Score]) -> dict | None:
    """Summarise the scores of the vertebrae in one network's cases.

    Args:
        scores: Of every case and class.

    Returns:
        None if no class is a vertebra, else a dictionary for JSON: `levels` has
        for each vertebra `num_cases` with it in the reference, their mean `dice`,
        in how many of them it was `found`, and in how many other cases it was
        `invented` (a false positive); `over_levels` has the same over all
        vertebrae; `shift` is the result of `check_shift`.
    """
    scores = [score for score in scores if score.found]
    if not scores:
        return None
    levels = {
        name: _summarise_level([score for score in scores if score.class_name == name])
        for name in class_names_of(scores)
    }
    return {
        "levels": levels,
        "over_levels": _summarise_level(scores),
        "shift": check_shift(scores),
    }


def _summarise_level(scores: Sequence[Score]) -> dict:
    in_reference = [score for score in scores if score.found != "absent"]
    return {
        "num_cases": len(in_reference),
        "dice": mean_or_none(score.dice for score in in_reference),
        "found": sum(score.found == "yes" for score in in_reference),
        "invented": sum(score.empty == "reference" for score in scores),
    }


def check_shift(scores: Iterable[Score]) -> dict:
    """Compute whether shifting all labels of a case by one level raises its Dice.

    Args:
        scores: Of vertebrae; those missing in the reference are ignored.

    Returns:
        `dice` as labelled and with every label `moved_down` or `moved_up` by one
        level: means over cases of the means over their vertebrae, None without
        cases. Under `better_moved` "down" or "up" for each case whose Dice rises
        by more than 0.1.
    """
    by_case = defaultdict(list)
    for score in scores:
        if score.found != "absent":
            # The prediction of the level above is this level's if moved down.
            dice = (score.dice, score.dice_of_upper, score.dice_of_lower)
            by_case[score.case_id].append(dice)
    means = {case_id: np.mean(dice, axis=0) for case_id, dice in by_case.items()}
    better_moved = {}
    for case_id, (dice, down, up) in means.items():
        if max(down, up) > dice + SHIFT_GAIN:
            better_moved[case_id] = "down" if down >= up else "up"
    return {
        "dice": mean_or_none(mean[0] for mean in means.values()),
        "moved_down": mean_or_none(mean[1] for mean in means.values()),
        "moved_up": mean_or_none(mean[2] for mean in means.values()),
        "better_moved": better_moved,
    }


def describe_vertebrae(networks: Mapping[str, dict]) -> list[Part]:
    """Return a table with a row per vertebra, then the shift check.

    Args:
        networks: Result of `summarise_vertebrae` for each network by name, over
            the same cases; a single network may have the name "".
    """
    summaries = list(networks.values())
    heads = ["Vertebra", "Cases"]
    for name in networks:
        for head in ("Dice", "found", "false positives"):
            heads.append(f"{name} {head}" if name else head.capitalize())
    rows = [
        _format_level(level, [summary["levels"][level] for summary in summaries])
        for level in summaries[0]["levels"]
    ]
    rows.append(_format_level("all", [summary["over_levels"] for summary in summaries]))
    parts: list[Part] = [Table(heads, rows), _list_shifts(networks)]
    improved = []
    for name, summary in networks.items():
        for case_id, direction in summary["shift"]["better_moved"].items():
            shift = f"{case_id} one level {direction}"
            improved.append(f"{name}: {shift}" if name else shift)
    if improved:
        parts.append(f"Improved by a shift: {'; '.join(improved)}.\n{VERTEBRA_RULES}")
    else:
        parts.append(VERTEBRA_RULES)
    return parts


def _format_level(name: str, entries: Sequence[dict]) -> list[str]:
    row = [name, str(entries[0]["num_cases"])]
    for entry in entries:
        row += [format_number(entry["dice"], 3), str(entry["found"])]
        row.append(str(entry["invented"]))
    return row


def _list_shifts(networks: Mapping[str, dict]) -> Table:
    shifts = [summary["shift"] for summary in networks.values()]
    titles = {
        "dice": "Dice as labelled",
        "moved_down": "Dice, labels shifted one level down",
        "moved_up": "Dice, labels shifted one level up",
    }
    rows = [
        [title, *(format_number(shift[key], 3) for shift in shifts)]
        for key, title in titles.items()
    ]
    num_improved = [str(len(shift["better_moved"])) for shift in shifts]
    rows.append(["Cases improved by a shift", *num_improved])
    heads = ["Shift check", *(name or "Mean" for name in networks)]
    return Table(heads, rows)
