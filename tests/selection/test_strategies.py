"""Strategies on an accuracy whose best children are known by trying them all."""

from __future__ import annotations

import pathlib

import pytest
import tensorflow as tf  # noqa: F401  (the devices of the whole test run are set when it is in)

from bignas_tf import errors, files
from bignas_tf.accuracy import Accuracy
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.selection import budgets as budgets_lib
from bignas_tf.selection import sharing, strategies
from bignas_tf.selection.budgets import Budget
from bignas_tf.selection.candidates import Candidate
from bignas_tf.selection.journal import RANKING, REPORTING, Journal, MemoryJournal, Record
from bignas_tf.selection.objectives import Measurement
from tests.selection import countable
from tests.selection.countable import SPACE, Memory, Silent

ALL = list(strategies.STRATEGIES)


def test_coarse_to_fine_finds_the_best_child_there_is_for_every_budget() -> None:
    candidates = countable.search("coarse_to_fine")
    for budget in countable.budgets():
        limit = budget.limits["mflops"] * 1e6
        affordable = [a for a in countable.everything() if countable.macs(a) <= limit]
        found = [c for c in candidates if budget.holds(c.costs)]
        top1 = [each.ranking.top1 for each in found if each.ranking]
        assert max(top1) == max(map(countable.accuracy, affordable))


@pytest.mark.parametrize("name", ALL)
def test_nothing_is_scored_twice_and_the_limit_is_kept(name: str) -> None:
    memory, watcher = Memory(), Silent()
    candidates = countable.search(name, memory=memory, watcher=watcher, evaluations=25)
    assert len(candidates) == watcher.total == len(watcher.finishes) == 25
    # `Memory.add` refuses a second figure of the same child.
    assert set(memory.of(RANKING)) == {candidate.architecture for candidate in candidates}


@pytest.mark.parametrize("name", ALL)
def test_every_budget_has_a_child_and_so_has_the_tightest(name: str) -> None:
    budgets = countable.budgets()
    candidates = countable.search(name, evaluations=30)
    for budget in budgets:
        assert any(budget.holds(candidate.costs) for candidate in candidates)


@pytest.mark.parametrize("name", ALL)
def test_new_children_lie_within_a_budget(name: str) -> None:
    budget = countable.budgets()[2]
    candidates = countable.search(name, [budget])
    later = [c for c in candidates if c.phase != "coarse"]
    assert later
    assert all(budget.holds(candidate.costs) for candidate in later)


@pytest.mark.parametrize("name", ALL)
def test_the_same_seed_gives_the_same_search_and_another_one_another(name: str) -> None:
    few = {"rounds": 2, "mutants": 3, "evaluations": 24}
    assert countable.search(name, **few) == countable.search(name, **few)
    assert countable.search(name, **few) != countable.search(name, **few, seed=1)


