"""Calibrates and scores any child of a supernet; two traces serve them all."""

from __future__ import annotations

import collections
import itertools
from collections.abc import Iterable, Iterator

import numpy as np

from bignas_tf import errors, workers
from bignas_tf.accuracy import Accuracy
from bignas_tf.modeling.elastic_model import ElasticModel
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.selection.graphs import ChildGraphs
from bignas_tf.selection.spread import Batches, Chunks, OneByOne, Room, Spread


class Evaluator:
    """Calibrates and scores children of a supernet, whose weights it never changes.

    All replicas of the supernet's strategy run the same child, each on batches of its own.
    Masks (for TPUs) need static shapes: there each resolution has traces of its own.

    Where memory does not hold a batch, it is scored in smaller parts, which gives the same
    accuracy. Batches of calibration stay whole: their moments depend on their size, and children
    must be comparable.

    Args:
      supernet: trained weights.
      calibration: batches of uint8 [N, S, S, C] patches and labels, all of N images; S is
        the space's `base_resolution`.
    """

    def __init__(self, supernet: ElasticModel, calibration: Batches) -> None:
        self._supernet = supernet
        self._masked = supernet.execution == "mask"
        replicas = supernet.distribute_strategy.num_replicas_in_sync
        self._one_by_one = replicas == 1 and not self._masked
        self._room = Room()
        self._calibration = self.chunks(calibration)
        self._graphs: dict[int | None, ChildGraphs] = {}

    @property
    def traces(self) -> int:
        """How often a graph was traced: at most 2, except with masks or on several replicas."""
        return sum(graphs.traces for graphs in self._graphs.values())

    def chunks(self, batches: Batches | Chunks) -> Chunks:
        """Batches as the graphs take them, or what this has returned before.

        Where they fit together, they stay on the devices for as long as what is returned is kept.
        """
        if isinstance(batches, Spread | OneByOne):
            return batches
        if self._one_by_one:
            return OneByOne(batches)
        return Spread(batches, self._supernet.distribute_strategy, self._room)

    def scores(
        self, architectures: Iterable[Architecture], batches: Batches | Chunks
    ) -> Iterator[tuple[Architecture, Accuracy]]:
        """Calibrates and scores children, and yields them as they are done.

        Args:
          architectures: the children.
          batches: patches and labels as for calibration, though the last batch may be smaller;
            or their `chunks`.

        Raises:
          OutOfMemoryError: see `attempts`.
          RunError: a logit is NaN or infinite.
        """
        for architecture, outcome in self.attempts(architectures, batches):
            if isinstance(outcome, errors.RunError):
                raise outcome
            yield architecture, outcome

    def attempts(
        self, architectures: Iterable[Architecture], batches: Batches | Chunks
    ) -> Iterator[tuple[Architecture, Accuracy | errors.RunError]]:
        """As `scores`, but yields the error of a child that fails, and continues.

        It is `OutOfMemoryError` where a batch of calibration, or few images to score, do not fit.

        Raises:
          OutOfMemoryError: one of several workers has too little memory.
        """
        chunks = self.chunks(batches)
        several = workers.many(self._supernet.distribute_strategy)
        for architecture in self._ordered(architectures):
            try:
                yield architecture, self._attempt(architecture, chunks)
            except errors.RunError as error:
                if several and isinstance(error, errors.OutOfMemoryError):
                    raise  # the others wait for this worker's part of the child
                yield architecture, error

    def _attempt(self, architecture: Architecture, chunks: Chunks) -> Accuracy:
        graphs = self._graphs_of(architecture)
        statistics = graphs.statistics(architecture, self._calibration)
        return _accuracy(architecture, *graphs.right(architecture, statistics, chunks))

    def statistics(self, architecture: Architecture) -> np.ndarray:
        """Calibrates a child: float32 [2, supernet.statistics_width].

        Raises:
          OutOfMemoryError: a batch does not fit.
        """
        graphs = self._graphs_of(architecture)
        return graphs.first(graphs.statistics(architecture, self._calibration))

    def top1(
        self,
        architecture: Architecture,
        statistics: np.ndarray,
        batches: Batches | Chunks,
    ) -> Accuracy:
        """Scores a calibrated child.

        Raises:
          OutOfMemoryError: not even a few images fit.
          RunError: a logit is NaN or infinite.
        """
        graphs, chunks = self._graphs_of(architecture), self.chunks(batches)
        right = graphs.right(architecture, graphs.given(statistics), chunks)
        return _accuracy(architecture, *right)

    def logits(
        self, architecture: Architecture, statistics: np.ndarray, batches: Batches
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yields float32 logits [N, classes] and int32 labels [N], batch by batch.

        Every replica computes all of them, so that every process has them.

        Raises:
          OutOfMemoryError: a batch does not fit.
          RunError: a logit is NaN or infinite.
        """
        graphs, strategy = self._graphs_of(architecture), self._supernet.distribute_strategy
        chunks: Chunks = OneByOne(batches)
        if not self._one_by_one:  # read once: nothing need be kept
            chunks = Spread(batches, strategy, Room(0), alike=True)
        given = graphs.given(statistics)
        for logits, labels in graphs.logits(architecture, given, chunks):
            for of_batch, classes in zip(logits, labels, strict=True):
                there = classes >= 0
                if not np.isfinite(of_batch[there]).all():
                    raise _not_finite(architecture)
                if there.any():
                    yield of_batch[there], classes[there]

    def _ordered(self, architectures: Iterable[Architecture]) -> Iterator[Architecture]:
        """Children of one compiled resolution after the other."""
        alike: dict[int | None, list[Architecture]] = collections.defaultdict(list)
        for architecture in architectures:
            alike[self._static_side(architecture)].append(architecture)
        return itertools.chain.from_iterable(alike.values())

    def _graphs_of(self, architecture: Architecture) -> ChildGraphs:
        side = self._static_side(architecture)
        if side not in self._graphs:
            self._graphs[side] = ChildGraphs(self._supernet, side, self._one_by_one)
        return self._graphs[side]

    def _static_side(self, architecture: Architecture) -> int | None:
        return architecture.resolution if self._masked else None


def _accuracy(architecture: Architecture, right: float, images: int) -> Accuracy:
    if np.isnan(right):
        raise _not_finite(architecture)
    return Accuracy(right / images, images)


def _not_finite(architecture: Architecture) -> errors.RunError:
    return errors.RunError(f"child {architecture} gives logits that are not finite")
