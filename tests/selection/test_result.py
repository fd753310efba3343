"""Selection from candidates: best, front, what cannot be told apart, and again."""

from __future__ import annotations

import dataclasses
import json
import math
import pathlib

import pytest
import tensorflow as tf  # noqa: F401  (the devices of the whole test run are set when it is in)

from bignas_tf import errors
from bignas_tf.accuracy import Accuracy
from bignas_tf.selection import candidates as candidates_lib
from bignas_tf.selection import chance, result, selecting
from bignas_tf.selection.budgets import Budget
from bignas_tf.selection.candidates import Candidate
from bignas_tf.selection.provenance import ImageSet
from bignas_tf.selection.result import SearchResult
from tests.selection.made_up_candidates import (
    CHEAP,
    CHILDREN,
    DEAR,
    DEAREST,
    FAILED,
    FOUND,
    finished,
    made_up,
    select,
)


def test_candidates_survive_json() -> None:
    for candidate in FOUND:
        assert Candidate.from_json(json.loads(json.dumps(candidate.to_json())), 400) == candidate
    with pytest.raises(errors.UsageError, match="no 'ranking_top1'"):
        Candidate.from_json({"architecture": CHILDREN[0].to_json()}, 400)


def test_best_takes_the_cheaper_of_equals_and_none_above_the_budget() -> None:
    def best(limits: dict[str, float], count: int = 1) -> list[Candidate]:
        return candidates_lib.best(FOUND, Budget(limits), count)

    assert best({"mflops": 30}) == [CHEAP]
    assert best({"mflops": 40}) == [DEAREST]
    assert best({"mflops": 40}, 3) == [DEAREST, CHEAP, DEAR]
    assert best({"mflops": 40, "ms": 1}) == [DEAR]
    assert best({"mflops": 15}) == []  # the one that failed does not count


def test_the_front_has_whom_no_other_beats() -> None:
    assert candidates_lib.front(FOUND, "mflops") == [1, 2]
    assert candidates_lib.front(FOUND, "ms") == [0, 2]
    assert candidates_lib.front([FAILED], "ms") == []


FAILURE = "1 of 5 children failed, all at 8 px: it failed"


def test_children_that_failed_are_counted_by_resolution_and_reason() -> None:
    sides = {side: [c for c in CHILDREN if c.resolution == side][:3] for side in (8, 10)}
    candidates = [DEAR] + [
        dataclasses.replace(FAILED, architecture=child, failure="out of memory")
        for child in sides[10]
    ]
    (told, *_) = select(candidates, {"mflops": 30}).warnings
    assert told == "3 of 4 children failed, all at 10 px: out of memory"
    candidates += [dataclasses.replace(FAILED, architecture=child) for child in sides[8][1:]]
    (told, *_) = select(candidates, {"mflops": 30}).warnings
    assert told == "5 of 6 children failed, at 8, 10 px: 2 reasons, the first: out of memory"
    assert not any("failed" in warning for warning in select([DEAR], {"mflops": 30}).warnings)


def test_measured_costs_that_scatter_are_counted() -> None:
    noisy = dataclasses.replace(DEAR, spreads={"ms": 0.3 * DEAR.costs["ms"]})
    told = [each for each in select([noisy], {"mflops": 30}).warnings if "scatter" in each]
    assert told[0].startswith("time: 1 of 1 children scatter by more than 20%, so that the search")
    steady = dataclasses.replace(DEAR, spreads={"ms": 0.1 * DEAR.costs["ms"]})
    assert not any("scatter" in each for each in select([steady], {"mflops": 30}).warnings)


def test_selected_children_have_their_standard_errors() -> None:
    (child,) = select(FOUND, {"mflops": 30}).selected
    assert child.name == "30"
    entry = child.to_json()
    assert entry["ranking_error"] == pytest.approx(math.sqrt(0.9 * 0.1 / 400), rel=1e-12)
    assert entry["reporting_error"] == pytest.approx(math.sqrt(0.5 * 0.5 / 100), rel=1e-12)


def test_neighbours_that_cannot_be_told_apart_are_named() -> None:
    three = select(FOUND, {"mflops": 25}, {"mflops": 30}, {"mflops": 40})
    # 0.8 and 0.5 of 100 images differ by 0.3, with an error of hypot(0.04, 0.05).
    assert list(chance.of_neighbours(three.selected)) == ["budgets 25 and 30 got the same child"]
    far = select(FOUND, {"mflops": 25}, {"mflops": 40}, {"ms": 1}, {"ms": 2})
    # 25 and 40 are told apart; 40 and 1 ms limit other objectives.
    assert list(chance.of_neighbours(far.selected)) == ["budgets 40 and ms_2 got the same child"]
    two = select([CHEAP, made_up(0, 30, 0.92)], {"mflops": 20}, {"mflops": 30})
    (told,) = chance.of_neighbours(two.selected)
    assert told == (
        "budgets 20 and 30: their children cannot be told apart, 0.00 points of reporting "
        "accuracy with a standard error of 7.07"
    )
    assert two.warnings[-1] == told


def test_equal_accuracies_without_error_are_not_told_apart_either() -> None:
    perfect = [made_up(0, 20, 1.0), made_up(1, 30, 1.0, ms=0.5)]
    budgets = [Budget({"mflops": 20, "ms": 1.0}), Budget({"mflops": 30, "ms": 0.5})]
    found = selecting.select(
        finished(perfect), budgets, lambda children: dict.fromkeys(children, Accuracy(1.0, 100))
    )
    assert ["cannot be told apart" in warning for warning in found.warnings] == [True]


