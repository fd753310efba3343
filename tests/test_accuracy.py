"""An accuracy and its standard error."""

from __future__ import annotations

import math

import pytest
import tensorflow as tf  # noqa: F401  (the devices of the whole test run are set when it is in)

from bignas_tf import errors
from bignas_tf.accuracy import Accuracy


@pytest.mark.parametrize(
    ("top1", "images", "error"),
    [
        (0.5, 100, 0.05),
        (0.9, 900, 0.01),
        (1.0, 9, 0.095826596),
        (0.0, 1, 0.47140452),
        (0.999, 9, 0.095826596),
    ],
)
def test_the_error_is_that_of_a_fraction(top1: float, images: int, error: float) -> None:
    assert Accuracy(top1, images).error == pytest.approx(error)


def test_people_read_percent() -> None:
    assert str(Accuracy(0.91836, 10_000)) == "91.84 ± 0.27%"


def test_json_and_back() -> None:
    accuracy = Accuracy(1 / 3, 360)
    assert Accuracy.from_json(accuracy.to_json() | {"split": "test"}) == accuracy


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], r"the file is \[\]; it takes an object"),
        ({"top1": 0.5}, "no 'images'"),
        ({"top1": "high", "images": 1}, "top1 is 'high'; it takes a number"),
        ({"top1": math.nan, "images": 1}, "top1 is nan; it takes a number"),
        ({"top1": 1.01, "images": 1}, "top1 is 1.01; it takes 0 to 1"),
        ({"top1": 0.5, "images": 0}, "images is 0; it takes 1 or more"),
        ({"top1": 0.5, "images": True}, "images is True; it takes a whole number"),
    ],
)
def test_anything_else_is_refused(value: object, message: str) -> None:
    with pytest.raises(errors.UsageError, match=message):
        Accuracy.from_json(value)
