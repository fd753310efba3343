"""A small supernet and what evaluates its children; no test changes them."""

from __future__ import annotations

import pytest

from bignas_tf.modeling.supernet import Supernet
from bignas_tf.selection.evaluator import Evaluator
from tests.selection import digits


@pytest.fixture(scope="module")
def net() -> Supernet:
    return digits.supernet()


@pytest.fixture(scope="module")
def evaluator(net: Supernet) -> Evaluator:
    return digits.evaluator(net)
