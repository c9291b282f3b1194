"""MONAI's BasicUNet, configured as the U-Nets here are, and what is timed of it.

Filters, norm and activation are the same, with no bias before a norm. At its finest
level BasicUNet takes one and a half times as many channels; that block is rebuilt
without the surplus, so that both have the same number of parameters, and the same
probabilities with the same weights. The padding for odd sides is switched off, since
all sides are even here.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from benchmarks.networks import (
    CLIP_NORM,
    DEPTH,
    LEARNING_RATE,
    WEIGHT_DECAY,
    Calls,
    Problem,
)

NEGATIVE_SLOPE = 0.01


def is_installed() -> bool:
    """Return whether MONAI is installed."""
    return importlib.util.find_spec("monai") is not None


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


def _build_loss():
    """Build MONAI's Dice loss as `models.losses.DiceLoss` is."""
    from monai.losses import DiceLoss

    return DiceLoss(
        include_background=False,
        to_onehot_y=True,
        softmax=True,
        smooth_nr=1.0,
        smooth_dr=1.0,
    )


def _build_inferer(problem: Problem):
    """Build what predicts a scan in tiles, for UNet-2D slice by slice."""
    from monai.inferers import SliceInferer, SlidingWindowInferer

    options = {
        "sw_batch_size": problem.per_call,
        "overlap": problem.overlap,
        "mode": "gaussian",
    }
    if problem.rank == 2:
        return SliceInferer(roi_size=problem.sides, spatial_dim=0, **options)
    return SlidingWindowInferer(problem.sides, **options)


def _monai_way(problem: Problem, way: str, device: str, dtype: str) -> tuple:
    """Return a network, and its step and whole scan in one memory format."""
    import torch

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
    loss = _build_loss()
    batch = (torch.from_numpy(array[:, None]) for array in problem.batch())
    image, label = (array.to(device) for array in batch)
    image = image.contiguous(memory_format=order)
    scan = torch.from_numpy(problem.image()[None, None]).to(device)
    inferer = _build_inferer(problem)

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
