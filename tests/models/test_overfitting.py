from types import SimpleNamespace

import keras
import numpy as np
import pytest
from support.small_runs import training_options

from models.losses import DiceLoss
from models.metrics import sum_dice
from models.training_loop import TrainingLoop
from models.training_step import TrainingStep
from models.unet import build_unet


@pytest.mark.parametrize(
    "spacing", [(1.0, 1.0), pytest.param((2.0, 1.0, 1.0), marks=pytest.mark.slow)]
)
def test_unet_of_two_filters_overfits_two_patches(spacing):
    keras.utils.set_random_seed(0)
    sides = (8, 16, 12)[-len(spacing) :]
    labels = np.zeros((2, *sides), np.uint8)
    labels[0, ..., 2:9, 3:7] = 1
    labels[0, ..., 11:14, 2:10] = 1
    labels[1, ..., 4:12, 5:11] = 1
    noise = np.random.default_rng(0).normal(size=labels.shape)
    images = (labels + 0.2 * noise)[..., None].astype(np.float32)
    # One foreground class: with two, so few filters can give one of them up.
    model = build_unet(spacing=spacing, num_classes=2, filters=2, depth=1)
    model.compile(keras.optimizers.AdamW(0.02), DiceLoss(), jit_compile=False)
    options = training_options(steps=80, learning_rate=0.02)
    sampler = SimpleNamespace(
        batch_size=2, patch_size=(1, 8, 8), batch=lambda step: (images, labels)
    )

    loop = TrainingLoop(TrainingStep(model), sampler, options)
    loop.run(None, lambda: None, lambda is_best: None)

    total, count = sum_dice(labels, model(images))
    assert total / count > 0.9
