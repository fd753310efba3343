"""Children as backbones of `official.vision`, the TensorFlow Model Garden's vision models."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from official.modeling import hyperparams
from official.vision.modeling.backbones import factory
from tf_keras import layers

from bignas_tf import errors
from bignas_tf.exports import trainable
from bignas_tf.garden.config import NAME, BignasChild, require_child

_HALF_RANGE = 127.5  # children read pixels from 0 to 255 as [-1, 1]


class ChildBackbone(tf_keras.Model):
    """Images as the Garden's pipelines normalise them to the child's features by level.

    Args:
      inputs: images [N, H, W, C].
      outputs: features [N, H / 2^level, W / 2^level, width] by level: "2", "3" and so on.
      **kwargs: of a Keras model.
    """

    def __init__(self, inputs: tf.Tensor, outputs: dict[str, tf.Tensor], **kwargs: Any) -> None:
        super().__init__(inputs, outputs, **kwargs)
        self.output_specs = {level: x.shape for level, x in outputs.items()}


@factory.register_backbone_builder(NAME)
def build(
    input_specs: layers.InputSpec,
    backbone_config: hyperparams.OneOfConfig,
    norm_activation_config: hyperparams.Config,
    l2_regularizer: tf_keras.regularizers.Regularizer | None = None,
) -> ChildBackbone:
    """Builds the backbone that a configuration names; the Garden calls it.

    The child's activations, and what its batch norms add to a variance, are its own.

    Args:
      input_specs: of the images, [N, H, W, C]; H and W may be None.
      backbone_config: whose type is "bignas_child".
      norm_activation_config: says how slowly batch norms average (`norm_momentum`), and whether
        replicas share their statistics in training (`use_sync_bn`).
      l2_regularizer: of the kernels that are not depthwise, as in the Garden's MobileNets.

    Raises:
      UsageError: no such export, one without trainable weights, or images of other channels.
    """
    config: BignasChild = backbone_config.get()
    require_child(config.export_dir)
    child = trainable.read(config.export_dir)
    if len(input_specs.shape) != 4:
        raise errors.UsageError(
            f"a child reads images, and this model has inputs of {len(input_specs.shape)} axes"
        )
    _, height, width, channels = input_specs.shape
    features = _adapted(child.features(height, width), norm_activation_config, l2_regularizer)
    if config.pretrained:
        child.load_into(features)
    images = layers.Input((height, width, channels), name="images")
    outputs = features(_as_trained(images, config, child.channels))
    return ChildBackbone(images, outputs, name=NAME)


def _adapted(
    features: tf_keras.Model,
    norm: hyperparams.Config,
    regularizer: tf_keras.regularizers.Regularizer | None,
) -> tf_keras.Model:
    """The same layers with the Garden's settings."""

    def clone(layer: layers.Layer) -> layers.Layer:
        config = layer.get_config()
        if isinstance(layer, layers.BatchNormalization):
            config |= {"momentum": norm.norm_momentum, "synchronized": norm.use_sync_bn}
        elif isinstance(layer, layers.Conv2D | layers.Dense):
            config["kernel_regularizer"] = regularizer
        return type(layer).from_config(config)

    return tf_keras.models.clone_model(features, clone_function=clone)


def _as_trained(images: tf.Tensor, config: BignasChild, channels: int) -> tf.Tensor:
    """Images normalised by the pipeline to [-1, 1], what children are trained on."""
    given = images.shape[-1]
    if given not in (channels, 3) or len(config.mean) != given or len(config.stddev) != given:
        raise errors.UsageError(
            f"the child reads {channels} channels and the images have {given}, with a mean of "
            f"{len(config.mean)} and a stddev of {len(config.stddev)}; give each image as many as "
            "the child, or 3 to a child of grey images, and a mean and a stddev for each"
        )
    mean, stddev = np.array(config.mean), np.array(config.stddev)
    if not (np.isfinite(mean).all() and np.isfinite(stddev).all() and (stddev > 0).all()):
        raise errors.UsageError(
            f"mean is {config.mean} and stddev {config.stddev}; both must be finite, and "
            "every stddev above 0"
        )
    scale, offset = stddev / _HALF_RANGE, (mean - _HALF_RANGE) / _HALF_RANGE
    x = layers.Rescaling(scale.tolist(), offset.tolist(), name="as_trained")(images)
    return x if given == channels else tf.image.rgb_to_grayscale(x)
