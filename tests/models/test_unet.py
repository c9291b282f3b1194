import keras
import numpy as np
import pytest
import tensorflow as tf

from models.layers import InstanceNormalization
from models.unet import (
    Block,
    build_unet,
    describe_blocks,
    describe_network,
    unet_2d,
    unet_3d,
)

# Right, anterior, superior: 4 mm stays while .7 and 1.4 are halved, then all are.
THICK = (4.0, 0.7, 0.7)


def images(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_output_keeps_the_sides_of_a_slice():
    network = unet_2d((9.0, 1.0, 0.4), 3, filters=2, depth=2)

    # .4 is halved twice, 1.0 once: sides divisible by 2 and by 4.
    assert network(images(2, 6, 12, 1)).shape == (2, 6, 12, 3)
    assert network.input_shape == (None, None, None, 1)


def test_output_keeps_the_sides_of_a_patch_with_thick_slices():
    network = unet_3d(THICK, 4, filters=2, depth=3)

    assert network(images(2, 2, 8, 16, 1)).shape == (2, 2, 8, 16, 4)
    pools = [network.get_layer(f"encoder_{level}_pool") for level in (1, 2, 3)]
    assert [pool.pool_size for pool in pools] == [(1, 2, 2), (1, 2, 2), (2, 2, 2)]
    convolutions = [network.get_layer(f"encoder_{level}_conv_1") for level in (1, 3)]
    assert [each.kernel_size for each in convolutions] == [(1, 3, 3), (3, 3, 3)]


def test_parameters_of_a_network_for_thick_slices_add_up():
    network = unet_3d(THICK, 3, filters=2, depth=1)

    # The kernels outside the bottom are 1 x 3 x 3; a norm has 2 figures a filter.
    encoder = (1 * 2 * 9 + 4) + (2 * 2 * 9 + 4)
    bottom = (2 * 4 * 27 + 8) + (4 * 4 * 27 + 8)
    up = 4 * 2 * (1 * 2 * 2) + 2
    decoder = (4 * 2 * 9 + 4) + (2 * 2 * 9 + 4)  # 2 channels from up, 2 skipped
    scores = 2 * 3 + 3
    assert network.count_params() == encoder + bottom + up + decoder + scores == 885


def test_parameters_of_a_flat_network_without_norm_add_up():
    network = unet_2d((9.0, 1.0, 0.5), 2, filters=2, depth=2, norm="none")

    # 3 x 3 kernels, each filter with a bias as no norm follows.
    encoder = (1 * 2 * 9 + 2) + (2 * 2 * 9 + 2) + (2 * 4 * 9 + 4) + (4 * 4 * 9 + 4)
    bottom = (4 * 8 * 9 + 8) + (8 * 8 * 9 + 8)
    decoder_2 = (8 * 4 * 4 + 4) + (8 * 4 * 9 + 4) + (4 * 4 * 9 + 4)
    decoder_1 = (4 * 2 * 4 + 2) + (4 * 2 * 9 + 2) + (2 * 2 * 9 + 2)
    scores = 2 * 2 + 2
    assert (
        network.count_params()
        == encoder + bottom + decoder_2 + decoder_1 + scores
        == 1886
    )


def test_filters_double_up_to_320():
    network = build_unet(spacing=(1.0, 1.0), num_classes=2, filters=96, depth=3)

    names = [*(f"encoder_{level}_conv_2" for level in (1, 2, 3)), "bottom_conv_1"]
    assert [network.get_layer(name).filters for name in names] == [96, 192, 320, 320]


def test_every_layer_is_named_by_its_place():
    network = unet_2d((9.0, 1.0, 1.0), 2, filters=2, depth=1, dropout=0.2)

    parts = ("conv", "norm", "activation")

    def block(name):
        convolutions = [f"{name}_{part}_{n}" for n in (1, 2) for part in parts]
        return [*convolutions, f"{name}_dropout"]

    encoder = [*block("encoder_1"), "encoder_1_pool", *block("bottom")]
    decoder = ["decoder_1_up", "decoder_1_skip", *block("decoder_1")]
    names = ["image", *encoder, *decoder, "scores", "probabilities"]
    assert [layer.name for layer in network.layers] == names
    assert network.get_layer("bottom_dropout").rate == 0.2


@pytest.mark.parametrize("spacing", [(1.0, 0.4), THICK])
def test_every_trainable_weight_gets_a_gradient(spacing):
    keras.utils.set_random_seed(1)
    network = build_unet(spacing=spacing, num_classes=3, filters=2, depth=1)
    x = images(2, *(4, 6, 8)[-len(spacing) :], 1)

    with tf.GradientTape() as tape:
        found = network(x, training=True)
        target = images(*found.shape, seed=2)
        loss = tf.reduce_sum(found * target)
    gradients = tape.gradient(loss, network.trainable_weights)

    assert len(gradients) == len(network.weights)
    for weight, gradient in zip(network.trainable_weights, gradients, strict=True):
        assert np.abs(gradient).max() > 0, weight.path
        assert np.isfinite(gradient).all(), weight.path


def test_skip_carries_the_image_past_the_bottom():
    network = build_unet(spacing=(1.0, 1.0), num_classes=2, filters=2, depth=1)
    up = network.get_layer("decoder_1_up")
    up.set_weights([np.zeros_like(each) for each in up.get_weights()])

    one, other = np.asarray(network(images(2, 4, 6, 1)))

    assert np.abs(one - other).max() > 0.01


@pytest.mark.parametrize(
    ("norm", "kind"),
    [
        ("instance", InstanceNormalization),
        ("group", keras.layers.GroupNormalization),
        ("batch", keras.layers.BatchNormalization),
    ],
)
def test_norm_is_the_one_asked_for(norm, kind):
    network = build_unet(
        spacing=(1.0, 1.0), num_classes=2, filters=8, depth=1, norm=norm
    )

    layer = network.get_layer("bottom_norm_2")
    assert type(layer) is kind
    assert getattr(layer, "groups", 8) == 8
    assert not network.get_layer("bottom_conv_2").use_bias


def test_instance_norm_makes_a_case_independent_of_its_batch():
    network = build_unet(spacing=(1.0, 1.0), num_classes=2, filters=2, depth=1)
    batch = images(3, 4, 6, 1)

    alone, together = network(batch[1:2]), network(batch, training=True)

    np.testing.assert_allclose(alone[0], together[1], atol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "mixed_float16"])
