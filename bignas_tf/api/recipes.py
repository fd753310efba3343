"""A folder of images to the configuration of a run; needs no TensorFlow."""

from __future__ import annotations

import os

from bignas_tf.data import description
from bignas_tf.training import recipe as recipe_lib
from bignas_tf.training.recipe import Recipe


def recipe(images: str | os.PathLike[str], minutes: float = 8.0) -> Recipe:
    """Looks at a folder of images and chooses a run that suits them and the minutes.

    It chooses search space, patch size, batch, splits, steps and learning rate. The steps follow
    from an estimate of this machine's speed; `at_speed` of the result takes a measured one.

    Args:
      images: the folder, `images/split/class/*.jpg` or `images/class/*.jpg` (or `*.png`).
      minutes: how long the supernet may train.

    Raises:
      UsageError: the images are too few or too small or cannot be read, or the minutes are not a
        positive number.
    """
    folder = os.path.expanduser(os.fspath(images))
    return recipe_lib.choose(description.read(folder), minutes)
