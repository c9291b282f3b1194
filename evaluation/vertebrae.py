"""Vertebra by vertebra: found or not, and whether all labels are one level off."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from evaluation.levels import FOUND_WITHIN
from evaluation.metrics import class_names_of
from evaluation.scores import Score
from system.text import format_figure, format_table

JUMP = 0.1  # of the Dice; labels that miss everything gain less by chance

VERTEBRA_RULES = (
    "Cases are the scans whose reference holds the vertebra. It is found, by VerSe's "
    f"rule, if its centroids are less\nthan {FOUND_WITHIN:.0f} mm apart and no other "
    "vertebra of the reference is nearer. Invented: predicted, not in the reference.\n"
    f"Where the Dice of a case rises by more than {JUMP} as all labels move by one "
    "level, its vertebrae were seen but\ncounted wrongly."
)


def summarise_vertebrae(scores: Iterable[Score]) -> dict | None:
    """Condense what is known of the vertebrae in one network's cases.

    Args:
        scores: Of every case and class.

    Returns:
        None where no class is a vertebra, else a dictionary that JSON can hold:
        `levels` has for each `num_cases` whose reference holds it, their mean
        `dice`, in how many it was `found` and in how many others it was
        `invented`; `over_levels` has the same of all together; `shift` is the
        answer of `check_shift`.
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
    held = [score for score in scores if score.found != "absent"]
    return {
        "num_cases": len(held),
        "dice": _mean(score.dice for score in held),
        "found": sum(score.found == "yes" for score in held),
        "invented": sum(score.empty == "reference" for score in scores),
    }


def check_shift(scores: Iterable[Score]) -> dict:
    """See whether moving all labels of a case by one level raises its Dice.

    Args:
        scores: Of vertebrae; those that a reference lacks are passed over.

    Returns:
        The means over cases, each the mean over its vertebrae, of the `dice` as
        labelled and with every label `moved_down` or `moved_up` by one level;
        None without cases. Under `better_moved` "down" or "up" for each case that
        the move improves by more than 0.1.
    """
    by_case = defaultdict(list)
    for score in scores:
        if score.found != "absent":
            # What was predicted as the level above becomes this one: moved down.
            dice = (score.dice, score.dice_of_upper, score.dice_of_lower)
            by_case[score.case_id].append(dice)
    means = {case_id: np.mean(dice, axis=0) for case_id, dice in by_case.items()}
    return {
        **{
            name: _mean(mean[place] for mean in means.values())
            for place, name in enumerate(("dice", "moved_down", "moved_up"))
        },
        "better_moved": {
            case_id: "down" if down >= up else "up"
            for case_id, (dice, down, up) in means.items()
            if max(down, up) > dice + JUMP
        },
    }


def _mean(values: Iterable[float]) -> float | None:
    values = list(values)
    return float(np.mean(values)) if values else None


def format_vertebrae(networks: Mapping[str, dict], *, markdown: bool = False) -> str:
    """Lay out what `summarise_vertebrae` found: a row per vertebra, the shift below.

    Args:
        networks: Its answer for each network by name, over the same cases; a
            single one may have the name "".
        markdown: Whether to write Markdown.
    """
    names = list(networks)
    first = networks[names[0]]
    heads = ["Vertebra", "Cases"]
    for name in names:
        heads += [f"{name} {head}".strip() for head in ("Dice", "found", "invented")]
    rows = [
        _format_level(name, [networks[network]["levels"][name] for network in names])
        for name in first["levels"]
    ]
    rows.append(
        _format_level("all", [networks[network]["over_levels"] for network in names])
    )
    shifts = [networks[name]["shift"] for name in names]
    titles = {
        "dice": "Dice as labelled",
        "moved_down": "Dice, labels moved one level down",
        "moved_up": "Dice, labels moved one level up",
    }
    shift_rows = [
        [title, *(format_figure(shift[key], 3) for shift in shifts)]
        for key, title in titles.items()
    ]
    better = [str(len(shift["better_moved"])) for shift in shifts]
    shift_rows.append(["Cases improved by a move", *better])
    moved = [
        f"{name + ': ' if name else ''}{case_id} one level {direction}"
        for name, shift in zip(names, shifts, strict=True)
        for case_id, direction in shift["better_moved"].items()
    ]
    improved = [f"Improved by a move: {'; '.join(moved)}."] if moved else []
    return "\n\n".join(
        [
            format_table(heads, rows, markdown=markdown),
            format_table(
                ["Shift check", *(name or "Mean" for name in names)],
                shift_rows,
                markdown=markdown,
            ),
            "\n".join([*improved, VERTEBRA_RULES]),
        ]
    )


def _format_level(name: str, entries: Sequence[dict]) -> list[str]:
    row = [name, str(entries[0]["num_cases"])]
    for entry in entries:
        row += [format_figure(entry["dice"], 3), str(entry["found"])]
        row.append(str(entry["invented"]))
    return row
