"""Spaces small enough to enumerate or to count by hand, shared by several tests."""

from __future__ import annotations

from bignas_tf.search_space.space import SearchSpace, Stage


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
