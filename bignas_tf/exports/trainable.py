"""A child's weights as they were trained, kept in every export, to train on from and to convert.

The graph of an export is frozen. `weights.npz` beside it has the same child with its batch norms
apart, and `child.json` says which architecture of which space it is.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Mapping

import numpy as np
import tf_keras
from tf_keras import layers

from bignas_tf import errors, files, plain
from bignas_tf.exports import arrays, versions
from bignas_tf.modeling import child as child_lib
from bignas_tf.search_space import blocks, plain_space
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.search_space.space import SearchSpace

WEIGHTS_FILE = "weights.npz"
SPACE_FIELD, NETWORK_FIELD = "search_space", "network"
# The strides of the features, as levels: the powers of 2 that detectors and segmenters name.
_LOWEST_LEVEL = 2


def write(folder: pathlib.Path, child: tf_keras.Model) -> None:
    """Adds the weights of `build_child`'s model to an export, and checks what was written.

    Raises:
      RunError: other weights are read back.
    """
    path, weights = folder / WEIGHTS_FILE, _weights_of(child)
    np.savez(path, allow_pickle=False, **weights)
    held = arrays.read(path)
    if held.keys() != weights.keys() or any(
        held[name].tobytes() != array.tobytes() for name, array in weights.items()
    ):
        raise errors.RunError(f"{path} does not hold what was written; the disk may be failing")


@dataclasses.dataclass(frozen=True)
class TrainableChild:
    """What an export knows of its child.

    Attributes:
      space: that it belongs to.
      architecture: its choices.
      channels: of its images, 1 or 3.
      weights: by layer and weight, such as "stem_conv/kernel".
      path: of the file of weights, for messages.
    """

    space: SearchSpace
    architecture: Architecture
    channels: int
    weights: Mapping[str, np.ndarray]
    path: pathlib.Path

    def features(self, height: int | None = None, width: int | None = None) -> tf_keras.Model:
        """The child without its head, with fresh weights.

        Args:
          height: of the images, which need not be the child's resolution; None for any.
          width: likewise.

        Returns:
          A model from float32 [N, height, width, channels] images in [-1, 1] to the last features
          of each stride from 4 on, by level: "2" for a stride of 4, "3" for 8 and so on.

        Raises:
          UsageError: the child has no stride of 4, or needs to know the size.
        """
        images = layers.Input((height, width, self.channels), name="images")
        table = blocks.resolve_child(self.space, self.architecture)
        strides = child_lib.add_features(images, self.space, table)
        levels = {stride.bit_length() - 1: x for stride, x in strides.items()}
        chosen = {str(level): x for level, x in levels.items() if level >= _LOWEST_LEVEL}
        if not chosen:
            raise errors.UsageError(
                f"the largest stride of a child of {self.space.name!r} is {max(strides)}; features "
                f"begin at {1 << _LOWEST_LEVEL}"
            )
        return tf_keras.Model(images, chosen, name="features")

    def model(self, num_classes: int) -> tf_keras.Model:
        """The whole child, as it was exported.

        Args:
          num_classes: of its classifier.

        Returns:
          A model from float32 [N, R, R, channels] images in [-1, 1] to logits [N, num_classes], R
          being the child's resolution.

        Raises:
          UsageError: the weights are of another architecture, or of other classes.
        """
        model = child_lib.build_child(self.space, self.architecture, num_classes, self.channels)
        self.load_into(model)
        return model

    def load_into(self, model: tf_keras.Model) -> None:
        """Sets every weight of a model of this child's layers, such as that of `features`.

        Raises:
          UsageError: the weights are of another architecture.
        """
        try:
            for layer in model.layers:
                layer.set_weights([self.weights[name] for name in _names(layer)])
        except (KeyError, ValueError) as error:
            raise errors.UsageError(
                f"{self.path} does not fit child.json beside it ({errors.one_line(error)}); "
                "export again"
            ) from error


def read(version: str | os.PathLike[str]) -> TrainableChild:
    """Reads the child of an export.

    Args:
      version: folder of one version.

    Raises:
      UsageError: it is not the folder of a child, is of a network of a user's own, was exported
        before exports had weights, or a file is damaged.
    """
    folder = pathlib.Path(errors.require_path("version", version))
    card_path = versions.child_file(folder, "give the version of one child")
    path = folder / WEIGHTS_FILE
    with files.reading(card_path, "tools.export") as card:
        known = card.fields()
    if NETWORK_FIELD in known:
        raise errors.UsageError(
            f"{folder} is a child of {known[NETWORK_FIELD].text()}, a network of a user's own, of "
            "which no Keras layers are known to train it further"
        )
    if not files.is_file(path) or SPACE_FIELD not in known:
        raise errors.UsageError(
            f"{folder} was exported before exports had trainable weights ({WEIGHTS_FILE}); export "
            "the child again"
        )
    with files.written_by("tools.export", card_path):
        architecture = card["architecture"].parsed(Architecture.from_json)
        space = plain_space.from_dict(card[SPACE_FIELD].content, SPACE_FIELD)
        channels = card["input"]["channels"].count(1, 3)
        space.validate(architecture)
    return TrainableChild(space, architecture, channels, arrays.read(path), path)


def backbone(
    version: str | os.PathLike[str], height: int | None = None, width: int | None = None
) -> tf_keras.Model:
    """Loads the features of an exported child, to train them further in any Keras model.

    Args:
      version: folder of one version.
      height: of the images, which need not be the child's resolution; None for any.
      width: likewise.

    Returns:
      A trainable model from float32 [N, height, width, channels] images in [-1, 1] to the last
      features of each stride from 4 on, by level: "2" for a stride of 4, "3" for 8 and so on.

    Raises:
      UsageError: the folder has no trainable weights, a file of it is damaged, a size is none, or
        the child needs to know it.
    """
    for name, side in (("height", height), ("width", width)):
        if side is not None:
            plain.whole(name, side, 1)
    child = read(version)
    model = child.features(height, width)
    child.load_into(model)
    child_lib.set_momentum(model)
    return model


def _weights_of(child: tf_keras.Model) -> dict[str, np.ndarray]:
    return {
        name: array
        for layer in child.layers
        for name, array in zip(_names(layer), layer.get_weights(), strict=True)
    }


def _names(layer: layers.Layer) -> list[str]:
    """The names of a layer's weights in a file, in Keras' order."""
    own = (weight.name.rpartition("/")[2].partition(":")[0] for weight in layer.weights)
    return [f"{layer.name}/{name}" for name in own]
