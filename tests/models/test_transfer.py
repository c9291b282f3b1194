import json
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from support import small_runs
from support.small_runs import CASES, TINY

import makeCube
import train
from cube.reader import Cube
from models.averaging import WeightAverage
from models.losses import DiceLoss
from models.metrics import DiceCoefficient
from models.model_file import ModelMetadata, content_checksums, load_model
from models.training_loop import ScheduleSettings, TrainingLoop
from models.transfer import check_transfer, copy_weights, freeze_encoder
from models.unet import unet_3d
from system.errors import DataError, UsageError

SPACING = (2.0, 1.0, 0.5)
BEFORE = ModelMetadata(
    model="unet3d",
    spacing=SPACING,
    patch_size=(4, 8, 16),
    class_names=("background", "L1", "L2"),
    label_values=((), (20,), (21,)),
    intensity=("zscore",),
    architecture={"filters": 2, "depth": 1, "norm": "batch", "dropout": 0.0},
    cube_checksum="abc",
)
KEPT = BEFORE.architecture
ASKED = {
    **dict.fromkeys(("filters", "depth", "norm", "dropout")),
    **{"model": "unet3d", "weights": "w.keras", "epochs": 1},
}


def cube_of(**changed):
    same = {
        name: getattr(BEFORE, name) for name in ("spacing", "class_names", "intensity")
    }
    return SimpleNamespace(**{**same, **changed})


def build(num_classes=3, seed=0):
    keras.utils.set_random_seed(seed)
    return unet_3d(SPACING, num_classes, **KEPT)


def test_network_for_the_same_cube_keeps_its_architecture(capsys):
    same = {**ASKED, "filters": 2, "dropout": 0.0}

    assert check_transfer(ASKED, BEFORE, cube_of()) == KEPT
    assert check_transfer(same, BEFORE, cube_of()) == KEPT
    assert capsys.readouterr().out == "Starting from w.keras.\n" * 2


@pytest.mark.parametrize(
    ("name", "asked", "kept"),
    [
        ("filters", 4, 2),
        ("depth", 2, 1),
        ("norm", "instance", "batch"),
        ("dropout", 0.5, 0.0),
        ("model", "unet2d", "unet3d"),
    ],
)
def test_other_architecture_is_refused_with_both_values(name, asked, kept):
    with pytest.raises(
        UsageError, match=f"--{name} must be that of w.keras, {kept}. Received: {asked}"
    ):
        check_transfer({**ASKED, name: asked}, BEFORE, cube_of())


def test_shifts_between_the_cubes_are_said(capsys):
    cube = cube_of(
        spacing=(3.0, 1.5, 1.0),
        intensity=["window", -200.0, 1000.0],
        class_names=("background", "body"),
    )

    check_transfer(ASKED, BEFORE, cube)

    assert capsys.readouterr().out.splitlines() == [
        "Starting from w.keras.",
        "Its spacing was 2 x 1 x 0.5 mm, the cube's is 3 x 1.5 x 1 mm",
        "Its intensities were by zscore, the cube's are by window, -200.0, 1000.0",
        "Its classes were background, L1, L2, the cube's are background, body: "
        "it gets a new head.",
    ]


@pytest.mark.parametrize("names", [("body",), ("T12", "L1"), ("L2", "L1")])
def test_network_is_only_tested_on_its_own_classes(names, capsys):
    other = cube_of(class_names=("background", *names))

    with pytest.raises(UsageError, match=r"L1, L2\. Received a cube of: backgr"):
        check_transfer({**ASKED, "epochs": 0}, BEFORE, other)

    check_transfer(ASKED, BEFORE, other)
    assert capsys.readouterr().out.splitlines()[1:] == [
        "Its classes were background, L1, L2, the cube's are background, "
        f"{', '.join(names)}: it gets a new head."
    ]


def test_spacing_that_halves_other_axes_can_only_be_tested(capsys):
    # Depth 1: 2 x 1 x 0.5 halves the last two; 1 x 1 x 1 halves all.
    even = cube_of(spacing=(1.0, 1.0, 1.0))

    with pytest.raises(UsageError, match=r"2 x 1 x 0\.5 mm.*Received: 1 x 1 x 1 mm"):
        check_transfer(ASKED, BEFORE, even)

    check_transfer({**ASKED, "epochs": 0}, BEFORE, even)
    assert "1 x 1 x 1 mm; scans are tested at its own" in capsys.readouterr().out


def test_same_classes_carry_every_weight():
    trained, network = build(seed=1), build(seed=2)

    copy_weights(trained, network, same_head=True)

    for one, other in zip(trained.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("num_classes", [2, 3])
def test_other_classes_get_a_new_head_and_all_else(num_classes):
    trained, network = build(3, seed=1), build(num_classes, seed=2)
    fresh = network.get_layer("scores").get_weights()

    copy_weights(trained, network, same_head=False)

    for layer in network.layers:
        source = trained.get_layer(layer.name).get_weights()
        expected = fresh if layer.name == "scores" else source
        for one, other in zip(layer.get_weights(), expected, strict=True):
            np.testing.assert_array_equal(one, other)


def test_weights_of_another_architecture_are_refused():
    trained = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])

    with pytest.raises(DataError, match="do not fit the network: No such layer"):
        copy_weights(trained, build(), same_head=True)


