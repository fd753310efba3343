"""Spaces small enough to enumerate or to count by hand, shared by several tests."""

from __future__ import annotations

from bignas_tf.search_space.architecture import Stage
from bignas_tf.search_space.space import SearchSpace
from bignas_tf.search_space.style import SqueezeExcite, Style


def tiny() -> SearchSpace:
    """Every feature in few weights.

    Widths differ within a stage, blocks are optional, one stage does not expand and one has no
    squeeze-and-excite, and 14 pixels become 7, an odd side that a stride of 2 then halves.
    """
    return SearchSpace(
        name="tiny",
        stem_widths=(4, 6),
        stem_stride=2,
        stages=(
            Stage((4, 6), (1, 2), (3,), expands=(1,)),
            Stage((6, 8, 10), (1, 2, 3), (3, 5), expands=(2, 3), stride=2, se_ratio=0.5),
            Stage((8, 12), (2, 3), (3, 5, 7), expands=(2,), se_ratio=0.0),
        ),
        head_widths=(16, 24),
        train_resolutions=(12, 16),
        eval_resolutions=(12, 14, 16),
        base_resolution=16,
    )


def countable() -> SearchSpace:
    """80 children; see the test that counts them."""
    return SearchSpace(
        name="countable",
        stem_widths=(4,),
        stem_stride=1,
        stages=(Stage((4, 8), (1, 2), (3, 5), expands=(2,)),),
        head_widths=(8, 16),
        train_resolutions=(8,),
        eval_resolutions=(8, 10),
        base_resolution=8,
    )


def attentive() -> SearchSpace:
    """`attentive_nas` in few weights: skips matched at equal and at other widths, tied stages."""
    return SearchSpace(
        name="attentive",
        stem_widths=(8, 12),
        stem_stride=2,
        stages=(
            Stage((8, 12), (1, 2), (3, 5), expands=(1,), se_ratio=0.0, tied=True),
            Stage((12, 16), (1, 2), (3, 5), expands=(2, 3), stride=2, tied=True),
            Stage((16, 24), (1, 2), (3,), expands=(2,), tied=True),
        ),
        head_widths=(16, 24),
        train_resolutions=(16, 24),
        eval_resolutions=(16, 20, 24),
        base_resolution=20,
        style=Style(
            skips="matched",
            head="mixed",
            epsilon=1e-5,
            squeeze_excite=SqueezeExcite("expanded", 8, "relu", "hard_sigmoid"),
            pixel_mean=(123.0, 116.0, 103.0),
            pixel_deviation=(58.0, 57.0, 56.0),
        ),
    )


def mobile() -> SearchSpace:
    """Once-for-all's MobileNetV3 in few weights: skips where they fit, matrices for kernels."""
    return SearchSpace(
        name="mobile",
        stem_widths=(8,),
        stem_stride=2,
        stages=(
            Stage((8, 12), (1,), (3,), expands=(1,), se_ratio=0.0, activation="relu"),
            Stage((16,), (1, 2), (3, 5, 7), expands=(2, 3), stride=2, activation="hard_swish"),
            Stage((16, 20), (1, 2), (3, 5), expands=(2,), se_ratio=0.0, activation="relu6"),
        ),
        head_widths=(16,),
        train_resolutions=(16, 24),
        eval_resolutions=(16, 20, 24),
        base_resolution=20,
        style=Style(
            skips="equal",
            head="mixed",
            kernels="matrix",
            stem_activation="hard_swish",
            head_activation="hard_swish",
            epsilon=1e-5,
            squeeze_excite=SqueezeExcite("expanded", 8, "relu", "hard_sigmoid"),
        ),
    )
