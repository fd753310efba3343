"""The search on an accuracy whose best children are known by trying them all."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
import tensorflow as tf  # noqa: F401  (the devices of the whole test run are set when it is in)

from bignas_tf import errors
from bignas_tf.search_space import cost
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.selection import coarse_to_fine
from bignas_tf.selection.coarse_to_fine import Settings
from bignas_tf.selection.journal import Candidate
from tests.search_space import spaces

SPACE = spaces.countable()
GRID = Settings(
    resolutions=(8, 10),
    depth_multipliers=(0.0, 1.0),
    width_multipliers=(0.0, 1.0),
    kernel_patterns=coarse_to_fine.KERNEL_PATTERNS,
    rounds=12,
    mutants=8,
    mutation_rate=0.3,
    seed=0,
)


def _macs(architecture: Architecture) -> int:
    return cost.count(SPACE, architecture, 10, 1).macs


def _accuracy(architecture: Architecture) -> float:
    """Bigger is better, but kernels of 3 in all layers and a narrow head better still."""
    kernels = [kernel for stage in architecture.kernels for kernel in stage]
    bonus = 0.1 * (set(kernels) == {3}) + 0.05 * (architecture.head_width == 8)
    return _macs(architecture) / 1e6 + bonus


class Scores:
    """Scores by `_accuracy` and remembers what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Architecture, str]] = []

    def __call__(self, architectures: Sequence[Architecture], phase: str) -> list[Candidate]:
        self.asked += [(architecture, phase) for architecture in architectures]
        return [Candidate(a, _macs(a), 1, _accuracy(a), phase) for a in architectures]


def _everything() -> list[Architecture]:
    codes = itertools.product(*SPACE.genes)
    return list(dict.fromkeys(SPACE.decode(code) for code in codes))


def _budgets() -> list[int]:
    """The cheapest child, a tenth, a half and nine tenths of the way, and the dearest."""
    macs = sorted(map(_macs, _everything()))
    return [macs[round(part * (len(macs) - 1))] for part in (0.0, 0.1, 0.5, 0.9, 1.0)]


def _search(settings: Settings = GRID) -> list[Candidate]:
    return coarse_to_fine.search(SPACE, settings, _budgets(), _macs, Scores())


def test_the_grid_holds_every_combination_once() -> None:
    grid = list(coarse_to_fine.coarse_grid(SPACE, GRID))
    # One stage, which counts as late: only "largest" and "largest_late" give a kernel of 5.
    assert len(grid) == 2 * 2 * 2 * 2
    assert len(set(grid)) == len(grid)
    assert SPACE.with_resolution(SPACE.smallest(), 8) in grid
    assert SPACE.with_resolution(SPACE.biggest(), 10) in grid
    for skeleton in grid:
        SPACE.validate(skeleton)


def test_kernel_patterns_split_the_stages_in_two() -> None:
    space = spaces.tiny()
    settings = Settings((12,), (0.0,), (0.0,), ("largest_early", "largest_late"), 0, 0, 0.1, 0)
    early, late = coarse_to_fine.coarse_grid(space, settings)
    # Kernels: (3), (3, 5), (3, 5, 7); of three stages the first two are early.
    assert [stage[0] for stage in early.kernels] == [3, 5, 3]
    assert [stage[0] for stage in late.kernels] == [3, 3, 7]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kernel_patterns": ("largest_erly",)}, "largest_erly.*largest_early"),
        ({"depth_multipliers": (0.0, 1.5)}, r"depth_multipliers.*1\.5.*0 to 1"),
        ({"width_multipliers": (-0.5,)}, r"width_multipliers.*-0\.5.*0 to 1"),
    ],
)
def test_a_wrong_grid_is_refused(changes: dict[str, object], message: str) -> None:
    settings = Settings(**(vars(GRID) | changes))  # type: ignore[arg-type]
    with pytest.raises(errors.UsageError, match=message):
        list(coarse_to_fine.coarse_grid(SPACE, settings))


def test_every_budget_gets_the_best_child_there_is() -> None:
    candidates = _search()
    for budget in _budgets():
        found = coarse_to_fine.best(candidates, budget)
        assert found is not None
        assert found.macs <= budget
        affordable = [a for a in _everything() if _macs(a) <= budget]
        assert found.ranking_top1 == max(map(_accuracy, affordable))


def test_mutants_stay_within_their_budget_and_nothing_is_scored_twice() -> None:
    scores = Scores()
    budget = _budgets()[2]
    coarse_to_fine.search(SPACE, GRID, [budget], _macs, scores)
    asked = [architecture for architecture, _ in scores.asked]
    assert len(set(asked)) == len(asked)
    fine = [architecture for architecture, phase in scores.asked if phase == "fine"]
    assert fine
    assert max(map(_macs, fine)) <= budget


def test_the_same_seed_gives_the_same_search_and_another_one_another() -> None:
    assert _search() == _search()
    few = Settings(**vars(GRID) | {"rounds": 2, "mutants": 3})  # type: ignore[arg-type]
    other = Settings(**vars(few) | {"seed": 1})  # type: ignore[arg-type]
    assert _search(few) == _search(few)
    assert _search(few) != _search(other)


@pytest.mark.parametrize("rounds", [0, 2])
def test_the_cheapest_child_serves_a_budget_no_skeleton_fits(rounds: int) -> None:
    changes = {"resolutions": (10,), "width_multipliers": (1.0,), "rounds": rounds}
    settings = Settings(**(vars(GRID) | changes))  # type: ignore[arg-type]
    least = _budgets()[0]
    assert all(_macs(a) > least for a in coarse_to_fine.coarse_grid(SPACE, settings))
    found = coarse_to_fine.best(_search(settings), least)
    assert found is not None
    assert found.architecture == SPACE.with_resolution(SPACE.smallest(), 8)


def test_best_takes_the_cheaper_of_equals_and_none_above_the_budget() -> None:
    child = SPACE.smallest()
    dear, cheap, dearest = (
        Candidate(child, macs, 1, top1, "fine") for macs, top1 in [(30, 0.9), (20, 0.9), (40, 1.0)]
    )
    assert coarse_to_fine.best([dear, cheap, dearest], 30) is cheap
    assert coarse_to_fine.best([cheap, dear, dearest], 30) is cheap
    assert coarse_to_fine.best([dear, cheap, dearest], 40) is dearest
    assert coarse_to_fine.best([dear, cheap, dearest], 10) is None


def test_budgets_that_no_or_every_child_fits_are_refused_with_the_range() -> None:
    macs = sorted(map(_macs, _everything()))
    coarse_to_fine.check_budgets(SPACE, [macs[0], macs[-1]], 10, 1)
    for wrong in (macs[0] - 1, macs[-1] + 1):
        with pytest.raises(errors.UsageError, match=r"infeasible; children of 'countable' take"):
            coarse_to_fine.check_budgets(SPACE, [macs[-1], wrong], 10, 1)


def test_the_ends_of_the_named_range_are_feasible() -> None:
    for space, classes in [(SPACE, 10), (spaces.tiny(), 7)]:
        with pytest.raises(errors.UsageError, match="from ") as caught:
            coarse_to_fine.check_budgets(space, [1], classes, 3)
        least, most = str(caught.value).rpartition("from ")[2].rstrip("M").split(" to ")
        named = [round(float(end) * 1e6) for end in (least, most)]
        coarse_to_fine.check_budgets(space, named, classes, 3)
