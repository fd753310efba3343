"""How many encoded children are counted in a second."""

from __future__ import annotations

import numpy as np

from bignas_tf.search_space import cost, presets

from . import harness

_DRAWN, _COPIES = 1_000, 100  # drawing takes 1,000 times as long as counting
_TARGET = 1_000_000


def measure(settings: harness.Settings) -> list[harness.Row]:
    """One row a preset."""
    return [_count(name, settings.repeats) for name in presets.PRESETS]


def _count(name: str, repeats: int) -> harness.Row:
    space, rng = presets.get(name), np.random.default_rng(0)
    drawn = np.array([space.encode(space.sample(rng)) for _ in range(_DRAWN)])
    codes = np.tile(drawn, (_COPIES, 1))
    seconds = harness.alternate([lambda: cost.count_many(space, codes, 1000)], repeats)
    return harness.Row(
        f"cost.count_many, {name}",
        "children/s",
        harness.rates(len(codes), seconds),
        bound=_TARGET,
        note=f"{len(codes):,} codes: {_DRAWN:,} random children, each {_COPIES} times; "
        "drawing and encoding them is not timed",
    )
