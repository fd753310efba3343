"""Times what is compared in alternation, and holds the figures."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence

import numpy as np

Samples = Sequence[float]


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the user chose; with None a measure uses its own value.

    Attributes:
      repeats: timed runs of each side.
      search_space: preset or YAML file for `step` and `candidate`.
      batch_size: images of a step.
      images: scored by `candidate`, or read by `input`.
    """

    repeats: int = 7
    search_space: str | None = None
    batch_size: int | None = None
    images: int | None = None


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of a measure's table.

    Attributes:
      name: what was measured.
      unit: of the samples; one that ends in "/s" is a rate, and more of it is better.
      samples: ours, and the reference's where there is one, as `alternate` gives them.
      reference_name: what the reference is.
      skipped: why a figure that belongs here was not measured.
      work: our work over the reference's, where they differ.
      least_ratio: target of `ratio`.
      bound: target of our median: at most, or at least for a rate.
      note: how the figure came about.
    """

    name: str
    unit: str
    samples: Sequence[Samples] = ()
    reference_name: str = ""
    skipped: str = ""
    work: float = 1.0
    least_ratio: float | None = None
    bound: float | None = None
    note: str = ""

    @property
    def ours(self) -> Samples:
        return self.samples[0] if self.samples else ()

    @property
    def reference(self) -> Samples:
        return self.samples[1] if len(self.samples) > 1 else ()

    @property
    def is_rate(self) -> bool:
        return self.unit.endswith("/s")

    @property
    def ratio(self) -> float | None:
        """How many times as fast as the reference we are, at equal work."""
        if len(self.samples) < 2:
            return None
        ours, reference = np.median(self.ours), np.median(self.reference)
        return float(self.work * (ours / reference if self.is_rate else reference / ours))

    @property
    def target(self) -> str:
        parts = [] if self.least_ratio is None else [f"ratio >= {self.least_ratio:.2f}"]
        if self.bound is not None:
            parts.append(f"{'>=' if self.is_rate else '<='} {figure(self.bound)} {self.unit}")
        return ", ".join(parts)

    @property
    def reached(self) -> bool | None:
        """Whether every target was reached; None without a target or without the figure for it."""
        met = []
        if self.least_ratio is not None:
            met.append(None if self.ratio is None else self.ratio >= self.least_ratio)
        if self.bound is not None and self.samples:
            median = float(np.median(self.ours))
            met.append(median >= self.bound if self.is_rate else median <= self.bound)
        return None if not met or None in met else all(met)

    def to_json(self) -> dict[str, object]:
        """Every figure, as plain data."""
        return {
            "name": self.name,
            "unit": self.unit,
            "ours": _summary(self.ours),
            "reference": _summary(self.reference),
            "reference_name": self.reference_name,
            "skipped": self.skipped,
            "work": self.work,
            "ratio": self.ratio,
            "target": self.target,
            "reached": self.reached,
            "note": self.note,
        }


def alternate(
    sides: Sequence[Callable[[], object]],
    repeats: int,
    calls: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> list[list[float]]:
    """Runs every side once to warm up, then all of them in turn, `repeats` times.

    Args:
      sides: what to time; each must have finished its work when it returns.
      repeats: samples of each side.
      calls: of a side for one sample, for calls too short to time alone.
      clock: gives seconds.

    Returns:
      Each side's seconds a call, [sides][repeats].
    """
    for run in sides:
        run()
    samples: list[list[float]] = [[] for _ in sides]
    for _ in range(repeats):
        for run, found in zip(sides, samples, strict=True):
            start = clock()
            for _ in range(calls):
                run()
            found.append((clock() - start) / calls)
    return samples


def once(run: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds of one run without a warm-up."""
    start = clock()
    run()
    return clock() - start


def milliseconds(sides: Sequence[Samples]) -> list[list[float]]:
    """Each side's seconds in milliseconds."""
    return [[1000 * each for each in samples] for samples in sides]


def rates(work: float, sides: Sequence[Samples]) -> list[list[float]]:
    """Each side's seconds as work done a second."""
    return [[work / each for each in samples] for samples in sides]


def spread(samples: Samples) -> float:
    """Interquartile range in percent of the median."""
    low, median, high = np.percentile(samples, [25, 50, 75])
    return float(100 * (high - low) / median)


def figure(value: float) -> str:
    """Three digits, or whole thousands."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _summary(samples: Samples) -> dict[str, object] | None:
    if not len(samples):
        return None
    return {
        "median": float(np.median(samples)),
        "spread_percent": spread(samples),
        "samples": [float(each) for each in samples],
    }
