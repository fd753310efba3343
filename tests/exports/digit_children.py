"""Children of the digits' supernet, sliced and calibrated as tools.export does."""

from __future__ import annotations

import numpy as np

from bignas_tf.exports import saved_model
from bignas_tf.modeling import slicing
from bignas_tf.modeling.supernet import Supernet
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.selection.evaluator import Evaluator
from tests.selection import digits

IMAGES = 64
LABELS = [f"digit {number}" for number in range(digits.CLASSES)]


def servable(
    net: Supernet, architecture: Architecture, evaluator: Evaluator | None = None
) -> saved_model.Servable:
    """The child with real digits and the supernet's own answers to them.

    Args:
      net: the supernet.
      architecture: of the child.
      evaluator: of the supernet, where several children share its graphs.
    """
    evaluator = evaluator or digits.evaluator(net)
    statistics = evaluator.statistics(architecture)
    batches = list(digits.batches(f"test[:{IMAGES}]", IMAGES))
    ((logits, _),) = evaluator.logits(architecture, statistics, batches)
    child = slicing.sliced_child(net, architecture, statistics)
    patches = batches[0][0].numpy()
    return saved_model.Servable(child, {"macs": 1}, patches, logits, LABELS)


def calibration() -> np.ndarray:
    """Training images for int8's ranges, uint8 [96, 8, 8, 1]; none is quite black or white."""
    return np.clip(images("train[:96]"), 1, 254)


def images(split: str) -> np.ndarray:
    """The images of a split, uint8 [N, 8, 8, 1]."""
    return np.concatenate([patches.numpy() for patches, _ in digits.batches(split)])
