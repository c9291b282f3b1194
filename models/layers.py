"""Faster versions of two Keras layers."""

from __future__ import annotations

import keras
import tensorflow as tf
from keras import ops

MAX_UNROLLED = 32  # more cases normalised one by one would make the graph too long


@keras.saving.register_keras_serializable(package="models")
class InstanceNormalization(keras.layers.Layer):
    """Normalise each channel of each case, then scale and shift it.

    Computes the same as `keras.layers.GroupNormalization(-1)`, whose thirty
    operations take a fifth of a training step, by a fused batch normalisation, one
    operation. That takes its statistics over the batch and knows two spatial axes
    only, so it is given one case at a time, with the voxels along one axis.

    Args:
        epsilon: Added to the variance, so that a constant channel becomes 0.
        **options: Passed to `keras.layers.Layer`.

    Reference:
        [Ulyanov et al., 2016](https://arxiv.org/abs/1607.08022).
    """

    def __init__(self, epsilon: float = 1e-5, **options):
        super().__init__(**options)
        self.epsilon = epsilon

    def build(self, input_shape):
        # The fused operation takes these in float32, whatever the features are.
        options = {"shape": (input_shape[-1],), "autocast": False}
        self.gamma = self.add_weight(name="gamma", initializer="ones", **options)
        self.beta = self.add_weight(name="beta", initializer="zeros", **options)

    def call(self, inputs):
        num_cases = inputs.shape[0]
        if num_cases is None or num_cases > MAX_UNROLLED:
            return self._normalise_as_channels(inputs)
        cases = [self._fused(case) for case in tf.unstack(inputs)]
        return tf.reshape(tf.stack(cases), tf.shape(inputs))

    def _fused(self, x, copies=1):
        """Normalise each channel of (voxels, copies * C)."""
        result = tf.raw_ops.FusedBatchNormV3(
            x=tf.reshape(x, (1, -1, 1, copies * self.gamma.shape[0])),
            scale=tf.tile(self.gamma, [copies]),
            offset=tf.tile(self.beta, [copies]),
            mean=[],
            variance=[],
            epsilon=self.epsilon,
        )
        return result.y

    def _normalise_as_channels(self, inputs):
        """Normalise all cases at once as channels of one; two transpositions slower."""
        num_cases, channels = tf.shape(inputs)[0], inputs.shape[-1]
        x = tf.reshape(inputs, (num_cases, -1, channels))
        x = self._fused(tf.transpose(x, (1, 0, 2)), num_cases)
        x = tf.transpose(tf.reshape(x, (-1, num_cases, channels)), (1, 0, 2))
        return tf.reshape(x, tf.shape(inputs))

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon}


@keras.saving.register_keras_serializable(package="models")
class Softmax(keras.layers.Softmax):
    """Softmax over the channels.

    With two channels, each is the sigmoid of its difference from the other, which
    takes a third of the time.
    """

    def call(self, inputs):
        if inputs.shape[-1] != 2:
            return super().call(inputs)
        return ops.sigmoid(inputs - ops.flip(inputs, axis=-1))
