"""Calibrates and scores any child of a supernet; two traces serve them all."""

from __future__ import annotations

import collections
import contextlib
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from bignas_tf import errors, workers
from bignas_tf.accuracy import Accuracy
from bignas_tf.modeling.supernet import Supernet
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.selection.calibration import PooledMoments
from bignas_tf.selection.graphs import ChildGraphs, PerReplica

_FEWEST = 8  # images at a time; where these do not fit, fewer would hardly help

Batches = Iterable[tuple[tf.Tensor, tf.Tensor]]


class Evaluator:
    """Runs children of the shared weights, which it never changes, as dynamic slices.

    Each replica of the supernet's strategy has its own child. Masks (for TPUs) need
    static shapes: there each resolution and each size of batch has its own traces, and
    only children of one resolution run side by side.

    Where memory does not hold a batch, it is scored in smaller parts, which gives the same
    accuracy. Batches of calibration stay whole: their moments depend on their size, and children
    must be comparable.

    Args:
      supernet: trained weights.
      calibration: batches of uint8 [N, S, S, C] patches and labels, iterated
        again for each group of children; S is the space's `base_resolution`.
    """

    def __init__(self, supernet: Supernet, calibration: Batches) -> None:
        self._supernet = supernet
        self._calibration = calibration
        self._replicas = supernet.distribute_strategy.num_replicas_in_sync
        self._graphs: dict[int | None, ChildGraphs] = {}
        self._at_once: dict[int, int] = {}  # images that memory holds, by side

    @property
    def traces(self) -> int:
        """How often a graph was traced: at most 2, except with masks."""
        return sum(graphs.traces for graphs in self._graphs.values())

    def scores(
        self, architectures: Iterable[Architecture], batches: Batches
    ) -> Iterator[tuple[Architecture, Accuracy]]:
        """Calibrates and scores children, and yields them as they are done.

        Raises:
          OutOfMemoryError: see `attempts`.
          RunError: a logit is NaN or infinite.
        """
        for architecture, outcome in self.attempts(architectures, batches):
            if isinstance(outcome, errors.RunError):
                raise outcome
            yield architecture, outcome

    def attempts(
        self, architectures: Iterable[Architecture], batches: Batches
    ) -> Iterator[tuple[Architecture, Accuracy | errors.RunError]]:
        """As `scores`, but yields the error of a child that fails, and continues.

        It is `OutOfMemoryError` where a batch of calibration, or few images to score, do not fit.
        """
        for group in self._groups(architectures):
            outcome = self._attempt(group, batches)
            if isinstance(outcome, list):
                yield from zip(group, outcome, strict=True)
            elif len(group) == 1:
                yield group[0], outcome
            else:
                # Run each alone to see which of the replicas' children failed.
                for architecture in group:
                    alone = self._attempt([architecture], batches)
                    yield architecture, alone[0] if isinstance(alone, list) else alone

    def _attempt(
        self, group: Sequence[Architecture], batches: Batches
    ) -> list[Accuracy] | errors.RunError:
        try:
            return self._score(group, self._calibrate(group), batches)
        except errors.RunError as error:
            return error

    def statistics(self, architecture: Architecture) -> np.ndarray:
        """Calibrates a child: float32 [2, supernet.statistics_width].

        Raises:
          OutOfMemoryError: a batch does not fit.
        """
        return self._calibrate([architecture])[0]

    def top1(
        self, architecture: Architecture, statistics: np.ndarray, batches: Batches
    ) -> Accuracy:
        """Scores a calibrated child.

        Raises:
          OutOfMemoryError: not even a few images fit.
          RunError: a logit is NaN or infinite.
        """
        return self._score([architecture], statistics[np.newaxis], batches)[0]

    def logits(
        self, architecture: Architecture, statistics: np.ndarray, batches: Batches
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yields float32 logits [N, classes] and int32 labels [N], batch by batch."""
        graphs = self._graphs_of(architecture)
        codes, spread = graphs.codes([architecture]), graphs.spread(statistics[np.newaxis])
        for patches, labels in batches:
            yield graphs.logits(patches, labels, codes, spread), labels.numpy()

    def _calibrate(self, group: Sequence[Architecture]) -> np.ndarray:
        """Statistics of each child, float32 [children, 2, supernet.statistics_width]."""
        graphs = self._graphs_of(group[0])
        codes, pooled = graphs.codes(group), PooledMoments()
        for patches, _ in self._calibration:
            with _memory_explained(group, f"calibration with {len(patches)} images a batch"):
                pooled.add(graphs.moments(patches, codes)[: len(group)])
        return pooled.result()

    def _score(
        self, group: Sequence[Architecture], statistics: np.ndarray, batches: Batches
    ) -> list[Accuracy]:
        graphs = self._graphs_of(group[0])
        codes, spread = graphs.codes(group), graphs.spread(statistics)
        right, images = np.zeros(len(group)), 0
        for patches, labels in batches:
            with _memory_explained(group, "scoring"):
                right += self._right(graphs, group, (patches, labels), codes, spread)
            images += len(labels)
            if np.isnan(right).any():
                child = group[int(np.isnan(right).argmax())]
                raise errors.RunError(f"child {child} gives logits that are not finite")
        return [Accuracy(float(count) / images, images) for count in right]

    def _right(
        self,
        graphs: ChildGraphs,
        group: Sequence[Architecture],
        batch: tuple[tf.Tensor, tf.Tensor],
        codes: PerReplica,
        statistics: PerReplica,
    ) -> np.ndarray:
        """How many images of a batch each child has right, in parts that memory holds."""
        patches, labels = batch
        right, first, side = np.zeros(len(group)), 0, _side(group)
        while first < len(labels):
            part = slice(first, first + self._at_once.get(side, len(labels)))
            try:
                found = graphs.right(patches[part], labels[part], codes, statistics)
            except tf.errors.ResourceExhaustedError:
                half = -(-len(labels[part]) // 2)
                # Other processes wait for all of this part.
                if half < _FEWEST or workers.many(self._supernet.distribute_strategy):
                    raise
                self._at_once[side] = half
            else:
                right, first = right + found[: len(group)], part.stop
        return right

    def _groups(self, architectures: Iterable[Architecture]) -> Iterator[list[Architecture]]:
        """Yields children that run side by side, at most one a replica."""
        alike: dict[int | None, list[Architecture]] = collections.defaultdict(list)
        for architecture in architectures:
            alike[self._static_side(architecture)].append(architecture)
        for members in alike.values():
            for first in range(0, len(members), self._replicas):
                yield members[first : first + self._replicas]

    def _graphs_of(self, architecture: Architecture) -> ChildGraphs:
        side = self._static_side(architecture)
        if side not in self._graphs:
            self._graphs[side] = ChildGraphs(self._supernet, side)
        return self._graphs[side]

    def _static_side(self, architecture: Architecture) -> int | None:
        return architecture.resolution if self._supernet.execution == "mask" else None


def _side(group: Sequence[Architecture]) -> int:
    """The largest resolution of children that run side by side."""
    return max(child.resolution for child in group)


@contextlib.contextmanager
def _memory_explained(group: Sequence[Architecture], work: str) -> Iterator[None]:
    try:
        yield
    except tf.errors.ResourceExhaustedError as error:
        raise errors.OutOfMemoryError(
            f"out of memory in {work} at {_side(group)} px; lower task.selection.batch_size"
        ) from error
