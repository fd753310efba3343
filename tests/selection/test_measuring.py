"""A device that is gone is told from children that cannot be measured."""

from __future__ import annotations

import os
import pathlib
import re
from collections.abc import Callable

import pytest

from bignas_tf import errors
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.selection import measuring
from bignas_tf.selection.budgets import Budget
from bignas_tf.selection.config import STRATEGIES
from bignas_tf.selection.journal import Journal, MemoryJournal, Record
from bignas_tf.selection.objectives import Measurement, Objective
from tests.selection import countable

MOST = measuring._MOST_FAILED
CHILDREN = countable.everything()
DEAREST = Budget({"ms": max(map(countable.milliseconds, CHILDREN))})
GONE = errors.RunError("adb: no devices found")


class Device:
    """Measures children until it is gone, and never those that it refuses."""

    def __init__(self, refused: Callable[[Architecture], bool] = lambda child: False) -> None:
        self.refused, self.calls = refused, 0
        self.gone = self.full = False
        self.kept: list[Record] = []
        self.found: list[Record] = []
        objective = Objective("ms", "latency", "ms", self._measure, counted=False)
        self.measurer = measuring.Measurer(objective, self.kept.append, self.found.append)

    def _measure(self, child: Architecture) -> Measurement:
        self.calls += 1
        if self.full:
            raise errors.OutOfMemoryError("no room")
        if self.gone:
            raise GONE
        if self.refused(child):
            raise errors.RunError("this child crashes")
        return Measurement(countable.milliseconds(child), 0.1)


def test_failures_are_kept_once_another_child_was_measured() -> None:
    device = Device(refused=lambda child: child in CHILDREN[1:3])
    first = [device.measurer.measure(child) for child in CHILDREN[:3]]
    assert device.kept == first[:1]
    assert [device.measurer.failed(child) for child in CHILDREN[:4]] == [None, *first[1:], None]
    last = device.measurer.measure(CHILDREN[3])
    assert device.kept == device.found == [*first, last]
    assert device.measurer.failed(CHILDREN[1]) is None


def test_a_device_that_is_gone_ends_the_search_and_none_of_its_failures_is_kept() -> None:
    device = Device()
    device.measurer.measure(CHILDREN[0])
    device.gone = True
    for child in CHILDREN[1:MOST]:
        device.measurer.measure(child)
    words = (
        f"latency: {MOST} children in a row could not be measured, and one that could be measured "
        "before cannot be now; the last failed with: adb: no devices found"
    )
    with pytest.raises(errors.RunError, match=f"^{re.escape(words)}"):
        device.measurer.measure(CHILDREN[MOST])
    assert [record.architecture for record in device.kept] == [CHILDREN[0]]


def test_where_nothing_was_ever_measured_a_search_ends_as_well() -> None:
    device = Device(refused=lambda child: True)
    for child in CHILDREN[1:MOST]:
        device.measurer.measure(child)
    with pytest.raises(errors.RunError, match="and none has been before"):
        device.measurer.measure(CHILDREN[MOST])
    assert device.kept == []


def test_many_children_that_fail_alike_do_not_end_a_search_whose_device_is_there() -> None:
    device = Device(refused=lambda child: child != CHILDREN[0])
    for child in CHILDREN:
        device.measurer.measure(child)
    asked_again = (len(CHILDREN) - 1) // MOST
    assert device.calls == len(CHILDREN) + asked_again
    assert len(device.kept) == 1 + asked_again * MOST
    assert len(device.found) == len(CHILDREN)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_children_that_cannot_be_measured_are_candidates_that_failed(strategy: str) -> None:
    calls: list[Architecture] = []

    def measure(child: Architecture) -> float:
        calls.append(child)
        if child.resolution == 10:
            raise errors.RunError("this child crashes")
        return countable.milliseconds(child)

    candidates = countable.search(strategy, [DEAREST], measure=measure)
    failed = {each.architecture for each in candidates if each.failure}
    refused = [child for child in calls if child.resolution == 10]
    assert set() < failed <= set(refused)
    assert len(refused) == len(set(refused))
    assert {each.failure for each in candidates if each.failure} == {"this child crashes"}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_ends_when_nothing_can_be_measured(strategy: str) -> None:
    calls: list[Architecture] = []

    def measure(child: Architecture) -> float:
        calls.append(child)
        raise GONE

    with pytest.raises(errors.RunError, match="and none has been before"):
        countable.search(strategy, [DEAREST], measure=measure)
    assert len(calls) == MOST