def test_probabilities_are_float32_and_sum_to_one(dtype):
    network = build_unet(
        spacing=(1.0, 1.0), num_classes=5, filters=2, depth=1, dtype=dtype
    )

    found = np.asarray(network(20 * images(2, 4, 6, 1)))

    assert found.dtype == np.float32
    np.testing.assert_allclose(found.sum(axis=-1), 1, atol=1e-5)
    assert (found >= 0).all()
    compute = "float32" if dtype == "float32" else "float16"
    assert network.get_layer("bottom_conv_1").compute_dtype == compute


@pytest.mark.parametrize(
    ("wrong", "shown"),
    [
        ({"spacing": (1.0,)}, r"2 or 3 axes.*spacing=\(1\.0,\)"),
        ({"spacing": (1.0,) * 4}, r"2 or 3 axes.*spacing=\(1\.0, 1\.0, 1"),
        ({"num_classes": 1}, "at least 2 classes.*num_classes=1"),
        ({"norm": "layer"}, "norm of .*'none'.*norm=layer"),
    ],
)
def test_what_is_no_unet_is_refused(wrong, shown):
    with pytest.raises(ValueError, match=shown):
        build_unet(**{"spacing": (1.0, 2.0), "num_classes": 2, **wrong})


def test_blocks_are_described_in_order_with_their_sides():
    network = unet_3d(THICK, 3, filters=2, depth=1)

    thin, cube = (1, 3, 3), (3, 3, 3)  # only the .7 mm axes are halved
    assert describe_blocks(network, (5, 8, 12)) == [
        Block("input", 1, (5, 8, 12)),
        Block("encoder_1", 2, (5, 8, 12), thin, pool=(1, 2, 2), convolutions=2),
        Block("bottom", 4, (5, 4, 6), cube, convolutions=2),
        Block("decoder_1", 2, (5, 8, 12), thin, convolutions=2),
        Block("probabilities", 3, (5, 8, 12), (1, 1, 1), convolutions=1),
    ]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "followed by instance normalisation and a leaky ReLU."),
        ({"norm": "none"}, "followed by no normalisation and a leaky ReLU."),
        (
            {"norm": "batch", "dropout": 0.25},
            "followed by batch normalisation and a leaky ReLU; "
            "dropout of 0.25 after each block.",
        ),
    ],
)
def test_network_is_described_in_a_sentence(options, sentence):
    network = unet_2d(THICK, 3, filters=2, depth=1, **options)

    described = describe_network(network)

    assert described.startswith(f"{network.count_params():,} parameters; ")
    assert described.endswith(sentence)
