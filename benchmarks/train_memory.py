"""Compare the memory of training steps on a CPU with the formula of the defaults.

Example:
    python benchmarks/train_memory.py --json train_memory.json

Each case is a process of its own: a network is built and compiled as by train.py and
takes two steps. The growth of the peak memory, and what the network and its optimizer
took before, are compared with `models.step_memory.step_bytes`, by which train.py fills
the memory of a GPU. There the memory is not the same: cuDNN has work space of its own.
Linux only.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from benchmarks import timing
from benchmarks.timing import Row, compare

MIB = 2**20
CUBIC, SLICED = (1.0, 1.0, 1.0), (4.0, 1.0, 1.0)


@dataclass(frozen=True)
class Case:
    """A network and its batch.

    Args:
        patch_size: (I, J, K); I = 1 for UNet-2D.
        batch_size: Number of patches.
        filters: Of the first level.
        num_classes: Background included.
        spacing: Of the voxels, in mm.
        dtype: Keras dtype policy.
        depth: Of the network.
    """

    patch_size: tuple[int, int, int]
    batch_size: int = 1
    filters: int = 8
    num_classes: int = 2
    spacing: tuple[float, float, float] = CUBIC
    dtype: str = "float32"
    depth: int = 4

    @property
    def model(self) -> str:
        """The network of that rank."""
        return "unet2d" if self.patch_size[0] == 1 else "unet3d"

    @property
    def architecture(self) -> dict:
        """Arguments of `build_unet`."""
        sizes = {"filters": self.filters, "depth": self.depth, "dtype": self.dtype}
        return {"norm": "instance", "dropout": 0.0, **sizes}

    @property
    def name(self) -> str:
        """Of the row."""
        sides = " x ".join(map(str, (self.batch_size, *self.patch_size)))
        layout = f"{self.dtype}, depth {self.depth}, {self.spacing[0]:g} mm"
        counts = f"{self.filters} filters, {self.num_classes} classes"
        return f"{self.model} {sides}, {counts}, {layout}"

    def predicted(self) -> int:
        """Return the bytes by the formula."""
        from models.step_memory import step_bytes

        return step_bytes(
            self.model,
            self.spacing,
            self.architecture,
            num_classes=self.num_classes,
            voxels=self.batch_size * int(np.prod(self.patch_size)),
        )


QUICK = (
    Case((32, 32, 32)),
    Case((64, 64, 64)),
    Case((64, 64, 64), filters=16),
    Case((48, 48, 48), num_classes=20),
    Case((1, 128, 128), 4),
    Case((1, 256, 256), 2, filters=16, num_classes=20),
)
CASES = (
    *QUICK,
    Case((1, 256, 256), 4, filters=16),
    Case((48, 96, 96)),
    Case((96, 96, 96), 2),
    Case((32, 32, 32), filters=32),
    Case((96, 96, 96), 1, filters=32),
    Case((128, 128, 128), 1, filters=16),
    Case((32, 128, 128), 1, filters=16, spacing=SLICED),
    Case((64, 64, 64), 2, filters=16, num_classes=26),
    Case((64, 64, 64), 2, filters=16, depth=3),
    Case((64, 64, 64), 2, filters=16, dtype="mixed_bfloat16"),
    Case((1, 128, 128), 6),
    Case((1, 256, 256), 8, filters=32),
    Case((1, 512, 512), 4, filters=16),
    Case((1, 256, 256), 8, filters=16, num_classes=26),
)


def growth_of(case: Case) -> int:
    """Train two steps in this process; return by how many bytes the peak grew."""
    import models  # noqa: F401  sets TensorFlow up before it is imported

    # isort: split
    import keras

    from models.losses import DiceLoss
    from models.training_step import TrainingStep, read_sums
    from models.unet import BUILDERS

    network = BUILDERS[case.model](case.spacing, case.num_classes, **case.architecture)
    optimizer = keras.optimizers.AdamW(weight_decay=1e-4, global_clipnorm=1.0)
    network.compile(optimizer, DiceLoss(), jit_compile=False)
    step = TrainingStep(network)
    sides = case.patch_size[1:] if case.model == "unet2d" else case.patch_size
    rng = np.random.default_rng(0)
    images = rng.standard_normal((case.batch_size, *sides, 1), dtype=np.float32)
    labels = rng.integers(0, case.num_classes, images.shape[:-1], dtype=np.uint8)
    timing.reset_peak()
    before = timing.read_status("VmRSS")
    for _ in range(2):
        sums = step(images, labels, rate=1e-3, batch_size=case.batch_size, seconds=0.0)
        read_sums(sums)
    # Weights, their average and the optimizer's moments were there before.
    variables = (*network.weights, *network.weights, *optimizer.variables)
    held = sum(4 * int(np.prod(variable.shape)) for variable in variables)
    return timing.read_status("VmHWM") - before + held


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    timing.add_flags(parser)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure each case in a process of its own; print the error of the formula."""
    args = parse_args(argv)
    context = multiprocessing.get_context("spawn")
    rows: list[Row] = []
    print("measured MiB  formula  error")
    for case in QUICK if args.quick else CASES:
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            measured = pool.submit(growth_of, case).result()
        name = f"{case.name} (bytes; peer: by the formula)"
        row = compare(name, measured, case.predicted(), target=1.0)
        rows.append(row)
        sizes = f"{row.ours / MIB:12.0f}  {row.peer / MIB:7.0f}"
        print(f"{sizes}  {row.ratio - 1:+5.0%}  {case.name}", flush=True)
    errors = [row.ratio - 1 for row in rows]
    print(
        f"\nMean error {np.mean(np.abs(errors)):.1%}, from {min(errors):+.1%} to "
        f"{max(errors):+.1%}"
    )
    timing.write_rows(args.json, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
