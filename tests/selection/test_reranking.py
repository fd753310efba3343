"""Selection by the files that ship, with made-up losses."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import pathlib

import pytest
import tensorflow as tf

from bignas_tf import errors
from bignas_tf.accuracy import Accuracy
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.selection import candidates as candidates_lib
from bignas_tf.selection import reranking, selecting
from bignas_tf.selection.candidates import Candidate
from bignas_tf.selection.converted import Converted
from bignas_tf.selection.journal import Journal, MemoryJournal
from bignas_tf.selection.reranking import Reranking
from bignas_tf.selection.result import SearchResult
from tests.selection import made_up_searches
from tests.selection.made_up_searches import BUDGETS, IMAGES

INT8 = Reranking("int8", 3)
FOUND = made_up_searches.result()
BEST = [each.architecture for each in candidates_lib.best(FOUND.candidates, BUDGETS[0], 3)]
TOP1 = {each.architecture: each.ranking.top1 for each in FOUND.candidates if each.ranking}


def _convert(child: Architecture) -> Converted:
    """The best of the first budget loses much, the second cannot be converted."""
    if child == BEST[1]:
        raise errors.RunError("no int8 kernel")
    lost = 0.4 if child == BEST[0] else 0.01
    top1 = TOP1[child] - lost
    return Converted(Accuracy(top1, IMAGES), TOP1[child] - top1, 0.005)


def _reranked(memory: MemoryJournal | None = None) -> tuple[SearchResult, list[str]]:
    lines: list[str] = []
    found = reranking.rerank(
        FOUND.candidates, BUDGETS, INT8, _convert, memory or MemoryJournal(), lines.append
    )
    return dataclasses.replace(FOUND, candidates=tuple(found), rerank=INT8), lines


def _selected(result: SearchResult) -> SearchResult:
    return selecting.select(result, BUDGETS, lambda children: dict.fromkeys(children))


def test_the_child_whose_file_is_best_is_selected() -> None:
    result, lines = _reranked()
    assert sum(each.converted is not None for each in result.candidates) == len(lines) - 1
    assert "failed: no int8 kernel" in lines[1]
    assert lines[0].endswith("40.00 ± 0.50 points lost")
    selected = _selected(result).selected[0]
    assert _selected(FOUND).selected[0].architecture == BEST[0]
    assert selected.architecture == BEST[2]
    # Both figures are there: the child's own, and that of its file.
    assert selected.ranking.top1 == TOP1[BEST[2]]
    assert selected.converted == _convert(BEST[2])
    warning = f"1 of {len(lines)} children could not be converted to int8: no int8 kernel"
    assert warning in _selected(result).warnings


def test_files_that_cannot_be_told_apart_are_chosen_among_as_children_are() -> None:
    costs = {"mflops": 0.03, "params_m": 0.001}
    near = Candidate(BEST[0], "fine", costs, {}, Accuracy(0.9, IMAGES))
    dear = dataclasses.replace(
        near,
        architecture=BEST[1],
        costs=costs | {"mflops": 0.04},
        converted=Converted(Accuracy(0.89, IMAGES), 0.01, 0.0),
    )
    near = dataclasses.replace(near, converted=Converted(Accuracy(0.885, IMAGES), 0.015, 0.0))
    assert reranking.chosen([near, dear], BUDGETS[0], "best", INT8) == [dear]
    assert reranking.chosen([near, dear], BUDGETS[0], "cheapest", INT8) == [near]


def test_no_file_is_made_twice(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path, {}) as journal:
        first = _reranked(journal)

    def convert(child: Architecture) -> Converted:
        raise AssertionError(child)

    lines: list[str] = []
    with Journal(path, {}) as journal:
        found = reranking.rerank(FOUND.candidates, BUDGETS, INT8, convert, journal, lines.append)
    assert lines == first[1]
    by_child = {each.architecture: each.converted for each in first[0].candidates}
    for each in found:
        expected = by_child[each.architecture]
        assert (each.converted is None) == (expected is None)
        if each.converted and expected:
            assert each.converted.accuracy == expected.accuracy
            assert each.converted.lost == pytest.approx(expected.lost)


def test_the_result_is_read_back(tmp_path: pathlib.Path) -> None:
    result = _selected(_reranked()[0])
    plain = json.loads(json.dumps(result.to_json()))
    assert plain["settings"]["rerank"] == "int8:3"
    assert plain["selected"][0]["converted"]["top1_lost_standard_error"] == 0.005
    failures = [each["unconverted"] for each in plain["candidates"] if "unconverted" in each]
    assert failures == ["no int8 kernel"]
    assert SearchResult.from_json(plain) == result
    assert "rerank" not in FOUND.to_json()["settings"]


def test_a_file_may_be_better_than_what_it_was_made_from() -> None:
    better = Converted(Accuracy(0.75, IMAGES), -0.01, 0.005)
    assert Converted.from_json(better.to_json(), IMAGES) == better
    assert str(better).endswith("%, 1.00 ± 0.50 points gained")


def test_a_budget_none_of_whose_best_converts_is_a_failure() -> None:
    def convert(child: Architecture) -> Converted:
        raise errors.RunError("no int8 kernel")

    found = reranking.rerank(
        FOUND.candidates, BUDGETS, INT8, convert, MemoryJournal(), lambda line: None
    )
    result = dataclasses.replace(FOUND, candidates=tuple(found), rerank=INT8)
    words = r"none of the 3 best .* 0.04 could be conv.* int8; 3 failed, the first: no int8 kernel"
    with pytest.raises(errors.RunError, match=words):
        _selected(result)


def test_a_conversion_that_is_ended_is_made_by_the_next_search() -> None:
    def convert(child: Architecture) -> Converted:
        raise errors.MachineError("its process died with status -15")

    memory = MemoryJournal()
    with pytest.raises(errors.MachineError, match="status -15"):
        reranking.rerank(FOUND.candidates, BUDGETS, INT8, convert, memory, lambda line: None)
    assert memory.lines() == []


def test_selecting_again_takes_the_files_that_were_made() -> None:
    result = _selected(_reranked()[0])
    again = selecting.select_again(result, BUDGETS[:1], Reranking("int8", 1))
    assert again.selected[0].architecture == BEST[0]  # of one file, whatever it loses
    assert again.selected[0].converted == _convert(BEST[0])
    # The second could not be converted, which is known, and no reason to search again.
    third = selecting.select_again(result, BUDGETS[:1], INT8)
    assert third.selected[0].architecture == BEST[2]
    plain = selecting.select_again(result, BUDGETS[:1])
    assert plain.rerank is None
    for rerank, budget in (
        (Reranking("int8", 9), BUDGETS[0]),
        (Reranking("float16", 1), BUDGETS[0]),
    ):
        with pytest.raises(errors.UsageError, match=f"rerank={rerank}: .* search again in its"):
            selecting.select_again(result, [budget], rerank)


@pytest.mark.parametrize("text", ["int8", "int8:", "int8:0", ":3", "int8:-1", "int8:2.5", ""])
def test_what_is_not_a_format_and_a_number_is_refused(text: str) -> None:
    with pytest.raises(errors.UsageError, match=r"rerank is .*as in int8:8"):
        reranking.parse(text)


def test_its_text_is_read_back() -> None:
    assert reranking.parse(str(INT8)) == INT8
    runtime = importlib.metadata.version("ai-edge-litert")
    assert INT8.figure == f"ranking_int8_by_tensorflow_{tf.__version__}_litert_{runtime}_top1"
