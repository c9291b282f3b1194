"""Classes that are another structure in the references than in the predictions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evaluation.metrics import class_names_of
from evaluation.scores import Score
from system.text import shorten

# Vertebrae against the discs between them had .002 to .009, and the worst case of
# networks tested on another source of MR .41.
MAX_DICE = 0.1


def describe_mismatch(scores: Sequence[Score]) -> list[str]:
    """Describe classes whose predictions lie beside their references.

    Only for a network from elsewhere: one that has hardly been trained predicts
    anything.

    Args:
        scores: A score per case and class.

    Returns:
        A sentence for each class whose median Dice coefficient is below `MAX_DICE` over
        the cases in which neither mask is empty; none if there are no such cases.
    """
    sentences = []
    for name in class_names_of(scores):
        present = [s for s in scores if s.class_name == name and not s.empty]
        if not present:
            continue
        dice = float(np.median([score.dice for score in present]))
        if dice < MAX_DICE:
            case_ids = shorten(", ".join(score.case_id for score in present))
            sentences.append(
                f"predictions of class {name} lie beside their references (median "
                f"Dice {dice:.3f} of {case_ids}): these label maps may mean another "
                "structure than those of the training, such as discs instead of "
                "vertebrae, or the network does not work on these scans"
            )
    return sentences
