"""How a search finds its children: three ways behind one interface.

A strategy is a function `(pool, settings)`: it scores children of the pool until it is done,
or the pool's evaluations are spent. What it does follows from the settings and from figures
of children alone, so that a search that was interrupted repeats its way.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from bignas_tf import errors
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.selection import budgets as budgets_lib
from bignas_tf.selection import grid
from bignas_tf.selection.budgets import Budget
from bignas_tf.selection.pool import Pool


def coarse_to_fine(pool: Pool, settings: Any) -> None:
    """Skeletons of global choices first, then mutants of each budget's best (Section 4.4).

    Args:
      pool: of the search.
      settings: the run's `SelectionConfig`.

    Raises:
      UsageError: a kernel pattern or a multiplier that does not exist.
    """
    skeletons = list(grid.skeletons(pool.space, settings))
    cheapest = budgets_lib.cheapest(pool.space)
    fine = settings.rounds * settings.mutants * len(pool.budgets)
    pool.plan(len({*skeletons, cheapest}) + fine)
    pool.score(skeletons, "coarse")
    if not all(pool.best(budget) for budget in pool.budgets):
        pool.score([cheapest], "coarse")
    # Budgets take turns, so that each also gains from what was found for the others.
    for number in range(settings.rounds):
        for index, budget in enumerate(pool.budgets):
            rng = np.random.default_rng([settings.seed, number, index])
            pool.score(_mutants(pool, settings, rng, budget), "fine")


def _mutants(
    pool: Pool, settings: Any, rng: np.random.Generator, budget: Budget
) -> list[Architecture]:
    if pool.spent or not (parents := pool.best(budget)):
        return []
    (parent,) = parents

    def draw() -> Architecture:
        return pool.space.mutate(parent.architecture, rng, settings.mutation_rate)

    return pool.fresh(draw, budget, settings.mutants)


def evolution(pool: Pool, settings: Any) -> None:
    """Random children first, then children of each budget's best: mutated, and crossed.

    As sub-networks of a once-for-all network are found (https://arxiv.org/abs/1908.09791), but
    with one population for all budgets, and with accuracies measured, not predicted.

    Args:
      pool: of the search.
      settings: the run's `SelectionConfig`.
    """
    _begin(pool)
    rounds = itertools.count()
    while len(pool.candidates) < settings.population and _random_round(pool, settings, rounds):
        pass
    while _generation(pool, settings, next(rounds)):
        pass


def random(pool: Pool, settings: Any) -> None:
    """Children drawn uniformly among those within a budget, for each budget in turn.

    Args:
      pool: of the search.
      settings: the run's `SelectionConfig`.
    """
    _begin(pool)
    rounds = itertools.count()
    while _random_round(pool, settings, rounds):
        pass


def _begin(pool: Pool) -> None:
    """Scores the cheapest child, so that each budget has one."""
    pool.plan(pool.evaluations)
    pool.score([budgets_lib.cheapest(pool.space)], "random")


def _random_round(pool: Pool, settings: Any, rounds: Iterator[int]) -> bool:
    """Scores one child for each budget; returns whether there was any left to score."""
    rng = np.random.default_rng([settings.seed, next(rounds)])
    children: list[Architecture] = []
    for budget in pool.budgets:
        children += pool.fresh(lambda: pool.space.sample(rng), budget, 1)
    return pool.score(children, "random")


def _generation(pool: Pool, settings: Any, number: int) -> bool:
    """Scores a generation for each budget; returns whether there was any left to score."""
    any_new = False
    for index, budget in enumerate(pool.budgets):
        rng = np.random.default_rng([settings.seed, number, index])
        any_new |= pool.score(_offspring(pool, settings, rng, budget), "evolved")
    return any_new


def _offspring(
    pool: Pool, settings: Any, rng: np.random.Generator, budget: Budget
) -> list[Architecture]:
    """New children within a budget, of its best: one half crossed, the other mutated."""
    parents = [candidate.architecture for candidate in pool.best(budget, settings.parents)]
    if not parents:
        return []

    def pick() -> Architecture:
        return parents[rng.integers(len(parents))]

    def crossed() -> Architecture:
        return pool.space.cross(pick(), pick(), rng)

    def mutated() -> Architecture:
        return pool.space.mutate(pick(), rng, settings.mutation_rate)

    children = pool.fresh(crossed, budget, settings.mutants // 2)
    return children + pool.fresh(mutated, budget, settings.mutants - len(children))


STRATEGIES: dict[str, Callable[[Pool, Any], None]] = {
    each.__name__: each for each in (coarse_to_fine, evolution, random)
}


def of(settings: Any) -> Callable[[Pool, Any], None]:
    """The strategy that a run's `SelectionConfig` names.

    Raises:
      UsageError: there is none of that name, or it would not end.
    """
    name = settings.strategy
    if name not in STRATEGIES:
        raise errors.UsageError(
            f"task.selection.strategy is {name!r}; choose from {list(STRATEGIES)}"
        )
    if settings.evaluations < 0 or (name != "coarse_to_fine" and not settings.evaluations):
        raise errors.UsageError(
            f"task.selection.evaluations is {settings.evaluations}; it takes a positive number, "
            "or 0 for as many as coarse_to_fine has rounds"
        )
    return STRATEGIES[name]