def test_a_child_that_could_not_be_reported_is_named() -> None:
    budgets = [Budget({"mflops": 20})]
    found = selecting.select(finished(FOUND), budgets, lambda children: dict.fromkeys(children))
    assert found.warnings == (
        FAILURE,
        "budget 20: the accuracy on the reporting split is not known",
    )
    assert "tied" not in found.to_json()  # its settings are older than that


@pytest.mark.parametrize(
    ("top1", "told"),
    [
        # 400 images: 3 points with an error of hypot(0.99, 0.01 and 0.96, 0.04 of 400) = 1.10.
        (0.96, "3.00 points below that on the ranking split, with a standard error of 1.10: more"),
        (0.98, None),
        (0.998, None),
    ],
)
def test_a_ranking_accuracy_that_flatters_is_named(top1: float, told: str | None) -> None:
    lucky = [made_up(0, 20, 0.99)]
    found = selecting.select(
        finished(lucky),
        [Budget({"mflops": 20})],
        lambda children: {children[0]: Accuracy(top1, 400)},
    )
    expected = f"budget 20: the accuracy on the reporting split is {told} than chance explains; "
    assert found.warnings == ((f"{expected}trust the reporting split",) if told else ())


# The best is 0.9 of 400 images. 0.88 is 0.02 below it, with an error of hypot(0.0150, 0.0162) =
# 0.0221; 0.87 is 0.03 below it, with an error of hypot(0.0150, 0.0168) = 0.0225.
CLOSE = [
    made_up(0, 30, 0.9),
    made_up(1, 25, 0.88),
    made_up(2, 21, 0.88),
    made_up(3, 20, 0.885),
    made_up(5, 10, 0.87),
    made_up(6, 40, 0.91),
    FAILED,
]


def test_candidates_within_a_standard_error_of_the_best_are_counted_and_the_cheapest_named() -> (
    None
):
    found = dataclasses.replace(finished(CLOSE), selection={"strategy": "random", "prefer": "best"})
    selected = selecting.select(
        found, [Budget({"mflops": 30})], lambda children: {children[0]: Accuracy(0.9, 400)}
    )
    assert [child.ranking.top1 for child in selected.selected] == [0.9]
    assert selected.to_json()["tied"] == {"30": [3, 2, 1, 0]}
    assert selected.warnings == (
        "1 of 7 children failed, all at 8 px: it failed",
        "budget 30: candidates within one standard error of the difference: 3; the cheapest "
        "has 20 M multiply-adds in place of 30 (prefer=cheapest selects it)",
    )


def test_the_cheapest_within_a_standard_error_can_be_preferred(tmp_path: pathlib.Path) -> None:
    choice = {"strategy": "random", "prefer": "cheapest"}
    selected = selecting.select(
        dataclasses.replace(finished(CLOSE), selection=choice),
        [Budget({"mflops": 30})],
        lambda children: {children[0]: Accuracy(0.88, 100)},
    )
    assert [child.architecture for child in selected.selected] == [CLOSE[3].architecture]
    assert selected.warnings == ("1 of 7 children failed, all at 8 px: it failed",)
    result.write(tmp_path, selected)
    assert result.read(tmp_path) == selected
    again = selecting.select_again(selected, [Budget({"mflops": 40})])
    assert again.selected[0].ranking.top1 == 0.9
    with pytest.raises(errors.RunError, match=r"within budget 15 .*the first: it failed"):
        selecting.choose([FAILED], [Budget({"mflops": 15})], "cheapest")


@pytest.mark.parametrize(
    ("top1", "majority", "warned"),
    [
        (0.19, 0.1, False),  # the standard error of 0.1 is 0.03
        (0.15, 0.1, True),
        (0.05, 0.1, True),
        (0.94, 0.9, True),
        (1.0, 1.0, True),  # one class
        (0.05, None, False),
    ],
)
def test_children_no_better_than_the_most_frequent_class_are_told(
    top1: float, majority: float | None, warned: bool
) -> None:
    before = finished(FOUND)
    searched = dataclasses.replace(before, reporting=ImageSet("test", 100, majority))
    found = selecting.select(
        searched,
        [Budget({"mflops": 20}), Budget({"mflops": 40})],
        lambda children: {
            child: Accuracy(top1 - 0.01 * i, 100) for i, child in enumerate(children)
        },
    )
    expected = (
        "no selected child is better than naming the most frequent class, or the images are too "
        f"few to tell: the best is right on {100 * top1:.2f}% of test"
    )
    told = [warning.startswith(expected) for warning in found.warnings]
    assert told[0] == warned  # before all others
    assert not any(told[1:])
    assert SearchResult.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_a_budget_without_candidates_ends_with_the_reason_of_failures() -> None:
    with pytest.raises(errors.RunError, match=r"within budget 15 .*1 failed, the first: it failed"):
        select(FOUND, {"mflops": 15})


def test_the_folder_above_a_search_is_told_from_it(tmp_path: pathlib.Path) -> None:
    (tmp_path / "search").mkdir()
    (tmp_path / "search" / "search.json").write_text("{}")
    told = f"{tmp_path} is not the folder of a search; {tmp_path}/search is"
    with pytest.raises(errors.UsageError, match=f"^{told}$"):
        result.read(tmp_path)
