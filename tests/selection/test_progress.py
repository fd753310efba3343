"""What a search prints."""

from __future__ import annotations

import itertools
import re

import tensorflow as tf  # noqa: F401  (the devices of the whole test run are set when it is in)

from bignas_tf import console
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.selection import strategies
from bignas_tf.selection.budgets import Budget
from bignas_tf.selection.figures import Figures
from bignas_tf.selection.journal import RANKING, REPORTING, Record
from bignas_tf.selection.pool import MEASURED_AT_ONCE, Pool
from bignas_tf.selection.progress import SearchProgress, countdown
from tests.selection import countable
from tests.selection.countable import SPACE, Memory


def _lines(memory: Memory) -> list[str]:
    """A search's lines; what it finds is put into `memory`.

    By its clock the first candidate takes 100 s, the others 2 s each.
    """
    lines: list[str] = []
    objectives, seconds = countable.objectives(), itertools.count(100, 2)
    progress = SearchProgress(objectives, lines.append, lambda: next(seconds))
    known = countable.figures(memory)
    scorers = {what: known.scorers[what] for what in (RANKING, REPORTING)}
    figures = Figures(objectives, scorers, memory, progress.found)
    pool = Pool(SPACE, [Budget({"ms": 0.6}), Budget({"mflops": 0.05})], figures, progress)
    strategies.coarse_to_fine(pool, countable.settings(rounds=1, mutants=2))
    return lines


def test_a_figure_without_a_spread_is_told_as_certain() -> None:
    lines: list[str] = []
    progress = SearchProgress(countable.objectives(), lines.append, lambda: 0.0)
    progress.found(Record("ms", SPACE.smallest(), 0.25))
    progress.found(Record("ms", SPACE.biggest(), 0.5, spread=0.125))
    assert lines == ["  time: 0.25 ± 0 ms", "  time: 0.5 ± 0.12 ms"]


def test_lines_tell_done_left_pace_and_the_best_of_each_budget() -> None:
    lines = _lines(Memory())
    finished = [line for line in lines if "top-1" in line]
    assert len([line for line in lines if line.startswith("  time: ")]) >= len(finished)
    for number, line in enumerate(finished, 1):
        assert re.match(rf"(coarse|fine) {number}/20: [\d.e-]+ ms time, [\d.e-]+ M multiply", line)
        # The first says nothing about the others.
        left = console.duration(2 * (20 - number))
        pace = f"  (30/min, {left} left)  " if number > 1 else "  (first)  "
        assert pace in line
    assert re.search(r"best ms_0.6: \d+.\d\d%, 0.05: \d+.\d\d%$", finished[-1])


def test_the_pace_is_that_of_the_latest_children() -> None:
    """Of the first, much may have been known: here each takes a second, later ones a minute."""
    lines: list[str] = []
    seconds = itertools.accumulate(itertools.chain([1] * 20, itertools.repeat(60)))
    progress = SearchProgress(countable.objectives(), lines.append, lambda: next(seconds))
    figures = countable.figures(Memory())
    scorers = {what: figures.scorers[what] for what in (RANKING, REPORTING)}
    figures = Figures(countable.objectives(), scorers, Memory(), progress.found)
    pool = Pool(SPACE, countable.budgets()[-1:], figures, progress, evaluations=60)
    strategies.random(pool, countable.settings())
    finished = [line for line in lines if line.startswith("random")]
    assert "(60/min, 40 s left)" in finished[19]
    assert "(1/min, 1.0 min left)" in finished[58]


def test_costs_that_are_measured_many_at_once_do_not_shake_the_pace() -> None:
    """Scoring takes no time here, so that the children of a group are finished all at once."""
    lines: list[str] = []
    measured: list[Architecture] = []  # a second each

    def measure(child: Architecture) -> float:
        measured.append(child)
        return countable.milliseconds(child)

    objectives = countable.objectives(measure)
    progress = SearchProgress(objectives, lines.append, lambda: float(len(measured)))
    scorers = countable.figures(Memory()).scorers
    figures = Figures(objectives, scorers, Memory(), progress.found)
    pool = Pool(SPACE, [Budget({"ms": 1e6})], figures, progress, evaluations=64)
    strategies.random(pool, countable.settings())
    finished = [line for line in lines if line.startswith("random")]
    assert len(finished) == 64
    assert all("(60/min, " in line for line in finished[2 * MEASURED_AT_ONCE :])


def test_what_an_earlier_search_found_is_known() -> None:
    memory = Memory()
    first = _lines(memory)
    warning, *again = _lines(memory)
    assert len(again) == sum("top-1" in line for line in first)
    assert all("(known)" in line for line in again)
    assert warning.startswith("warning: the best of 20 children that are ranked on 1,000 images ")
    assert first.count(warning) == 1


def test_a_countdown_leaves_out_the_first_item_and_short_waits() -> None:
    # From 0 s: the first item takes 10 s, the others 60, 4, 116 and 10.
    seconds = iter([0, 10, 70, 74, 190, 200])
    lines: list[str] = []
    passed = countdown("abcde", 5, lines.append, lambda: next(seconds))
    assert list(passed) == list("abcde")
    # 60 s an item make 3 min for three; 180 s for three items make 1 min for one.
    assert lines == ["2/5 scored, 3.0 min left", "4/5 scored, 1.0 min left"]
