import keras
import numpy as np
import pytest
import tensorflow as tf

from models.layers import MAX_UNROLLED, InstanceNormalization, Softmax

RANKS = [(3, 4), (2, 3, 4)]


def features(*shape, seed=0):
    """Channels of unlike mean and spread, each case another."""
    rng = np.random.default_rng(seed)
    offset = rng.normal(size=(shape[0], *(1,) * (len(shape) - 2), shape[-1]))
    return (rng.normal(size=shape) * 2 + 3 * offset).astype(np.float32)


def built(channels, rank):
    layer = InstanceNormalization()
    layer.build((None, *(None,) * rank, channels))
    rng = np.random.default_rng(1)
    layer.set_weights([rng.normal(1, 0.2, channels), rng.normal(0, 0.2, channels)])
    return layer


def gradients_of(layer, x):
    x, cotangent = tf.constant(x), features(*x.shape, seed=2)
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(layer(x) * cotangent)
    return tape.gradient(loss, [x, *layer.trainable_weights])


def test_each_channel_of_each_case_is_normalised_alone():
    # Two cases, two voxels, two channels: means 2, 10 and 0, 5; deviations 1, 2, 3, 0.
    x = np.array([[[1, 8], [3, 12]], [[-3, 5], [3, 5]]], np.float32)[:, None]

    found = InstanceNormalization(epsilon=0.0)(x[:1])
    other = InstanceNormalization()(x[1:])

    np.testing.assert_allclose(found[0, 0], [[-1, -1], [1, 1]], atol=1e-6)
    # A constant channel becomes 0.
    np.testing.assert_allclose(other[0, 0], [[-1, 0], [1, 0]], atol=1e-5)


@pytest.mark.parametrize("sides", RANKS)
@pytest.mark.parametrize("num_cases", [1, 3, MAX_UNROLLED + 1])
def test_result_and_gradients_are_those_of_keras(sides, num_cases):
    x = features(num_cases, *sides, 5)
    ours = built(5, len(sides))
    keras_own = keras.layers.GroupNormalization(-1, epsilon=1e-5)
    keras_own.build((None, *sides, 5))
    keras_own.set_weights(ours.get_weights())

    np.testing.assert_allclose(ours(x), keras_own(x), atol=1e-5)
    for found, expected in zip(
        gradients_of(ours, x), gradients_of(keras_own, x), strict=True
    ):
        # Sums over up to 33 cases of 24 voxels.
        np.testing.assert_allclose(found, expected, atol=2e-4)


@pytest.mark.parametrize("sides", RANKS)
def test_number_of_cases_need_not_be_known(sides):
    layer = built(2, len(sides))
    shape = [None, *sides, 2]
    unknown = tf.function(layer.__call__, input_signature=[tf.TensorSpec(shape)])
    x = features(3, *sides, 2)

    np.testing.assert_allclose(unknown(x), layer(x), atol=1e-6)


def test_one_voxel_becomes_the_shift():
    layer = built(2, 3)

    found = layer(features(2, 1, 1, 1, 2))

    np.testing.assert_array_equal(found[:, 0, 0, 0], [layer.beta] * 2)


def test_statistics_of_float16_are_taken_in_float32():
    # The squares of 300 and their sums are beyond 65,504, where float16 ends.
    layer = InstanceNormalization(dtype="mixed_float16")
    x = np.array([0, 600], np.float16).reshape(1, 2, 1, 1)

    found = layer(x)

    assert found.dtype == "float16"
    np.testing.assert_allclose(np.ravel(found), [-1, 1], atol=1e-3)


@pytest.mark.parametrize("channels", [2, 3])
def test_softmax_and_its_gradient_are_those_of_keras(channels):
    x = tf.constant(features(2, 3, 4, channels))
    cotangent = features(2, 3, 4, channels, seed=3)
    found = []

    for layer in (Softmax(), keras.layers.Softmax()):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
        found.append((y, tape.gradient(y, x, output_gradients=cotangent)))

    (ours, our_gradient), (keras_own, its_gradient) = found
    np.testing.assert_allclose(ours, keras_own, atol=1e-6)
    np.testing.assert_allclose(our_gradient, its_gradient, atol=1e-6)


def test_softmax_of_two_is_sure_where_their_scores_are_far_apart():
    # exp(1000) is beyond float32.
    found = Softmax()(np.array([[[1000, -1000], [0, 0]]], np.float32))

    np.testing.assert_array_equal(found, [[[1, 0], [0.5, 0.5]]])


@pytest.mark.parametrize("kind", [InstanceNormalization, Softmax])
def test_layer_survives_serialisation(kind):
    options = {InstanceNormalization: {"epsilon": 0.5}, Softmax: {}}[kind]
    before = kind(**options, name="mine")

    after = keras.layers.deserialize(keras.layers.serialize(before))

    assert (type(after), after.name) == (kind, "mine")
    x = features(2, 3, 4, 2)
    np.testing.assert_array_equal(after(x), before(x))