@pytest.mark.parametrize("evaluations", [7, 20, 33])
@pytest.mark.parametrize("strategy", ["evolution", "predictor", "random"])
def test_no_child_is_measured_that_may_not_be_scored(strategy: str, evaluations: int) -> None:
    """On a phone a measurement takes as long as scoring; all children are within the budgets."""
    calls: list[Architecture] = []

    def measure(child: Architecture) -> float:
        calls.append(child)
        return countable.milliseconds(child)

    within = [DEAREST, Budget({"ms": 2 * DEAREST.limits["ms"]})]
    candidates = countable.search(strategy, within, measure=measure, evaluations=evaluations)
    assert len(candidates) == evaluations
    assert set(calls) == {each.architecture for each in candidates}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_search_whose_device_is_there_goes_on_after_any_kill(strategy: str) -> None:
    """Although nearly every child crashes, in a search that starts again from its journal, too."""

    class KilledError(Exception):
        pass

    def measure(child: Architecture) -> float:
        calls.append(child)
        if len(calls) > most:
            raise KilledError
        if child.resolution == 10 or child.head_width == 16:
            raise errors.RunError("this child crashes")
        return countable.milliseconds(child)

    calls: list[Architecture] = []
    most = 10**6
    whole = countable.search(strategy, [DEAREST], measure=measure)
    for most in range(1, len(calls), len(calls) // 2):
        memory, calls = MemoryJournal(), []
        with pytest.raises(KilledError):
            countable.search(strategy, [DEAREST], memory, measure=measure)
        calls, most = [], 10**6
        assert countable.search(strategy, [DEAREST], memory, measure=measure) == whole


def test_a_process_that_was_ended_ends_the_search_and_says_nothing_of_the_child() -> None:
    def measure(child: Architecture) -> Measurement:
        raise errors.MachineError("its process died with status -15")

    kept: list[Record] = []
    objective = Objective("ms", "latency", "ms", measure, counted=False)
    measurer = measuring.Measurer(objective, kept.append, kept.append)
    with pytest.raises(errors.MachineError, match="status -15"):
        measurer.measure(CHILDREN[0])
    assert (kept, measurer.failed(CHILDREN[0])) == ([], None)


def test_a_failure_that_names_a_file_which_is_no_text_can_be_kept(tmp_path: pathlib.Path) -> None:
    error = errors.RunError(f"cannot read {os.fsdecode(bytes([0xE9]))}.bin")
    record = measuring.failure("ms", CHILDREN[0], error)
    for _ in range(2):
        with Journal(tmp_path / "journal.jsonl", {}) as journal:
            assert journal.get("ms", CHILDREN[0]) in (None, record)
            journal.add(record)
    assert record.failure == "cannot read ?.bin"


def test_a_lack_of_memory_says_nothing_of_the_device() -> None:
    device = Device(refused=lambda child: child != CHILDREN[0])
    device.measurer.measure(CHILDREN[0])
    for child in CHILDREN[1:MOST]:
        device.measurer.measure(child)
    device.full = True
    assert device.measurer.measure(CHILDREN[MOST]).failure == "no room"
    device.full = False
    device.measurer.measure(CHILDREN[MOST + 1])
    assert len(device.kept) == 1 + MOST


def test_where_memory_runs_out_as_a_child_is_asked_again_the_next_failure_asks() -> None:
    def refused(child: Architecture) -> bool:
        if child == CHILDREN[0]:
            raise errors.OutOfMemoryError("no room")
        return True

    device = Device()
    device.measurer.measure(CHILDREN[0])
    device.refused = refused
    for child in CHILDREN[1 : MOST + 1]:
        device.measurer.measure(child)
    assert len(device.kept) == 1
    device.refused = lambda child: child != CHILDREN[0]
    device.measurer.measure(CHILDREN[MOST + 1])
    assert len(device.kept) == 2 + MOST