class Drawn:
    """Stands in for a sampler: a batch that its step alone decides."""

    def batch(self, step):
        images = np.random.default_rng(step).normal(size=(2, 4, 4, 8, 1))
        labels = np.digitize(images[..., 0], [0.5, 1.0]).astype(np.uint8)
        return images.astype(np.float32), labels


def test_frozen_encoder_keeps_its_weights_bit_for_bit(capsys):
    network = build()  # batch norm: moving averages could move
    before = {layer.name: layer.get_weights() for layer in network.layers}
    freeze_encoder(network)
    model = keras.Model(network.inputs, network.outputs)
    model.compile(
        keras.optimizers.AdamW(0.01, weight_decay=0.1),
        DiceLoss(),
        metrics=[DiceCoefficient()],
        jit_compile=False,
    )
    average = WeightAverage(model, 0.9)

    TrainingLoop(
        model, Drawn(), ScheduleSettings(1, None, 3, 0.01), average=average
    ).run(None, lambda: None, lambda _: None)

    after = {layer.name: layer.get_weights() for layer in network.layers}
    with average.in_place():
        averaged = {layer.name: layer.get_weights() for layer in network.layers}
    for name, values in before.items():
        frozen = name.startswith(("encoder_1", "bottom"))
        for value, *found in zip(values, after[name], averaged[name], strict=True):
            for each in found:
                assert np.array_equal(value, each) == frozen, name
    # (18 + 4 * 2), (36 + 4 * 2): kernels 1 x 3 x 3 and four figures of batch norm;
    # at the bottom 3 x 3 x 3: 2 * 4 * 27 + 4 * 4, 4 * 4 * 27 + 4 * 4.
    frozen = 18 + 8 + 36 + 8 + 216 + 16 + 432 + 16
    shown = f"{frozen} of {network.count_params():,} parameters are frozen."
    assert shown in capsys.readouterr().out


@pytest.fixture(scope="module")
def binary_cube(small_cube, tmp_path_factory):
    """The same scans with one class, at another spacing."""
    cube = tmp_path_factory.mktemp("binary") / "cube.h5"
    flags = ["--spacing", "2.5", "--copies", "0", "--workers", "1"]
    pairs = str(small_cube.parent / "pairs.txt")
    assert makeCube.main([pairs, "--output", str(cube), *flags]) == 0
    return cube


def call(cube, run, *flags):
    return train.main([str(cube), "--output", str(run), "--model", "unet2d", *flags])


def test_trained_network_learns_another_cube_with_a_new_head_and_a_frozen_encoder(
    binary_cube, small_run, tmp_path, capsys
):
    weights = small_run / "model.keras"
    flags = ["--weights", str(weights), "--freeze", "encoder", "--epochs", "1"]

    assert call(binary_cube, tmp_path, *flags, *TINY[4:]) == 0

    shown = capsys.readouterr().out
    assert "Its spacing was 2 x 2 x 2 mm, the cube's is 2.5 x 2.5 x 2.5 mm" in shown
    assert "the cube's are background, spine: it gets a new head." in shown
    (one, _), (other, metadata) = map(load_model, (weights, tmp_path / "model.keras"))
    for layer in one.layers:
        if layer.name.startswith(("encoder", "bottom")):
            after = other.get_layer(layer.name).get_weights()
            for value, found in zip(layer.get_weights(), after, strict=True):
                np.testing.assert_array_equal(value, found)
    assert other.output_shape[-1] == 2
    assert (metadata.spacing, metadata.class_names) == (
        (2.5, 2.5, 2.5),
        ("background", "spine"),
    )
    scores = json.loads((tmp_path / "summary.json").read_text())["scores"]
    assert scores["num_cases"] == 2


def test_scans_seen_in_another_cube_are_not_tested(small_run, tmp_path, capsys):
    cube = small_runs.write_cube(tmp_path, {"ann": "test", "ben": "train"})
    weights = str(small_run / "model.keras")

    for flags in (["--epochs", "0"], ["--epochs", "1"]):
        assert call(cube, tmp_path / flags[1], "--weights", weights, *flags) == 2
        assert "Received: ann, on which it was trained" in capsys.readouterr().err

    _, metadata = load_model(small_run / "model.keras")
    with Cube(cube) as opened:
        assert set(metadata.seen) == content_checksums(
            opened, "test"
        ) | content_checksums(opened, "train")


def test_network_of_a_network_has_seen_what_both_have(small_run, tmp_path):
    cube = small_runs.write_cube(tmp_path, {**CASES, "dan": "train"})
    flags = ["--weights", str(small_run / "model.keras"), "--epochs", "1", *TINY[4:]]

    assert call(cube, tmp_path / "run", *flags) == 0

    (_, before), (_, after) = (
        load_model(run / "model.keras") for run in (small_run, tmp_path / "run")
    )
    with Cube(cube) as opened:
        learned = content_checksums(opened, "train")
    assert len(learned - set(before.seen)) == 1
    assert set(after.seen) == learned.union(before.seen)


@pytest.mark.parametrize(
    ("flags", "shown"),
    [
        (
            ["--epochs", "0"],
            "in their order: background, L1, L2. Received",
        ),
        (["--epochs", "1", "--filters", "4"], "model.keras, 2. Received: 4"),
    ],
)
def test_weights_that_do_not_fit_end_with_two(
    binary_cube, small_run, tmp_path, capsys, flags, shown
):
    weights = ["--weights", str(small_run / "model.keras")]

    assert call(binary_cube, tmp_path, *weights, *flags) == 2
    assert shown in capsys.readouterr().err
