"""Folds batch norms into the convolutions before them: the same function in fewer operations."""

from __future__ import annotations

import numpy as np
import tf_keras
from tf_keras import layers


def fold(child: tf_keras.Model) -> tf_keras.Model:
    """Copies a child, each convolution with the batch norm after it as one with a bias.

    With its calibrated statistics a batch norm is a scale and an offset a channel, so a kernel
    times the scale and a bias do its work; its layer becomes the identity, which is no
    operation. Logits differ by float32 rounding.

    Args:
      child: what `build_child` made, weights set: every batch norm reads a convolution without
        bias, whose output nothing else reads.

    Returns:
      A model with the same names of layers, inputs and outputs.
    """
    norms = {
        layer.inbound_nodes[0].inbound_layers.name: layer
        for layer in child.layers
        if isinstance(layer, layers.BatchNormalization)
    }

    def clone(layer: layers.Layer) -> layers.Layer:
        if isinstance(layer, layers.BatchNormalization):
            return layers.Activation("linear", name=layer.name)
        biased = {"use_bias": True} if layer.name in norms else {}
        return type(layer).from_config(layer.get_config() | biased)

    folded = tf_keras.models.clone_model(child, clone_function=clone)
    for layer in folded.layers:
        if layer.name in norms:
            layer.set_weights(_folded(child.get_layer(layer.name), norms[layer.name]))
        elif layer.weights:
            layer.set_weights(child.get_layer(layer.name).get_weights())
    return folded


def _folded(
    convolution: layers.Conv2D, norm: layers.BatchNormalization
) -> tuple[np.ndarray, np.ndarray]:
    """Kernel and bias; in float64, so that they are rounded once."""
    (kernel,) = convolution.get_weights()
    gamma, beta, mean, variance = (weight.astype(np.float64) for weight in norm.get_weights())
    scale = gamma / np.sqrt(variance + norm.epsilon)
    # A depthwise kernel has its channels last but one: [side, side, channels, 1].
    depthwise = isinstance(convolution, layers.DepthwiseConv2D)
    return kernel * (scale[:, np.newaxis] if depthwise else scale), beta - mean * scale
