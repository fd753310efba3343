"""Selection from candidates: best, front, what cannot be told apart, and again."""

from __future__ import annotations

import json
import math
import pathlib
from typing import Any

import pytest
import tensorflow as tf  # noqa: F401  (the devices of the whole test run are set when it is in)

from bignas_tf import errors
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.selection import candidates as candidates_lib
from bignas_tf.selection import result
from bignas_tf.selection.budgets import Budget
from bignas_tf.selection.candidates import Candidate
from tests.selection import countable

CHILDREN = countable.everything()
UNITS = {"mflops": {"title": "multiply-adds", "unit": "M"}, "ms": {"title": "time", "unit": "ms"}}


def _candidate(number: int, macs: float, top1: float | None, ms: float = 1.0) -> Candidate:
    failure = "it failed" if top1 is None else None
    costs = {"mflops": macs, "ms": ms}
    return Candidate(CHILDREN[number], "fine", costs, {"ms": 0.1}, top1, failure)


DEAR, CHEAP, DEAREST, BEATEN = (
    _candidate(0, 30, 0.9, ms=1),
    _candidate(1, 20, 0.9, ms=3),
    _candidate(2, 40, 0.95, ms=2),
    _candidate(3, 25, 0.8, ms=2),
)
FAILED = _candidate(4, 10, None)
FOUND = [DEAR, CHEAP, DEAREST, BEATEN, FAILED]


def test_candidates_survive_json() -> None:
    for candidate in FOUND:
        assert Candidate.from_json(json.loads(json.dumps(candidate.to_json()))) == candidate
    with pytest.raises(errors.UsageError, match="a candidate has the fields"):
        Candidate.from_json({"architecture": CHILDREN[0].to_json()})


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


def _complete(candidates: list[Candidate], *limits: dict[str, float]) -> dict[str, Any]:
    base = {
        "settings": {"budgets": list(limits)},
        "objectives": UNITS,
        "ranking": {"images": 400},
        "reporting": {"images": 100},
    }

    def reporting(children: Any) -> dict[Architecture, float | None]:
        return {child: 0.5 + 0.3 * (child == DEAREST.architecture) for child in children}

    return result.complete(base, candidates, [Budget(each) for each in limits], reporting)


def test_selected_children_have_their_standard_errors() -> None:
    (entry,) = _complete(FOUND, {"mflops": 30})["selected"]
    assert entry["name"] == "30"
    assert entry["ranking_error"] == pytest.approx(math.sqrt(0.9 * 0.1 / 400), rel=1e-12)
    assert entry["reporting_error"] == pytest.approx(math.sqrt(0.5 * 0.5 / 100), rel=1e-12)


def test_neighbours_that_cannot_be_told_apart_are_named() -> None:
    three = _complete(FOUND, {"mflops": 25}, {"mflops": 30}, {"mflops": 40})
    # 0.8 and 0.5 of 100 images differ by 0.3, with an error of hypot(0.04, 0.05).
    assert three["warnings"] == ["budgets 25 and 30 got the same child"]
    two = _complete(FOUND, {"ms": 1}, {"mflops": 30})["warnings"]
    assert two == [
        "budgets ms_1 and 30: their children cannot be told apart, 0.00 points of reporting "
        "accuracy with a standard error of 7.07"
    ]


def test_equal_accuracies_without_error_are_not_told_apart_either() -> None:
    perfect = [_candidate(0, 20, 1.0), _candidate(1, 30, 1.0, ms=0.5)]
    base = {
        "settings": {"budgets": []},
        "objectives": UNITS,
        "ranking": {"images": 9},
        "reporting": {"images": 9},
    }
    budgets = [Budget({"mflops": 20}), Budget({"ms": 0.5})]
    found = result.complete(base, perfect, budgets, lambda children: dict.fromkeys(children, 1.0))
    assert ["cannot be told apart" in warning for warning in found["warnings"]] == [True]


def test_a_child_that_could_not_be_reported_is_named() -> None:
    base = {
        "settings": {"budgets": []},
        "objectives": UNITS,
        "ranking": {"images": 9},
        "reporting": {"images": 9},
    }
    budgets = [Budget({"mflops": 20})]
    found = result.complete(base, FOUND, budgets, lambda children: dict.fromkeys(children))
    assert found["warnings"] == ["budget 20: the accuracy on the reporting split is not known"]


def test_a_budget_without_candidates_ends_with_the_reason_of_failures() -> None:
    with pytest.raises(errors.RunError, match=r"within budget 15 .*1 failed, the first: it failed"):
        _complete(FOUND, {"mflops": 15})


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    """A finished search."""
    result.write(tmp_path, _complete(FOUND, {"mflops": 50}))
    return tmp_path


def test_selecting_again_needs_no_evaluation(folder: pathlib.Path) -> None:
    wanted = [Budget({"mflops": 50}), Budget({"mflops": 22}), Budget({"ms": 1.0})]
    again = result.select_again(result.read(folder), wanted)
    known, cheap, fast = again["selected"]
    assert known["architecture"] == DEAREST.architecture.to_json()
    assert known["reporting_top1"] == 0.8
    assert cheap["architecture"] == CHEAP.architecture.to_json()
    assert cheap["reporting_top1"] is cheap["reporting_error"] is None
    assert fast["architecture"] == DEAR.architecture.to_json()
    assert again["settings"]["budgets"] == [{"mflops": 50}, {"mflops": 22}, {"ms": 1.0}]
    result.write(folder / "again", again)
    assert result.read(folder / "again") == again
    assert json.loads((folder / "again" / "child_22.json").read_text()) == cheap
    assert Architecture.load(folder / "again" / "child_ms_1.json") == DEAR.architecture


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"mflops": 19.0}, r"mflops=19 is outside what was searched: from 20 to 50 M"),
        ({"mflops": 51.0}, r"mflops=51 is outside what was searched: from 20 to 50 M"),
        ({"ms": 3.5}, r"ms=3.5 is outside what was searched: from 1 to 3 ms"),
        ({"params_m": 1.0}, r"no objective 'params_m'; choose from \['mflops', 'ms'\]"),
        ({"mflops": 20.0, "ms": 1.0}, "no candidate of the search is within budget mflops_20_ms_1"),
    ],
)
def test_selecting_outside_the_search_is_refused(
    folder: pathlib.Path, limits: dict[str, float], message: str
) -> None:
    with pytest.raises(errors.UsageError, match=message):
        result.select_again(result.read(folder), [Budget(limits)])


@pytest.mark.parametrize("text", ["[]", "{}", "{"])
def test_another_file_is_refused(folder: pathlib.Path, text: str) -> None:
    (folder / result.FILE).write_text(text)
    with pytest.raises(errors.UsageError, match=r"search\.json is not"):
        result.read(folder)
