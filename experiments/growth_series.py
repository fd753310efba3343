"""The series of `experiments.growth`: one part of the work grows, the rest stays."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import multiprocessing
import pathlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from bignas_tf.search_space import presets
from bignas_tf.search_space.space import SearchSpace
from bignas_tf.selection.evaluator import Evaluator
from tools.benchmarks import candidate, cases, harness, step

_BATCHES = (8, 16, 32, 64, 128)
_RESOLUTIONS = (16, 24, 32, 48, 64)
_RANDOM_CHILDREN = (0, 1, 2, 4, 6)
_DEPTHS = (1, 2, 4, 6, 8)  # of each of the last two stages
_SCORED = (500, 1000, 2000, 3000, 4000)
_PROCESSES = 2
_MOST_TRACES = 3  # a trace takes as long as a hundred steps
_SMALL = cases.SMALL


@dataclasses.dataclass(frozen=True)
class Series:
    """Times, and the work that each of them did.

    Attributes:
      factor: what grows, with its unit.
      measured: what was timed.
      values: of the factor, ascending.
      work: done at each value, in `work_unit`.
      work_unit: such as "multiply-adds".
      samples: seconds, [values][repeats].
    """

    factor: str
    measured: str
    values: Sequence[int]
    work: Sequence[float]
    work_unit: str
    samples: Sequence[harness.Samples]

    @property
    def seconds(self) -> np.ndarray:
        """Medians, [values]."""
        return np.median(self.samples, axis=1)

    @property
    def against_work(self) -> np.ndarray:
        """Growth of time over growth of work since the first value, [values]."""
        rate = self.seconds / np.asarray(self.work)
        return rate / rate[0]

    @property
    def steepest(self) -> float:
        """The most by which time outgrew work from any value to a later one."""
        grown = self.against_work
        return float(np.max(grown[1:] / np.minimum.accumulate(grown)[:-1]))

    def to_json(self) -> dict[str, Any]:
        """Every figure, as plain data."""
        return dataclasses.asdict(self) | {
            "seconds": self.seconds.tolist(),
            "against_work": self.against_work.tolist(),
            "steepest": self.steepest,
        }


def batch(repeats: int) -> Series:
    """A sandwich step on more images."""
    grown = {size: dataclasses.replace(_SMALL, batch_size=size) for size in _BATCHES}
    return _steps("batch (images)", grown, repeats)


def resolution(repeats: int) -> Series:
    """A sandwich step whose children all see larger images, made from the same patches."""
    spaces = {
        side: dataclasses.replace(_space(), train_resolutions=(side,), eval_resolutions=(side,))
        for side in _RESOLUTIONS
    }
    with _in_spaces(spaces) as grown:
        return _steps("resolution of every child (px)", grown, repeats)


def random_children(repeats: int) -> Series:
    """A sandwich step with more random children."""
    grown = {count: dataclasses.replace(_SMALL, num_random=count) for count in _RANDOM_CHILDREN}
    return _steps("random children", grown, repeats)


def blocks(repeats: int) -> Series:
    """A sandwich step of deeper networks."""
    with _in_spaces(_deeper()) as grown:
        return _steps("blocks of the biggest child", grown, repeats)


def trace(repeats: int) -> Series:
    """The first sandwich step of deeper networks, which traces them."""
    with _in_spaces(_deeper()) as grown:
        _first_step(min(grown.items())[1])  # without what TensorFlow sets up once
        samples = [
            [_first_step(case) for _ in range(min(repeats, _MOST_TRACES))]
            for case in grown.values()
        ]
        work = [_traced_blocks(case) for case in grown.values()]
    return Series(
        "blocks of the biggest child", "trace and first sandwich step", [*grown], work,
        "blocks traced", samples,
    )  # fmt: skip


def images(repeats: int) -> Series:
    """A candidate that is scored on more images; those that calibrate it stay."""
    supernet = _SMALL.supernet()
    child = candidate.random_child(supernet)
    evaluator = Evaluator(supernet, [_SMALL.images(_SMALL.calibrated)])
    scored = [
        candidate.scored_batches(dataclasses.replace(_SMALL, scored=count)) for count in _SCORED
    ]
    runs = [functools.partial(candidate.evaluate, evaluator, child, each) for each in scored]
    values = [_SMALL.calibrated + count for count in _SCORED]
    macs = supernet.cost_of(child).macs
    return Series(
        f"images ({_SMALL.calibrated} to calibrate, the rest to score)", "a candidate", values,
        [macs * count for count in values], "multiply-adds", harness.alternate(runs, repeats),
    )  # fmt: skip


def processes(repeats: int) -> Series:
    """One process makes a sandwich step, then two at once make one each."""
    context = multiprocessing.get_context("spawn")
    pipes = [context.Pipe() for _ in range(_PROCESSES)]
    workers = [context.Process(target=_work, args=(theirs,), daemon=True) for _, theirs in pipes]
    for worker in workers:
        worker.start()
    ours = [connection for connection, _ in pipes]
    counts = range(1, _PROCESSES + 1)
    runs = [functools.partial(_step_in, ours[:count]) for count in counts]
    samples = harness.alternate(runs, repeats)
    for connection, worker in zip(ours, workers, strict=True):
        connection.send(False)
        worker.join()
    work = [count * _work_of(_SMALL) for count in counts]
    return Series(
        "processes", "one sandwich step in each", [*counts], work, "multiply-adds", samples
    )


def _work(connection: Connection) -> None:
    """Makes a step each time it is sent True, until it is sent False."""
    run = step.SandwichSteps(_SMALL, "slice")
    while connection.recv():
        run()
        connection.send(True)


def _step_in(connections: Sequence[Connection]) -> None:
    for connection in connections:
        connection.send(True)
    for connection in connections:
        connection.recv()


def _steps(factor: str, grown: Mapping[int, cases.Case], repeats: int) -> Series:
    runs: list[Callable[[], object]] = [
        step.SandwichSteps(case, "slice") for case in grown.values()
    ]
    work = [_work_of(case) for case in grown.values()]
    samples = harness.alternate(runs, repeats)
    return Series(factor, "one sandwich step", [*grown], work, "multiply-adds", samples)


def _work_of(case: cases.Case) -> int:
    """Multiply-adds of a step's forward passes; those of its gradients are in proportion."""
    return case.batch_size * sum(step.multiply_adds(case))


