from dataclasses import asdict
from types import SimpleNamespace

import numpy as np
import pytest
from support.small_runs import training_options

from models import gpu_defaults
from models.device import Gpu
from models.gpu_defaults import (
    Defaults,
    affordable_voxels,
    choose_dtype,
    defaults_for,
    settle_defaults,
)
from models.step_memory import step_bytes
from system.errors import DataError

GB = 10**9
CARDS = {
    "GTX 1060": Gpu("GTX 1060", (6, 1), 6 * GB),
    "RTX 2070": Gpu("RTX 2070", (7, 5), 8 * GB),
    "RTX 4090": Gpu("RTX 4090", (8, 9), 24 * GB),
    "A100": Gpu("A100", (8, 0), 80 * GB),
}
WHOLE_BODY = {"shape": (256, 256, 512), "spacing": (1.5, 1.5, 1.5), "num_classes": 2}
LUMBAR = {"shape": (48, 192, 192), "spacing": (2.0, 2.0, 2.0), "num_classes": 2}


def given(model="unet3d", **changed):
    """Return options in which nothing is given but the network and `changed`."""
    return training_options(**{"model": model, "mixed_precision": None} | changed)


def memory_of(found, options, grid):
    """Return the bytes that a step with these defaults takes."""
    architecture = {**options.architecture(), "filters": found.filters}
    return step_bytes(
        options.model,
        grid["spacing"],
        {**architecture, "dtype": found.dtype},
        num_classes=grid["num_classes"],
        voxels=found.batch_size * int(np.prod(found.patch_size)),
    )


@pytest.mark.parametrize(
    ("card", "patch_size", "batch_size", "dtype"),
    [
        ("GTX 1060", (80, 80, 80), 2, "float32"),
        ("RTX 2070", (112, 112, 128), 2, "mixed_float16"),
        ("RTX 4090", (160, 160, 160), 2, "mixed_bfloat16"),
        ("A100", (160, 160, 160), 8, "mixed_bfloat16"),
    ],
)
def test_larger_cards_get_larger_patches_then_larger_batches(
    card, patch_size, batch_size, dtype
):
    found = defaults_for(CARDS[card], given(), **WHOLE_BODY)

    assert found == Defaults(32, dtype, patch_size, batch_size)


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize("model", ["unet2d", "unet3d"])
@pytest.mark.parametrize("grid", [WHOLE_BODY, LUMBAR], ids=["body", "lumbar"])
@pytest.mark.parametrize(
    "changed",
    [{}, {"filters": 64}, {"batch_size": 3}, {"mixed_precision": False}, {"depth": 2}],
    ids=str,
)
def test_a_step_takes_at_most_seven_tenths_of_the_card(card, model, grid, changed):
    options = given(model, **changed)

    found = defaults_for(CARDS[card], options, **grid)

    assert memory_of(found, options, grid) <= 0.7 * CARDS[card].memory


def test_a_card_is_filled_where_patch_and_batch_are_not_bounded():
    found = defaults_for(CARDS["GTX 1060"], given(), **WHOLE_BODY)

    assert memory_of(found, given(), WHOLE_BODY) > 0.6 * 6 * GB


def test_what_is_given_stays_and_the_rest_is_fitted_to_it():
    found = defaults_for(
        CARDS["RTX 4090"],
        given(filters=16, patch_size=(64, 64, 64), mixed_precision=False),
        **WHOLE_BODY,
    )
    few = defaults_for(CARDS["GTX 1060"], given(batch_size=4), **WHOLE_BODY)

    assert found == Defaults(16, "float32", (64, 64, 64), 8)
    assert few == Defaults(32, "float32", (64, 64, 64), 4)


def test_patch_of_two_dimensions_has_two_sides():
    found = defaults_for(CARDS["A100"], given("unet2d"), **WHOLE_BODY)

    assert found == Defaults(32, "mixed_bfloat16", (256, 512), 8)


def test_batch_is_shared_by_processes():
    alone = defaults_for(CARDS["RTX 2070"], given(), **WHOLE_BODY)
    four = defaults_for(CARDS["RTX 2070"], given(), **WHOLE_BODY, processes=4)
    stated = defaults_for(
        CARDS["RTX 2070"], given(batch_size=8), **WHOLE_BODY, processes=4
    )

    assert four == Defaults(**asdict(alone) | {"batch_size": 8})
    assert stated == four  # two a card, as alone


