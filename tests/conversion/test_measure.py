"""What a converted file loses, and how sure that is."""

from __future__ import annotations

import numpy as np
import pytest

from bignas_tf.conversion.measure import Score


def _scored(changed: int, images: int) -> Score:
    """All right before, and as many wrong since."""
    reference = np.tile(np.float32([0, 1]), (images, 1))
    answers = reference.copy()
    answers[:changed] = answers[:changed, ::-1]
    score = Score()
    score.add(answers, reference, np.ones(images, np.int64))
    return score


def test_no_number_of_images_makes_a_loss_certain() -> None:
    few, many = (_scored(0, images).figures({}) for images in (30, 3000))
    assert (few.lost, many.lost) == (0, 0)
    assert few.lost_error == pytest.approx(np.sqrt(1 / 32 / 30))
    assert many.lost_error == pytest.approx(np.sqrt(1 / 3002 / 3000))


def test_the_error_of_a_loss_is_that_of_the_answers_that_change() -> None:
    figures = _scored(10, 1000).figures({})
    assert figures.lost == pytest.approx(0.01)
    assert figures.lost_error == pytest.approx(np.sqrt((0.01 - 0.0001) / 1000))
