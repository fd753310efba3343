"""Search strategies: four behind one interface.

A strategy is a function `(pool, settings)`: it scores children of the pool until it is done,
or the pool's evaluations are spent. What it does depends only on the settings and on figures
of children, so that an interrupted search repeats its steps.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from bignas_tf import errors
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.search_space.space import SearchSpace
from bignas_tf.selection import budgets as budgets_lib
from bignas_tf.selection import config, grid, proposals
from bignas_tf.selection.budgets import Budget
from bignas_tf.selection.config import SelectionConfig
from bignas_tf.selection.pool import Pool

# Rounds in which no new child within a budget was drawn, until a search gives up. Hundreds are
# drawn in one of the predictor's.
_EMPTY_ROUNDS, _EMPTY_CROWDS = 20, 2


def coarse_to_fine(pool: Pool, settings: SelectionConfig) -> None:
    """Skeletons of global choices first, then mutants of each budget's best (Section 4.4).

    Args:
      pool: of the search.
      settings: how to search.

    Raises:
      UsageError: a resolution that the space does not have, or too few evaluations for the grid.
    """
    skeletons, cheapest = coarse_grid(pool.space, settings), budgets_lib.cheapest(pool.space)
    planned = len(skeletons) + settings.rounds * settings.mutants * len(pool.budgets)
    pool.plan(planned)
    pool.score(skeletons, "coarse")
    if not all(pool.best(budget) for budget in pool.budgets) and not pool.has(cheapest):
        planned += 1
        pool.plan(planned)
        pool.score([cheapest], "coarse")
    # Budgets take turns, so that each also gains from what was found for the others.
    for number in range(settings.rounds):
        for index, budget in enumerate(pool.budgets):
            rng = np.random.default_rng([settings.seed, number, index])
            pool.score(_mutants(pool, settings, rng, budget), "fine")


def coarse_grid(space: SearchSpace, settings: SelectionConfig) -> list[Architecture]:
    """The skeletons that coarse to fine begins with, each once.

    Raises:
      UsageError: a resolution that the space does not have, or too few evaluations for the grid.
    """
    skeletons = list(grid.skeletons(space, settings))
    # The cheapest is scored only where no skeleton is cheap enough.
    coarse = len({*skeletons, budgets_lib.cheapest(space)})
    if 0 < settings.evaluations < coarse:
        raise errors.UsageError(
            f"task.selection.evaluations is {settings.evaluations}; the coarse grid alone takes "
            f"{coarse}: allow more, or fewer resolutions, multipliers or kernel_patterns"
        )
    return skeletons


def _mutants(
    pool: Pool, settings: SelectionConfig, rng: np.random.Generator, budget: Budget
) -> list[Architecture]:
    """New children within a budget, of its best; any, where none has been found within it."""
    parents = pool.best(budget)

    def draw() -> Architecture:
        if not parents:
            return pool.space.sample(rng)
        return pool.space.mutate(parents[0].architecture, rng, settings.mutation_rate)

    return pool.fresh(draw, budget, settings.mutants)


def evolution(pool: Pool, settings: SelectionConfig) -> None:
    """Random children first, then children of each budget's best: mutated, and crossed.

    As sub-networks of a once-for-all network are found (https://arxiv.org/abs/1908.09791), but
    with one population for all budgets, and with accuracies measured, not predicted.

    Args:
      pool: of the search.
      settings: how to search.
    """
    _begin(pool)
    rounds = itertools.count()
    _repeat(pool, _begun(pool, settings), lambda: _random_round(pool, settings, next(rounds)))
    _repeat(pool, pool.evaluations, lambda: _generation(pool, settings, next(rounds)))


def random(pool: Pool, settings: SelectionConfig) -> None:
    """Children drawn uniformly among those within a budget, for each budget in turn.

    Args:
      pool: of the search.
      settings: how to search.
    """
    _begin(pool)
    rounds = itertools.count()
    _repeat(pool, pool.evaluations, lambda: _random_round(pool, settings, next(rounds)))


def predictor(pool: Pool, settings: SelectionConfig) -> None:
    """Children far apart first, then those that a predictor of accuracy promises most of.

    The predictor is fitted again to all that is known before each round, as in LINAS
    (https://arxiv.org/abs/2205.10358). Before a round of which it would not be right about the
    order of children left out, it is not asked, and a budget's best are bred, as evolution does.

    Args:
      pool: of the search.
      settings: how to search.

    Raises:
      UsageError: a resolution that the space does not have.
    """
    pool.plan(pool.evaluations)
    pool.score(proposals.spread(pool, settings, _begun(pool, settings)), "spread")
    rounds = itertools.count()
    _repeat(
        pool,
        pool.evaluations,
        lambda: _predicted_round(pool, settings, next(rounds)),
        _EMPTY_CROWDS,
    )


def _predicted_round(pool: Pool, settings: SelectionConfig, number: int) -> bool:
    """Scores what is proposed, or bred without a predictor; returns whether any was new."""
    if not any(candidate.ranking for candidate in pool.candidates):
        return _random_round(pool, settings, number)
    outlook = proposals.Outlook(pool)
    line = f"predictor, round {number + 1}"
    if outlook.tau is None:
        pool.note(f"{line}: {outlook.children} children do not show its worth; bred without it")
        return _bred_round(pool, settings, number)
    line += f": Kendall's tau {outlook.tau:.2f} on {outlook.children} children, each left out"
    if outlook.tau >= settings.trusted_tau:
        pool.note(line)
        # Zeros at the end would draw what the search began with, or what is bred for a budget.
        rng = np.random.default_rng([settings.seed, number, len(pool.budgets)])
        return pool.score(proposals.propose(pool, settings, rng, outlook), "predicted")
    pool.note(f"{line}; below {settings.trusted_tau:g}: bred without it")
    return _bred_round(pool, settings, number)


def _bred_round(pool: Pool, settings: SelectionConfig, number: int) -> bool:
    """Scores children of the best of the first budget, in turn, that has new ones."""
    first = number % len(pool.budgets)
    for index, budget in enumerate(pool.budgets[first:] + pool.budgets[:first]):
        rng = np.random.default_rng([settings.seed, number, index])
        if pool.score(_offspring(pool, settings, rng, budget), "evolved"):
            return True
    return False


def _begun(pool: Pool, settings: SelectionConfig) -> int:
    """With how many children a strategy begins that then learns from them.

    Twice as many are left for what it learns, at the least.
    """
    return min(settings.population, max(1, pool.evaluations // 3))


def _begin(pool: Pool) -> None:
    """Scores the cheapest child, so that each budget has one."""
    pool.plan(pool.evaluations)
    pool.score([budgets_lib.cheapest(pool.space)], "random")


def _repeat(
    pool: Pool, most: int, score_round: Callable[[], bool], most_empty: int = _EMPTY_ROUNDS
) -> None:
    """Scores rounds of children until enough are scored, or no new ones are drawn."""
    empty = 0
    while len(pool.candidates) < most and not pool.spent and empty < most_empty:
        empty = 0 if score_round() else empty + 1


def _random_round(pool: Pool, settings: SelectionConfig, number: int) -> bool:
    """Scores a child for each budget; returns whether any was new."""
    rng = np.random.default_rng([settings.seed, number])
    children: list[Architecture] = []
    for budget in pool.budgets:
        if len(children) < pool.allowed(len(pool.budgets)):
            children += pool.fresh(lambda: pool.space.sample(rng), budget, 1)
    return pool.score(children, "random")


def _generation(pool: Pool, settings: SelectionConfig, number: int) -> bool:
    """Scores a generation for each budget; returns whether any child was new."""
    any_new = False
    for index, budget in enumerate(pool.budgets):
        rng = np.random.default_rng([settings.seed, number, index])
        any_new |= pool.score(_offspring(pool, settings, rng, budget), "evolved")
    return any_new


def _offspring(
    pool: Pool, settings: SelectionConfig, rng: np.random.Generator, budget: Budget
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
    return children + pool.fresh(mutated, budget, pool.allowed(settings.mutants) - len(children))


Strategy = Callable[[Pool, SelectionConfig], None]
STRATEGIES: dict[str, Strategy] = dict(
    zip(config.STRATEGIES, (coarse_to_fine, evolution, predictor, random), strict=True)
)


def named(settings: SelectionConfig) -> Strategy:
    """The strategy that the settings name.

    Raises:
      UsageError: a setting is out of range, or the search would not end.
    """
    config.validate(settings)
    return STRATEGIES[settings.strategy]


def name_of(strategy: Strategy) -> str:
    """What results call a strategy; a user's own is "own:" and its name."""
    name = getattr(strategy, "__name__", type(strategy).__name__)
    return name if strategy in STRATEGIES.values() else f"own:{name}"
