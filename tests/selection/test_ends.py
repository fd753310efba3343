"""When a search ends, and what it says if that is early."""

from __future__ import annotations

import itertools

import pytest
import tensorflow as tf  # noqa: F401  (the devices of the whole test run are set when it is in)

from bignas_tf import errors
from bignas_tf.selection import strategies
from bignas_tf.selection.budgets import Budget
from bignas_tf.selection.pool import Pool
from tests.selection import countable
from tests.selection.countable import SPACE, Memory, Silent

ALL = list(strategies.STRATEGIES)


def test_a_search_of_everything_ends_by_itself() -> None:
    for name in ("evolution", "random"):
        candidates = countable.search(name, [countable.budgets()[-1]], evaluations=1000)
        assert 70 <= len(candidates) <= len(countable.everything())


@pytest.mark.parametrize("name", ["evolution", "random"])
def test_measured_limits_that_most_children_miss_do_not_end_a_search(name: str) -> None:
    fastest = sorted(map(countable.milliseconds, countable.everything()))
    candidates = countable.search(name, [Budget({"ms": fastest[35]})], evaluations=25, mutants=2)
    assert len(candidates) == 25


def test_fewer_evaluations_than_the_grid_takes_are_refused() -> None:
    with pytest.raises(errors.UsageError, match=r"evaluations is 15; the coarse grid .* takes 16"):
        countable.search("coarse_to_fine", evaluations=15)
    assert len(countable.search("coarse_to_fine", evaluations=16)) == 16


def test_evolution_leaves_two_thirds_to_what_it_breeds() -> None:
    candidates = countable.search("evolution", evaluations=30, population=64)
    begun = sum(each.phase == "random" for each in candidates)
    # A round has a child for each budget.
    assert 10 <= begun < 10 + len(countable.budgets())
    assert len(candidates) == 30


def test_a_search_that_ends_early_says_why() -> None:
    told, silent = Silent(), Silent()
    candidates = countable.search("coarse_to_fine", watcher=told, rounds=50)
    assert len(candidates) < told.total
    assert told.notes == [
        f"{len(candidates)} of {told.total:,} planned children: the others that were drawn were "
        "known already or beyond their budget"
    ]
    countable.search("coarse_to_fine", watcher=silent, rounds=0)
    assert silent.notes == []


def test_the_cheapest_child_is_planned_only_where_no_skeleton_is_cheap_enough() -> None:
    grid = {"rounds": 0, "resolutions": (10,)}
    for budget, planned in ((-1, 8), (0, 9)):
        told, budgets = Silent(), [countable.budgets()[budget]]
        candidates = countable.search("coarse_to_fine", budgets, watcher=told, **grid)
        assert (len(candidates), told.total, told.notes) == (planned, planned, [])


@pytest.mark.parametrize("name", sorted({*ALL} - {"coarse_to_fine"}))
def test_every_strategy_says_that_it_ends_early(name: str) -> None:
    told, few = Silent(), Budget({"mflops": 1.05 * countable.budgets()[0].limits["mflops"]})
    candidates = countable.search(name, [few], watcher=told, evaluations=60)
    assert len(candidates) < told.total == 60
    assert told.notes[-1].startswith(f"{len(candidates)} of 60 planned children: the others ")


def test_many_draws_are_allowed_where_many_children_are_wanted() -> None:
    pool, budget = Pool(SPACE, [], countable.figures(Memory()), Silent()), countable.budgets()[0]
    for wanted, most in ((2, 200), (300, 3000)):
        draws = itertools.count()
        found = pool.fresh(
            lambda draws=draws: SPACE.biggest() if next(draws) else SPACE.smallest(), budget, wanted
        )
        assert (len(found), next(draws)) == (1, most)