def _first_step(case: cases.Case) -> float:
    return harness.once(step.SandwichSteps(case, "slice"))


def _traced_blocks(case: cases.Case) -> int:
    """A random child's graph holds every block, whichever of them it leaves out."""
    space = presets.get(case.search_space)
    most, least = sum(space.biggest().depths), sum(space.smallest().depths)
    return most * (1 + case.num_random) + least


def _space() -> SearchSpace:
    return presets.get(_SMALL.search_space)


def _deeper() -> dict[int, SearchSpace]:
    """By the blocks of the biggest child; a block of depths 1 to n more or less in two stages."""
    first, *others = _space().stages
    spaces = {}
    for most in _DEPTHS:
        depths = tuple(range(1, most + 1))
        stages = (first, *(dataclasses.replace(stage, depths=depths) for stage in others))
        spaces[first.max_depth + most * len(others)] = dataclasses.replace(_space(), stages=stages)
    return spaces


@contextlib.contextmanager
def _in_spaces(spaces: Mapping[int, SearchSpace]) -> Iterator[dict[int, cases.Case]]:
    """The small case in each space, which is in a file while the context lasts."""
    with tempfile.TemporaryDirectory() as folder:
        grown = {}
        for value, space in spaces.items():
            path = pathlib.Path(folder, f"{value}.yaml")
            path.write_text(presets.to_yaml(space))
            grown[value] = dataclasses.replace(_SMALL, search_space=str(path))
        yield grown
