"""What is kept of a prediction: all, the spine, or the largest component."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from cube.reader import Cube
from models.metadata import ModelMetadata
from models.model_file import build_network, save_model
from models.options import TrainingOptions
from models.validation import mean_dice, predict_cases
from spine.keeping import Kept, keep_spine
from volumes.classes import count_labels
from volumes.geometry import Grid, affine_from
from volumes.structures import vertebra_classes


def keep_part(
    classes: npt.NDArray[np.uint8], grid: Grid, metadata: ModelMetadata
) -> Kept:
    """Keep of a prediction what `metadata.keep` says.

    Args:
        classes: Shape of `grid`; 0 is the background.
        grid: Of any spacing and direction.
        metadata: Of the network that predicted them.
    """
    if metadata.keep == "spine":
        return keep_spine(classes, grid, vertebra_classes(metadata.class_names))
    if metadata.keep == "largest":
        kept = keep_largest(classes)
        num_dropped = np.count_nonzero(classes) - np.count_nonzero(kept)
        return Kept(kept, float(num_dropped * grid.voxel_volume / 1000))
    return Kept(classes)


def keep_largest(classes: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return classes with only the largest connected component of each.

    Voxels that share a face are connected. An absent class stays absent.

    Args:
        classes: Shape (I, J, K); 0 is the background.
    """
    kept = np.zeros_like(classes)
    for number, box in enumerate(ndimage.find_objects(classes), start=1):
        if box is not None:
            components, _ = ndimage.label(classes[box] == number)
            sizes = count_labels(components)
            kept[box][components == 1 + np.argmax(sizes[1:])] = number
    return kept


def settle_keep(
    options: TrainingOptions, cube: Cube, network: keras.Model, metadata: ModelMetadata
) -> ModelMetadata:
    """Choose what is kept of the predictions of a trained network, and print it.

    The option decides, then what the metadata of a network that is only tested say,
    then the validation cases: the spine alone is kept where that raises their mean
    Dice. Without validation cases all is kept.

    Returns:
        The metadata with the choice.
    """
    if options.keep is not None:
        print(f"keep: {options.keep}, by --keep")
        return replace(metadata, keep=options.keep)
    if options.epochs == 0:
        print(f"keep: {metadata.keep}, as the model was trained")
        return metadata
    rows = cube.rows("validation", copy=0)
    if not rows:
        print("keep: all, as there are no validation cases to choose by")
        return metadata
    spine = replace(metadata, keep="spine")
    before, after = [], []
    for prediction, reference in predict_cases(network, metadata, cube, rows):
        grid = Grid(prediction.shape, affine_from(cube.spacing))
        kept = keep_part(prediction, grid, spine).classes
        before.append(mean_dice(prediction, reference, len(cube.class_names)))
        after.append(mean_dice(kept, reference, len(cube.class_names)))
    all_dice, spine_dice = float(np.mean(before)), float(np.mean(after))
    chosen = spine if spine_dice > all_dice else metadata
    print(
        f"keep: {chosen.keep}; the validation cases have a mean Dice of {all_dice:.4f} "
        f"with all of the prediction, and {spine_dice:.4f} with the spine alone"
    )
    return chosen


def store_keep(path: Path, network: keras.Model, metadata: ModelMetadata) -> None:
    """Write a trained network again, with metadata that say what is kept."""
    fresh = build_network(metadata)  # not compiled, so that no optimizer is stored
    fresh.set_weights(network.get_weights())
    save_model(path, fresh, metadata)
