"""How calls are timed, on a clock that they move themselves."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bignas_tf.exports import probe


class Machine:
    """Calls that take known seconds, in turn, and the clock that they move."""

    def __init__(self, seconds: Callable[[int], float]) -> None:
        self.calls, self.now, self._seconds = 0, 0.0, seconds

    def call(self) -> None:
        self.now += self._seconds(self.calls)
        self.calls += 1

    def timing(self) -> probe.Timing:
        return probe.timing(self.call, lambda: self.now)


def test_steady_calls_are_timed_once() -> None:
    machine = Machine(lambda number: 0.002)
    assert machine.timing() == pytest.approx((2, 0), abs=1e-9)
    assert machine.calls == pytest.approx(100, abs=1)  # 0.2 s
    slow = Machine(lambda number: 0.1)
    assert slow.timing() == pytest.approx((100, 0), abs=1e-9)
    assert slow.calls == 50


def test_calls_that_scatter_are_timed_again_until_they_do_not() -> None:
    machine = Machine(lambda number: 0.02 * (1 + number % 3) if number < 100 else 0.02)
    assert machine.timing() == pytest.approx((20, 0), abs=1e-9)
    assert machine.calls == 150


def test_of_calls_that_always_scatter_the_fastest_try_counts() -> None:
    machine = Machine(lambda number: 0.02 * (1 + number % 3) * (1 + (number // 50 != 2)))
    assert machine.timing() == pytest.approx((40, 20), rel=0.05)
    assert machine.calls == 250
