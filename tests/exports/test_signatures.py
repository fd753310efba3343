"""The functions that an export saves."""

from __future__ import annotations

import contextlib
import gc
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from tensorflow.python.framework import convert_to_constants

from bignas_tf.exports import signatures, verify
from tests.exports import servables


@contextlib.contextmanager
def _collection_before(function: Callable[..., Any]) -> Iterator[list[int]]:
    """Collects garbage whenever `function` is entered; counts how often that was."""
    collections: list[int] = []

    def on_event(frame: types.FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code is function.__code__:
            collections.append(gc.collect())

    sys.setprofile(on_event)
    try:
        yield collections
    finally:
        sys.setprofile(None)


def test_a_garbage_collection_takes_no_variables_from_a_graph_that_is_being_frozen() -> None:
    made = servables.servable(servables.SPACE.smallest())
    freeze = convert_to_constants.convert_variables_to_constants_v2
    with _collection_before(freeze) as collections:
        answer = signatures.build_light(made.child, made.intake)["patches"](made.patches)
    assert len(collections) == 1
    # Folding batch norms into convolutions moves logits by float32 rounding.
    np.testing.assert_allclose(answer[verify.LOGITS], made.expected_logits, atol=1e-5)
