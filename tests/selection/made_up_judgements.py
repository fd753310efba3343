"""What tools.judge writes: real children of the space of `digits`, made-up accuracies."""

from __future__ import annotations

import numpy as np

from bignas_tf.search_space import cost
from bignas_tf.selection import findings
from bignas_tf.selection.findings import BIGGEST, SMALLEST, Scores
from bignas_tf.selection.judgement import Judgement
from bignas_tf.selection.provenance import Source
from tests.selection import digits

IMAGES = 400


def judgement() -> Judgement:
    """Of the smallest child, two random ones and the biggest."""
    space, rng = digits.space(), np.random.default_rng(0)
    drawn = {f"random {number}": space.sample(rng) for number in (1, 2)}
    children = {SMALLEST: space.smallest(), **drawn, BIGGEST: space.biggest()}
    macs = [
        [
            cost.count(space, space.with_resolution(child, side), digits.CLASSES, 1).macs
            for side in space.eval_resolutions
        ]
        for child in children.values()
    ]
    top1 = 0.5 + 0.4 * rng.random([len(children), len(space.eval_resolutions)])
    scores = Scores(children, space.eval_resolutions, np.array(macs), top1, IMAGES)
    source = Source("digits", "run/ckpt-20", "5eed", 20)
    trained = set(space.train_resolutions)
    majority = 1 / digits.CLASSES
    return findings.complete(source, "test", 0, scores, space, (trained, trained), majority)
