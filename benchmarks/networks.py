"""The same U-Nets in Keras and in MONAI, each framework in its own process.

MONAI's BasicUNet is configured as the U-Nets here are: filters, norm, activation,
no bias before a norm. At its finest level it takes one and a half times as many
channels; that block is rebuilt without the surplus, so that both have the same
number of parameters, and the same probabilities with the same weights. The padding
for odd sides is switched off, since all sides are even here.
"""

from __future__ import annotations

import importlib.util
import multiprocessing
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

LEARNING_RATE = 2e-3
WEIGHT_DECAY = 1e-4
CLIP_NORM = 1.0
NEGATIVE_SLOPE = 0.01
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


def is_installed() -> bool:
    """Return whether MONAI is installed."""
    return importlib.util.find_spec("monai") is not None


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


def build_monai(problem: Problem):
    """Build BasicUNet as `build_unet` builds its own."""
    from monai.networks.nets import BasicUNet
    from monai.networks.nets.basic_unet import UpCat

    widths = [problem.filters * 2**level for level in range(DEPTH + 1)]
    options = {
        "act": ("LeakyReLU", {"negative_slope": NEGATIVE_SLOPE, "inplace": True}),
        "norm": ("instance", {"affine": True}),
        "bias": False,
        "dropout": 0.0,
    }
    network = BasicUNet(problem.rank, 1, 2, (*widths, widths[0]), **options)
    # Its own gives this level the channels of the one below, without halving them.
    network.upcat_1 = UpCat(problem.rank, widths[1], widths[0], widths[0], **options)
    for level in range(1, DEPTH + 1):
        getattr(network, f"upcat_{level}").is_pad = False
    return network


def monai_calls(
    problem: Problem,
    threads: int,
    ways: Sequence[str],
    *,
    device: str = "cpu",
    dtype: str = "float32",
) -> Calls:
    """Return the calls of MONAI to time, in several variants; the fastest counts.

    Args:
        problem: What to do.
        threads: Of PyTorch.
        ways: Of "first" and "last", where the channels lie; with " compiled".
        device: Of PyTorch, "cpu" or "cuda".
        dtype: Keras' name of the policy that autocast follows.
    """
    # MONAI would import TensorFlow for TensorBoard; then PyTorch has crashed.
    sys.modules["tensorflow"] = None
    import torch

    torch.set_num_threads(threads)
    calls: dict[str, Callable] = {}
    networks = []
    for way in ways:
        network, step, scan = _monai_way(problem, way, device, dtype)
        networks.append(network)
        calls[f"step {way}"], calls[f"scan {way}"] = step, scan

    def probabilities(weights: Sequence[np.ndarray]) -> np.ndarray:
        """Copy our weights into every network; return the first one's prediction."""
        for network in networks:
            _load(network, weights)
        image = torch.from_numpy(problem.batch()[0][:, None]).to(device)
        with torch.inference_mode():
            found = torch.softmax(networks[0].eval()(image), 1)
        return np.moveaxis(found.cpu().numpy(), 1, -1)

    return {"probabilities": probabilities, **calls}


def _load(network, weights: Sequence[np.ndarray]) -> None:
    """Copy weights, given in the same order but in the layout of Keras."""
    import torch

    parameters = list(network.parameters())
    assert len(parameters) == len(weights)
    with torch.no_grad():
        for parameter, weight in zip(parameters, weights, strict=True):
            if weight.ndim > 1:
                # (*kernel, a, b) to (b, a, *kernel): in and out, transposed or not.
                weight = np.moveaxis(weight, (-1, -2), (0, 1))
            parameter.copy_(torch.from_numpy(np.ascontiguousarray(weight)))


def _monai_way(problem: Problem, way: str, device: str, dtype: str) -> tuple:
    """Return a network, and its step and whole scan in one memory format."""
    import torch
    from monai.inferers import SliceInferer, SlidingWindowInferer
    from monai.losses import DiceLoss

    order = torch.contiguous_format
    if "last" in way:
        order = torch.channels_last_3d if problem.rank == 3 else torch.channels_last
    network = build_monai(problem).to(device, memory_format=order)
    half = {"mixed_float16": torch.float16, "mixed_bfloat16": torch.bfloat16}.get(dtype)
    autocast = partial(torch.autocast, device, half, enabled=half is not None)
    scaler = torch.amp.GradScaler(device, enabled=half is torch.float16)
    run = torch.compile(network) if "compiled" in way else network
    optimizer = torch.optim.AdamW(
        network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY, fused=True
    )
    loss = DiceLoss(
        include_background=False,
        to_onehot_y=True,
        softmax=True,
        smooth_nr=1.0,
        smooth_dr=1.0,
    )
    batch = (torch.from_numpy(array[:, None]) for array in problem.batch())
    image, label = (array.to(device) for array in batch)
    image = image.contiguous(memory_format=order)
    scan = torch.from_numpy(problem.image()[None, None]).to(device)
    options = {
        "sw_batch_size": problem.per_call,
        "overlap": problem.overlap,
        "mode": "gaussian",
    }
    if problem.rank == 2:
        inferer = SliceInferer(roi_size=problem.sides, spatial_dim=0, **options)
    else:
        inferer = SlidingWindowInferer(problem.sides, **options)

    def step() -> float:
        network.train()
        optimizer.zero_grad()
        with autocast():
            scores = run(image)
        value = loss(scores.float(), label)
        scaler.scale(value).backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(network.parameters(), CLIP_NORM)
        scaler.step(optimizer)
        scaler.update()
        return value.item()

    def predict(tiles):
        return run(tiles.contiguous(memory_format=order))

    def whole() -> np.ndarray:
        network.eval()
        with torch.inference_mode(), autocast():
            return torch.softmax(inferer(scan, predict), 1)[0, 1].float().cpu().numpy()

    return network, step, whole