def test_card_of_unknown_memory_gets_patch_and_batch_of_a_cpu():
    found = defaults_for(Gpu("Radeon"), given(), **WHOLE_BODY)

    assert found == Defaults(32, "float32", (64, 80, 80), 1)


def test_no_tensor_has_more_values_than_32_bits_count():
    huge = Gpu("huge", (9, 0), 10**13)
    architecture = {**given().architecture(), "filters": 32, "dtype": "mixed_bfloat16"}

    voxels = affordable_voxels(
        huge, "unet3d", (1.0, 1.0, 1.0), architecture, num_classes=2
    )

    assert voxels == (2**31 - 1) // 64  # the concatenation of two times 32 channels


@pytest.mark.parametrize(
    ("capability", "flag", "dtype"),
    [
        ((6, 1), None, "float32"),
        ((6, 1), True, "mixed_float16"),
        (None, None, "float32"),
        ((7, 0), None, "mixed_float16"),
        ((8, 0), None, "mixed_bfloat16"),
        ((8, 0), True, "mixed_bfloat16"),
        ((8, 0), False, "float32"),
    ],
)
def test_mixed_precision_where_the_card_has_it(capability, flag, dtype):
    assert choose_dtype(Gpu("card", capability), flag) == dtype


@pytest.fixture
def cube():
    """What is read of a cube."""
    names = ("background", "vertebra")
    return SimpleNamespace(**LUMBAR | {"class_names": names})


def test_nothing_is_filled_in_on_a_cpu(cube, capsys):
    assert settle_defaults(given(), cube, None) == (given(), {})
    assert capsys.readouterr().out == ""


def test_nothing_is_filled_in_where_nothing_is_trained(cube):
    options = given(epochs=0)

    assert settle_defaults(options, cube, CARDS["A100"]) == (options, {})


def test_what_is_filled_in_is_printed_in_one_line(cube, capsys):
    options, chosen = settle_defaults(given(filters=16), cube, CARDS["RTX 2070"])

    assert chosen == {
        "filters": 16,
        "dtype": "mixed_float16",
        "patch_size": [48, 192, 192],
        "batch_size": 3,
    }
    assert options == given(
        filters=16, dtype="mixed_float16", patch_size=(48, 192, 192), batch_size=3
    )
    assert options.architecture()["dtype"] == "mixed_float16"
    assert capsys.readouterr().out == (
        "For RTX 2070, 7 GiB, compute capability 7.5: 16 filters, 3 patches of "
        "48 x 192 x 192 voxels a step, mixed_float16\n"
    )


@pytest.mark.parametrize("other", [None, CARDS["GTX 1060"]], ids=["CPU", "GPU"])
def test_what_was_filled_in_stays_on_another_device(cube, other, capsys):
    options, chosen = settle_defaults(given(), cube, CARDS["A100"])

    resumed = settle_defaults(given(), cube, other, chosen)

    assert resumed == (options, chosen)
    assert "Kept from the start of the run: 32 filters" in capsys.readouterr().out


def test_run_begun_on_a_cpu_stays_as_it_was_on_a_gpu(cube):
    assert settle_defaults(given(), cube, CARDS["A100"], {}) == (given(), {})


def test_float16_in_three_dimensions_is_refused_on_a_cpu(cube):
    _, chosen = settle_defaults(given(), cube, CARDS["RTX 2070"])

    with pytest.raises(DataError, match=r"^UNet-3D in float16 needs a GPU"):
        settle_defaults(given(), cube, None, chosen)


def test_filters_of_trained_weights_decide_and_are_not_filled_in(
    cube, monkeypatch, tmp_path
):
    trained = {"filters": 64, "depth": 3, "norm": "batch", "dropout": 0.0}
    monkeypatch.setattr(
        gpu_defaults, "read_metadata", lambda _: SimpleNamespace(architecture=trained)
    )

    options, chosen = settle_defaults(given(weights=tmp_path), cube, CARDS["GTX 1060"])

    of_64 = defaults_for(CARDS["GTX 1060"], given(**trained), **LUMBAR)
    assert options.filters is None
    assert chosen == {
        "dtype": "float32",
        "patch_size": list(of_64.patch_size),
        "batch_size": of_64.batch_size,
    }
