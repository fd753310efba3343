"""Budgets: read, ordered, checked."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import tensorflow as tf  # noqa: F401  (the devices of the whole test run are set when it is in)

from bignas_tf import errors
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.selection import budgets
from bignas_tf.selection.budgets import Budget
from bignas_tf.selection.objectives import Measurement, Objective
from tests.selection import countable
from tests.selection.countable import SPACE, Memory


@pytest.mark.parametrize(
    ("text", "limits", "name"),
    [
        ("mflops=4", {"mflops": 4.0}, "4"),
        ("mflops=1.234567", {"mflops": 1.234567}, "1.234567"),
        ("litert_ms=1.50", {"litert_ms": 1.5}, "litert_ms_1.5"),
        ("params_m=.2, mflops = 4 ", {"mflops": 4.0, "params_m": 0.2}, "mflops_4_params_m_0.2"),
    ],
)
def test_budgets_are_read_and_named(text: str, limits: dict[str, float], name: str) -> None:
    budget = budgets.parse(text)
    assert budget == Budget(limits)
    assert budget.name == name


@pytest.mark.parametrize("text", ["", "4", "=4", "mflops", "mflops=4,mflops=5"])
def test_what_is_no_budget_is_refused(text: str) -> None:
    with pytest.raises(errors.UsageError, match="limits are written as in mflops=4"):
        budgets.parse(text)


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "many", ""])
def test_limits_are_positive_numbers(value: str) -> None:
    with pytest.raises(errors.UsageError, match=r"^budget 'mflops=.* is not a positive number"):
        budgets.parse(f"mflops={value}")


def test_limits_of_numpy_are_written_as_numbers() -> None:
    limits = Budget({"ms": np.float32(0.5), "mflops": np.int64(4)}).limits
    assert json.loads(json.dumps(limits)) == {"mflops": 4.0, "ms": 0.5}


def test_equal_budgets_are_one() -> None:
    one, other = Budget({"mflops": 4, "ms": 2}), Budget({"ms": 2.0, "mflops": 4.0})
    assert one == other
    assert (hash(one), one.name) == (hash(other), other.name)
    assert budgets.ordered([one, other]) == [one]


@pytest.mark.parametrize(
    "limits",
    [
        {},
        {"mflops": 0.0},
        {"ms": float("nan")},
        {"ms": -1.0},
        {"ms": "4"},
        {"ms": True},
        {"ms": 10**400},
    ],
)
def test_a_budget_limits_something_to_a_positive_number(limits: dict[str, Any]) -> None:
    with pytest.raises(errors.UsageError, match=r"^budget |a budget has no limit"):
        Budget(limits)


def test_budgets_are_ordered_and_each_is_there_once() -> None:
    given = [Budget({"mflops": 10}), Budget({"ms": 2}), Budget({"mflops": 2}), Budget({"ms": 2.0})]
    assert [b.name for b in budgets.ordered(given)] == ["2", "10", "ms_2"]


def _check(limits: dict[str, float], names: tuple[str, ...] = ("mflops", "ms")) -> None:
    figures = countable.figures(Memory())
    objectives = {name: figures.objectives[name] for name in names}
    budgets.check(SPACE, [Budget(limits)], objectives, figures.known_cost)


def _range(message: str) -> list[float]:
    least, most = message.rpartition("from ")[2].split()[0:3:2]
    return [float(least), float(most)]


def test_budgets_that_no_or_every_child_fits_are_refused_with_the_range() -> None:
    macs = sorted(map(countable.macs, countable.everything()))
    for wrong in (macs[0] - 1, macs[-1] + 1):
        with pytest.raises(errors.UsageError, match=r"child fits .*; multiply-adds of") as caught:
            _check({"mflops": wrong / 1e6})
        # What is named is exact, and feasible itself.
        assert _range(str(caught.value)) == [macs[0] / 1e6, macs[-1] / 1e6]
    for end in (macs[0], macs[-1]):
        _check({"mflops": end / 1e6})


def test_the_cheapest_child_need_not_be_the_smallest() -> None:
    """As by a table in which a wider stem is faster, or in a space of another style."""

    def milliseconds(child: Architecture) -> float:
        """Larger kernels are faster, as far as others do not matter more."""
        return 1 + countable.macs(child) / 1e5 - sum(map(sum, child.kernels)) / 20

    costs = sorted(map(milliseconds, countable.everything()))
    assert 0 < costs[0] < milliseconds(budgets.cheapest(SPACE))
    objective = Objective("ms", "time", "ms", lambda child: Measurement(0.0))
    cost = lambda name, child: milliseconds(child)  # noqa: E731
    for end in (costs[0], costs[-1]):
        budgets.check(SPACE, [Budget({"ms": end})], {"ms": objective}, cost)
    for wrong in (costs[0] * 0.99, costs[-1] * 1.01):
        with pytest.raises(errors.UsageError, match=r"child fits budget ms=") as caught:
            budgets.check(SPACE, [Budget({"ms": wrong})], {"ms": objective}, cost)
        assert _range(str(caught.value)) == pytest.approx([costs[0], costs[-1]], rel=1e-11)


def test_one_infeasible_limit_among_several_is_named() -> None:
    limits = {"mflops": 0.09, "ms": 0.001}
    with pytest.raises(
        errors.UsageError, match=r"^budget ms=0\.001 is out of reach.*; time of the children"
    ):
        _check(limits)
    _check(limits, ("mflops",))


def test_a_range_that_cannot_be_measured_ends_the_search() -> None:
    def measure(architecture: Architecture) -> float:
        raise errors.RunError("the phone does not answer")

    figures = countable.figures(Memory(), measure=measure)
    with pytest.raises(errors.RunError, match="the phone does not answer"):
        budgets.check(SPACE, [Budget({"ms": 0.6})], figures.objectives, figures.known_cost)
