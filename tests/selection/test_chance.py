"""What of an accuracy may be luck."""

from __future__ import annotations

import numpy as np
import pytest

from bignas_tf.accuracy import Accuracy
from bignas_tf.selection import chance


def test_too_few_ranking_images_are_named_with_what_they_may_cost() -> None:
    # 0.99 of 400 images: an error of 0.5 points; sqrt(2 ln 402) = 3.46.
    assert chance.optimism(Accuracy(0.99, 400), 402) == pytest.approx(0.01723, abs=1e-5)
    assert list(chance.of_images(Accuracy(0.99, 400), 402)) == [
        "the best of 402 children that are ranked on 400 images is expected to look up to 1.7 "
        "points better than it is; with about 4,700 images in task.selection.ranking_split that "
        "would be 0.5 points"
    ]
    assert chance.optimism(Accuracy(0.99, 4700), 402) == pytest.approx(0.005, rel=0.01)
    assert list(chance.of_images(Accuracy(0.99, 1600), 402)) == []
    assert list(chance.of_images(Accuracy(0.5, 100), 1)) == []


def test_the_expected_optimism_is_that_of_children_that_are_equally_good() -> None:
    rng = np.random.default_rng(0)
    best = rng.binomial(1000, 0.9, (400, 200)).max(axis=1).mean() / 1000 - 0.9
    # The formula is the limit for many children; the best of 200 is somewhat nearer.
    assert best < chance.optimism(Accuracy(0.9, 1000), 200) < 1.3 * best
