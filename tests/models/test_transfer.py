from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from support.small_runs import training_options

from models.metadata import ModelMetadata
from models.transfer import check_transfer, copy_weights
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


def options(**changed):
    return training_options(model="unet3d", weights=Path("w.keras"), **changed)


def cube_of(**changed):
    same = {
        name: getattr(BEFORE, name)
        for name in ("spacing", "class_names", "class_members", "intensity")
    }
    return SimpleNamespace(**{**same, **changed})


def build(num_classes=3, seed=0):
    keras.utils.set_random_seed(seed)
    return unet_3d(SPACING, num_classes, **KEPT)


def test_network_for_the_same_cube_keeps_its_architecture(capsys):
    same = options(filters=2, dropout=0.0)

    assert check_transfer(options(), BEFORE, cube_of()) == KEPT
    assert check_transfer(same, BEFORE, cube_of()) == KEPT
    assert capsys.readouterr().out == "Starting from w.keras.\n" * 2


@pytest.mark.parametrize(
    ("name", "received", "kept"),
    [
        ("filters", 4, 2),
        ("depth", 2, 1),
        ("norm", "instance", "batch"),
        ("dropout", 0.5, 0.0),
        ("model", "unet2d", "unet3d"),
    ],
)
def test_other_architecture_is_refused_with_both_values(name, received, kept):
    shown = f"--{name} must be that of w.keras, {kept}. Received: {received}"
    with pytest.raises(UsageError, match=shown):
        check_transfer(replace(options(), **{name: received}), BEFORE, cube_of())


def test_differences_between_the_cubes_are_printed(capsys):
    cube = cube_of(
        spacing=(3.0, 1.5, 1.0),
        intensity=["window", -200.0, 1000.0],
        class_names=("background", "body"),
    )

    check_transfer(options(), BEFORE, cube)

    assert capsys.readouterr().out.splitlines() == [
        "Starting from w.keras.",
        "Its spacing was 2 x 1 x 0.5 mm, the cube's is 3 x 1.5 x 1 mm.",
        "Its intensity normalisation was zscore, the cube's is window, -200.0, 1000.0.",
        "Its classes were background, L1, L2, the cube's are background, body: "
        "it gets a new head.",
    ]


@pytest.mark.parametrize("names", [("body",), ("T12", "L1"), ("L2", "L1")])
def test_network_is_only_tested_on_its_own_classes(names, capsys):
    other = cube_of(class_names=("background", *names))

    with pytest.raises(UsageError, match=r"L1, L2\. Received a cube of: backgr"):
        check_transfer(options(epochs=0), BEFORE, other)

    check_transfer(options(), BEFORE, other)
    assert capsys.readouterr().out.splitlines()[1:] == [
        "Its classes were background, L1, L2, the cube's are background, "
        f"{', '.join(names)}: it gets a new head."
    ]


def test_class_of_other_structures_under_the_same_name_is_refused():
    names, discs = ("background", "spine"), ((), ("disc l1 l2", "disc l2 l3"))
    before = replace(BEFORE, class_names=names, class_members=((), ("L1", "L2")))

    def check(members, epochs=0, before=before):
        cube = cube_of(class_names=names, class_members=members)
        check_transfer(options(epochs=epochs), before, cube)

    shown = r"its class spine is L1, L2\. Received a cube whose .*is disc l1 l2, disc"
    with pytest.raises(UsageError, match=shown):
        check(discs)
    check(discs, epochs=1)
    # One structure in common; values, whose meaning is unknown; all; and unknown.
    for members in (((), ("L2", "L3")), ((), (1, 2)), ((), None), None):
        check(members)
    check(discs, before=replace(before, class_members=None))


def test_spacing_that_pools_other_axes_can_only_be_tested(capsys):
    # Depth 1: 2 x 1 x 0.5 halves the last two; 1 x 1 x 1 halves all.
    even = cube_of(spacing=(1.0, 1.0, 1.0))

    with pytest.raises(UsageError, match=r"2 x 1 x 0\.5 mm.*Received: 1 x 1 x 1 mm"):
        check_transfer(options(), BEFORE, even)

    check_transfer(options(epochs=0), BEFORE, even)
    assert (
        "1 x 1 x 1 mm; test cases are predicted at the network's spacing."
        in capsys.readouterr().out
    )


def test_same_classes_keep_every_weight():
    trained, network = build(seed=1), build(seed=2)

    copy_weights(trained, network, with_head=True)

    for one, other in zip(trained.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("num_classes", [2, 3])
def test_other_classes_get_a_new_head_and_all_else(num_classes):
    trained, network = build(3, seed=1), build(num_classes, seed=2)
    fresh = network.get_layer("scores").get_weights()

    copy_weights(trained, network, with_head=False)

    for layer in network.layers:
        source = trained.get_layer(layer.name).get_weights()
        expected = fresh if layer.name == "scores" else source
        for one, other in zip(layer.get_weights(), expected, strict=True):
            np.testing.assert_array_equal(one, other)


def test_weights_of_another_architecture_are_refused():
    trained = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])

    with pytest.raises(DataError, match="do not fit the network: No such layer"):
        copy_weights(trained, build(), with_head=True)
