"""Scores written by hand: of one case and class, and of three cases that are mixed."""

from evaluation.scores import Score


def score(case_id, dice, class_name="vertebra", empty="", subject=None, **others):
    missing = {"both": None}.get(empty, 1.5)
    figures = {
        "iou": dice / (2 - dice),
        "hd95_mm": missing,
        "assd_mm": missing,
        "nsd_1mm": missing,
        "nsd_2mm": missing,
        "prediction_ml": 3.0,
        "reference_ml": 4.0,
        "volume_error_ml": -1.0,
    }
    figures |= others | {"empty": empty}
    return Score(case_id, subject or f"subject {case_id}", class_name, dice, **figures)


def scores_of(*values):
    return [score(f"case-{number}", value) for number, value in enumerate(values)]


def entry_of(comparison, key):
    return next(entry for entry in comparison["metrics"] if entry["key"] == key)


MIXED = [
    score("a", 0.8, "vertebra", hd95_mm=2.0, volume_error_ml=3.0),
    score("a", 1.0, "disc", empty="both", volume_error_ml=0.0),
    score("b", 0.6, "vertebra", hd95_mm=4.0, volume_error_ml=-1.0),
    score("b", 0.0, "disc", empty="prediction", hd95_mm=100.0),
    score("c", 0.1, "vertebra", hd95_mm=9.0),
    score("c", 0.0, "disc", empty="reference", hd95_mm=50.0),
]
