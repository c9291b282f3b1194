"""The U-Nets of this project, and a process of its own for each framework.

The same network of MONAI is in `benchmarks.monai_network`.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

LEARNING_RATE = 2e-3
WEIGHT_DECAY = 1e-4
CLIP_NORM = 1.0
DEPTH = 4
Calls = Mapping[str, Callable]


@dataclass(frozen=True)
class Problem:
    """The inputs of both frameworks.

    Args:
        model: "unet2d" or "unet3d".
        filters: Of the first level.
        batch_size: Patches a step.
        patch_size: (I, J, K); the first is 1 for UNet-2D.
        scan: Shape of the scan that is predicted in tiles of that size.
        per_call: Tiles handed to the network at once.
        overlap: Share of a tile that its neighbour covers too.
    """

    model: str
    filters: int
    batch_size: int
    patch_size: tuple[int, int, int]
    scan: tuple[int, int, int]
    per_call: int
    overlap: float = 0.5

    @property
    def rank(self) -> int:
        """Two or three axes."""
        return int(self.model[4])

    @property
    def sides(self) -> tuple[int, ...]:
        """Of a patch as the network sees it."""
        return self.patch_size[-self.rank :]

    def batch(self) -> tuple[np.ndarray, np.ndarray]:
        """Generate images (B, *sides) and classes of a batch."""
        rng = np.random.default_rng(0)
        shape = (self.batch_size, *self.sides)
        image = rng.standard_normal(shape, dtype=np.float32)
        return image, (rng.random(shape) < 0.1).astype(np.uint8)

    def image(self) -> np.ndarray:
        """Generate a scan."""
        return np.random.default_rng(1).standard_normal(self.scan, dtype=np.float32)


class Rival:
    """A framework in a process of its own, which waits for calls."""

    def __init__(self, make: Callable[..., Calls], *args):
        self._pipe, inside = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")
        self._child = context.Process(target=_serve, args=(inside, make, *args))
        self._child.start()
        inside.close()
        self.names: list[str] = self._pipe.recv()

    def ask(self, name: str, *args) -> object:
        """Call one of its functions and return the result."""
        self._pipe.send((True, name, *args))
        return self._pipe.recv()

    def run(self, name: str) -> None:
        """Call one of its functions; the result stays in its process."""
        self._pipe.send((False, name))
        self._pipe.recv()

    def close(self) -> None:
        """End the process."""
        self._pipe.send(None)
        self._child.join()


def _serve(pipe, make: Callable[..., Calls], *args) -> None:
    calls = make(*args)
    pipe.send(list(calls))
    while (order := pipe.recv()) is not None:
        wanted, name, *given = order
        result = calls[name](*given)
        pipe.send(result if wanted else None)


def our_calls(
    problem: Problem, *, dtype: str = "float32", jit_compile: bool = False
) -> Calls:
    """Build and compile the network as train.py does, and give what is timed.

    Args:
        problem: What to do.
        dtype: Keras dtype policy.
        jit_compile: Whether to compile the step with XLA.
    """
    import models  # noqa: F401  sets TensorFlow up before it is imported

    # isort: split
    import keras

    from models.device import find_gpu
    from models.losses import DiceLoss
    from models.prediction import predict_image
    from models.training_step import TrainingStep, read_sums
    from models.unet import build_unet

    find_gpu()  # before anything is computed, so that its memory grows with the need
    keras.utils.set_random_seed(0)
    network = build_unet(
        spacing=(1.0,) * problem.rank,
        num_classes=2,
        filters=problem.filters,
        dtype=dtype,
    )
    optimizer = keras.optimizers.AdamW(
        LEARNING_RATE, weight_decay=WEIGHT_DECAY, global_clipnorm=CLIP_NORM
    )
    if dtype == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    network.compile(optimizer, DiceLoss(), jit_compile=jit_compile)
    step = TrainingStep(network)
    inputs = {"rate": LEARNING_RATE, "batch_size": problem.batch_size, "seconds": 0.0}
    image, label = problem.batch()
    image, scan = image[..., None], problem.image()
    extent = np.stack([np.zeros(3, int), scan.shape], axis=1)
    tiling = {"num_classes": 2, "overlap": problem.overlap}
    return {
        "weights": network.get_weights,
        "flops": partial(count_flops, network, problem),
        "probabilities": lambda: network.predict_on_batch(image),
        "step": lambda: read_sums(step(image, label, **inputs)),
        "scan": lambda: predict_image(
            network, scan, extent, problem.patch_size, **tiling
        )[0],
    }


def count_flops(network, problem: Problem) -> tuple[int, int]:
    """Count the operations of the convolutions, which dominate.

    A multiplication and an addition count one each. Backwards, a convolution
    costs twice what it costs forwards, save the first, whose input needs no
    gradient.

    Returns:
        Of a training step, and of a forward pass over one patch.
    """
    import keras

    sized = keras.models.clone_model(
        network, input_tensors=keras.Input((*problem.sides, 1), batch_size=1)
    )
    counts = []
    for layer in sized.layers:
        kernel = getattr(layer, "kernel", None)
        if kernel is not None:
            coarse = layer.input if layer.name.endswith("_up") else layer.output
            counts.append(2 * kernel.shape.num_elements() * np.prod(coarse.shape[1:-1]))
    forward = int(sum(counts))
    return problem.batch_size * (3 * forward - int(counts[0])), forward
