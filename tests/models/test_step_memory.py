import keras
import numpy as np
import pytest

from models.step_memory import count_weights, output_values, step_bytes
from models.unet import BUILDERS

PLAIN = {"filters": 256, "depth": 1, "norm": "instance", "dropout": 0.0}
NETWORKS = [
    ("unet3d", (4.0, 1.0, 1.5), {**PLAIN, "norm": "none", "dropout": 0.2}),
    ("unet2d", (4.0, 1.0, 1.0), PLAIN),  # the bottom has 320 filters, not 512
]


@pytest.fixture(scope="module", params=NETWORKS, ids=lambda case: case[0])
def network(request):
    """A network, its arguments, and itself for patches of 8 voxels a side."""
    model, spacing, architecture = request.param
    built = BUILDERS[model](spacing, 3, **architecture)
    sides = (8,) * (len(built.input_shape) - 2)
    sized = keras.Input((*sides, 1), batch_size=1)
    return built, request.param, keras.models.clone_model(built, input_tensors=sized)


def test_outputs_are_those_of_the_layers_before_the_head(network):
    _, given, sized = network
    total = sum(
        np.prod(layer.output.shape)
        for layer in sized.layers
        if not isinstance(layer, keras.layers.InputLayer)
        and layer.name not in ("scores", "probabilities")
    )
    voxels = np.prod(sized.input_shape[1:-1])

    assert output_values(*given) == pytest.approx(total / voxels, rel=1e-12)


def test_weights_are_those_of_the_kernels_before_the_head(network):
    built, given, _ = network
    kernels = [
        layer.kernel.shape
        for layer in built.layers
        if hasattr(layer, "kernel") and layer.name != "scores"
    ]

    assert count_weights(*given) == sum(map(np.prod, kernels))


def test_memory_of_a_step_by_hand():
    # One level of 2 filters in 2-D, each halving both axes: two blocks of six outputs
    # and three more, 2 x 15 = 30; the pool, 2 / 4; the bottom, 4 x 6 / 4: 36.5 values.
    architecture = {"filters": 2, "depth": 1, "norm": "instance", "dropout": 0.0}
    # Kernels of 9: 2 x (1 + 2), 4 x (2 + 4); transposed 4 x 4 x 2; 2 x (4 + 2).
    weights = 9 * (6 + 24 + 12) + 32
    fixed = 200 * 2**20 + 28 * weights
    given = ("unet2d", (3.0, 1.0, 1.0))

    full = step_bytes(
        *given, {**architecture, "dtype": "float32"}, num_classes=3, voxels=1000
    )
    half = step_bytes(
        *given, {**architecture, "dtype": "mixed_float16"}, num_classes=3, voxels=1000
    )

    # The values of the three classes stay float32.
    assert full == fixed + 1000 * (1.1 * 4 * 36.5 + 4 * 6 * 3)
    assert half == fixed + 1000 * (1.1 * 2 * 36.5 + 4 * 6 * 3)
