"""Imported weights give the logits that their authors' code gives."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from bignas_tf.importing import torch_files, weights
from bignas_tf.modeling import slicing
from bignas_tf.modeling.supernet import Supernet
from tests.importing import goldens

# Of the largest logit: another order of sums through a few dozen layers.
TOLERANCE = 1e-5

# Classes of each family's golden, and how many of its images were drawn at once.
_FAMILIES = {"attentive_nas": (5, 2), "once_for_all": (10, 4)}


def _state(name: str) -> dict[str, np.ndarray]:
    if name == "attentive_nas":
        content = torch_files.read(goldens.ATTENTIVE_NAS)
    else:
        content = goldens.once_for_all_state(goldens.golden(name)["tensors"])
    return weights.state_of(content, name)[0]


@pytest.mark.parametrize("name", _FAMILIES)
def test_children_give_the_logits_of_their_authors_code(name: str) -> None:
    classes, drawn = _FAMILIES[name]
    golden, state = goldens.golden(name), _state(name)
    space = golden["space"]
    supernet = Supernet(space, classes)
    taken = weights.assign(supernet, state, name)
    assert taken.parameters == sum(int(np.prod(w.shape)) for w in supernet.trainable_weights)
    statistics = goldens.statistics(supernet, state)
    for index, child in enumerate(golden["children"]):
        architecture = child["architecture"]
        images = tf.constant(goldens.images(architecture.resolution, drawn))
        logits = [supernet(images, architecture, statistics=statistics).numpy()]
        if index < 2:  # smallest and biggest; that stock children equal slices is tested elsewhere
            stock = slicing.sliced_child(supernet, architecture, statistics)
            logits.append(stock(images, training=False).numpy())
        scale = np.abs(child["logits"]).max()
        for found in logits:
            np.testing.assert_allclose(found, child["logits"], rtol=0, atol=TOLERANCE * scale)