@pytest.mark.parametrize("name", ALL)
def test_what_is_remembered_is_not_found_again_and_changes_nothing(name: str) -> None:
    limits = [Budget({"ms": 0.6}), Budget({"ms": 1.0, "mflops": 0.09})]
    memory = Memory()
    expected = countable.search(name, limits, memory, evaluations=24)
    half = Memory(memory.lines()[: len(memory.lines()) // 2])
    new: list[Architecture] = []

    def score(architecture: Architecture) -> float:
        new.append(architecture)
        return countable.accuracy(architecture)

    known = set(half.of(RANKING))
    assert countable.search(name, limits, half, score=score, evaluations=24) == expected
    assert sorted(half.lines()) == sorted(memory.lines())
    assert known.isdisjoint(new)


@pytest.mark.parametrize("place", ["local", "remote"])
@pytest.mark.parametrize("name", ALL)
def test_an_interrupted_search_ends_as_the_others_do(
    name: str, place: str, tmp_path: pathlib.Path
) -> None:
    folder = str(tmp_path) if place == "local" else f"ram://{tmp_path.name}"
    files.make_folder(folder)
    scored: list[Architecture] = []

    def search(interrupted_at: int) -> list[Candidate]:
        def score(architecture: Architecture) -> float:
            if len(scored) == interrupted_at:
                raise KeyboardInterrupt
            scored.append(architecture)
            return countable.accuracy(architecture)

        with Journal(f"{folder}/journal.jsonl", {}) as journal:
            return countable.search(name, memory=journal, score=score, evaluations=24)

    for number in (7, 15):
        with pytest.raises(KeyboardInterrupt):
            search(number)
    candidates = search(1000)
    assert candidates == countable.search(name, evaluations=24)
    # Nothing was lost: each child was scored once.
    assert len(set(scored)) == len(scored) == 24


def test_several_limits_hold_at_once() -> None:
    budget = Budget({"ms": 0.6, "mflops": 0.07})
    candidates = countable.search("coarse_to_fine", [budget])
    fine = [candidate for candidate in candidates if candidate.phase == "fine"]
    assert fine
    for candidate in fine:
        assert candidate.costs["ms"] <= 0.6
        assert candidate.costs["mflops"] <= 0.07
        assert candidate.spreads == {"ms": 0.5}


def test_the_cheapest_child_serves_a_budget_that_no_skeleton_fits() -> None:
    tightest = countable.budgets()[0]
    for rounds in (0, 2):
        candidates = countable.search(
            "coarse_to_fine", resolutions=(10,), width_multipliers=(1.0,), rounds=rounds
        )
        (found,) = [c.architecture for c in candidates if tightest.holds(c.costs)]
        assert found == budgets_lib.cheapest(SPACE)


@pytest.mark.parametrize("name", ALL)
def test_children_that_fail_are_candidates_with_a_reason_and_the_search_goes_on(name: str) -> None:
    def score(architecture: Architecture) -> float:
        if architecture.head_width == 8:
            raise errors.RunError("memory does not suffice")
        return countable.accuracy(architecture)

    def measure(architecture: Architecture) -> float:
        if architecture.depths == (2,):
            raise errors.RunError("the phone does not answer")
        return countable.milliseconds(architecture)

    candidates = countable.search(name, score=score, measure=measure, evaluations=40)
    for candidate in candidates:
        if candidate.architecture.depths == (2,):
            assert candidate.failure == "the phone does not answer"
            assert "ms" not in candidate.costs
        elif candidate.architecture.head_width == 8:
            assert candidate.failure == "memory does not suffice"
        else:
            assert candidate.failure is None
        assert (candidate.ranking is None) == (candidate.failure is not None)
    assert {candidate.failure for candidate in candidates} == {
        None,
        "memory does not suffice",
        "the phone does not answer",
    }


@pytest.mark.parametrize("value", [0.0, 1e-9, -1.0, float("nan"), float("inf")])
def test_a_measurement_that_is_no_cost_is_a_failure(value: float) -> None:
    (cheapest,) = [a for a in countable.everything() if a == budgets_lib.cheapest(SPACE)]
    record = countable.figures(Memory(), measure=lambda child: value).cost("ms", cheapest)
    assert record.value is None
    assert "which is not a cost" in (record.failure or "")


def test_a_failure_that_would_end_the_search_is_tried_again() -> None:
    answers = iter([errors.RunError("no phone"), 0.5])

    def measure(architecture: Architecture) -> float:
        answer = next(answers)
        if isinstance(answer, errors.RunError):
            raise answer
        return answer

    figures = countable.figures(MemoryJournal(), measure=measure)
    child = budgets_lib.cheapest(SPACE)
    with pytest.raises(errors.RunError, match="no phone"):
        figures.known_cost("ms", child)
    assert figures.cost("ms", child).failure == "no phone"
    assert figures.known_cost("ms", child) == figures.cost("ms", child).value == 0.5


def test_a_child_that_memory_did_not_hold_is_tried_again_by_the_next_search() -> None:
    def score(architecture: Architecture) -> float:
        if architecture.head_width == 8:
            raise errors.OutOfMemoryError("out of memory")
        return countable.accuracy(architecture)

    memory, watcher = Memory(), Silent()
    before = countable.search(
        "coarse_to_fine", memory=memory, watcher=watcher, score=score, rounds=0
    )
    failed = [candidate for candidate in before if candidate.failure == "out of memory"]
    assert failed == [each for each in watcher.finishes if each.architecture.head_width == 8]
    assert 0 < len(failed) < len(before)
    after = countable.search("coarse_to_fine", memory=memory, rounds=0)
    assert [each.architecture for each in after] == [each.architecture for each in before]
    assert all(candidate.ranking for candidate in after)


def test_a_child_that_could_not_be_measured_for_lack_of_memory_is_measured_by_the_next_search() -> (
    None
):
    measured: list[Architecture] = []

    def measure(architecture: Architecture) -> float:
        measured.append(architecture)
        if len(measured) == 1:
            raise errors.OutOfMemoryError("no room")
        return countable.milliseconds(architecture)

    child, memory = budgets_lib.cheapest(SPACE), Memory()
    figures = countable.figures(memory, measure=measure)
    # In one search it stays a failure, and is measured once.
    assert [figures.cost("ms", child).failure for _ in range(2)] == ["no room", "no room"]
    assert measured == [child]
    assert memory.of("ms") == []
    later = countable.figures(memory, measure=measure)
    assert later.cost("ms", child).value == pytest.approx(countable.milliseconds(child))
    assert memory.of("ms") == [child]
    # The figure that is known at last takes the place of the failure.
    assert figures.cost("ms", child).failure is None


@pytest.mark.parametrize("kind", [errors.RunError, errors.OutOfMemoryError, errors.MachineError])
def test_several_processes_learn_how_a_measurement_failed(kind: type[errors.RunError]) -> None:
    def measure(architecture: Architecture) -> Measurement:
        raise kind("no room")

    with pytest.raises(errors.RunError, match=r"^no room$") as caught:
        sharing._outcome(sharing._attempt(measure, budgets_lib.cheapest(SPACE)))
    assert type(caught.value) is kind


def test_a_child_that_failed_is_tried_again_only_if_it_was_selected() -> None:
    child, memory = budgets_lib.cheapest(SPACE), MemoryJournal()
    for what, found in ((REPORTING, True), (RANKING, False)):
        memory.add(Record(what, child, None, failure="not finite"))
        ((_, outcome),) = countable.figures(memory).accuracies(what, [child])
        assert isinstance(outcome, Accuracy) == found
