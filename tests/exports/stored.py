"""Children with telling weights, in folders that have of an export what training takes."""

from __future__ import annotations

import dataclasses
import pathlib

import numpy as np
import tf_keras

from bignas_tf import files
from bignas_tf.exports import trainable, versions
from bignas_tf.modeling import child as child_lib
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.search_space.space import SearchSpace
from tests.modeling import helpers
from tests.search_space import spaces


@dataclasses.dataclass(frozen=True)
class Stored:
    """A child and the folder that it is in."""

    folder: pathlib.Path
    child: tf_keras.Model
    space: SearchSpace
    architecture: Architecture


def child_in(folder: pathlib.Path, space: SearchSpace | None = None, channels: int = 3) -> Stored:
    """Writes the smallest child, every weight random, statistics of batch norms included."""
    space = space or spaces.tiny()
    architecture = space.smallest()
    child = child_lib.build_child(space, architecture, helpers.CLASSES, channels)
    rng = np.random.default_rng(0)
    child.set_weights([rng.uniform(0.1, 0.5, each.shape) for each in child.get_weights()])
    folder.mkdir()
    trainable.write(folder, child)
    files.write_json(
        folder / versions.CHILD_FILE,
        {
            "architecture": architecture.to_json(),
            trainable.SPACE_FIELD: space.content(),
            "input": {"channels": channels},
        },
    )
    return Stored(folder, child, space, architecture)
