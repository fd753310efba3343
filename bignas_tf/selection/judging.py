"""How good a trained supernet is: the same few children, scored at every resolution."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bignas_tf.console import Show
from bignas_tf.modeling.elastic_model import ElasticModel
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.search_space.space import SearchSpace
from bignas_tf.selection import progress
from bignas_tf.selection.evaluator import Evaluator
from bignas_tf.selection.findings import BIGGEST, RANDOM, SMALLEST, Scores
from bignas_tf.selection.splits import Split


def sample_children(space: SearchSpace, count: int, seed: int) -> dict[str, Architecture]:
    """The smallest child, `count` uniform random ones and the biggest, by name."""
    rng = np.random.default_rng(seed)
    drawn = {f"{RANDOM} {number}": space.sample(rng) for number in range(1, count + 1)}
    return {SMALLEST: space.smallest(), **drawn, BIGGEST: space.biggest()}


def score(
    net: ElasticModel,
    evaluator: Evaluator,
    images: Split,
    children: Mapping[str, Architecture],
    show: Show,
) -> Scores:
    """Calibrates and scores each child at every resolution of its space.

    Args:
      net: the supernet.
      evaluator: of it.
      images: to score on.
      children: by name, the smallest first, the biggest last.
      show: takes lines about the progress.

    Raises:
      RunError: a logit is NaN or infinite, or memory ran out.
    """
    sides = net.space.eval_resolutions
    table = [
        [net.space.with_resolution(child, side) for side in sides] for child in children.values()
    ]
    macs = np.array([[net.cost_of(child).macs for child in row] for row in table], np.int64)
    # A small space may draw the same child twice.
    different = list(dict.fromkeys(child for row in table for child in row))
    show(
        f"{len(children)} children at {len(sides)} resolutions, {images.images:,} images of "
        f"{images.config.tfds_split}"
    )
    scored = dict(progress.countdown(evaluator.scores(different, images), len(different), show))
    return Scores(
        children,
        sides,
        macs=macs,
        top1=np.array([[scored[child].top1 for child in row] for row in table]),
        images=images.images,
    )
