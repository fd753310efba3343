"""The two graphs that run any child: all replicas the same child, each its own images."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import tensorflow as tf

from bignas_tf import errors, workers
from bignas_tf.data import resize
from bignas_tf.modeling.elastic_model import ElasticModel
from bignas_tf.search_space import space as space_lib
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.selection import calibration, spread
from bignas_tf.selection.spread import Chunk, PerReplica

Specs = list[tf.TensorSpec]  # what a graph takes
_FEWEST = 8  # images at a time; where these do not fit, fewer would hardly help


class ChildGraphs:
    """Statistics of children, and their scores on given statistics.

    A call takes a chunk of batches and what the chunks before it gave, and its results stay on
    the devices: the host waits only where it asks for a number.

    Args:
      supernet: the shared weights, which are never changed.
      side: the static resolution of all children, for XLA. None leaves it open.
      one_by_one: chunks are those of `spread.OneByOne`, of any number of images: two traces
        serve them all. Otherwise each size of batch is traced.
    """

    def __init__(self, supernet: ElasticModel, side: int | None, one_by_one: bool) -> None:
        self._supernet = supernet
        self._space = supernet.space
        self._side = side
        self._at_once: dict[int, int] = {}  # images that memory holds, by resolution
        self._strategy = supernet.distribute_strategy
        first, second = self.inputs(1, None) if one_by_one else (None, None)
        self.calibration = self._everywhere(self._calibrate, first)
        self.scoring = self._everywhere(self._score, second)

    def inputs(self, rounds: int, images: int | None) -> tuple[Specs, Specs]:
        """What `calibration` and `scoring` take of a chunk.

        Args:
          rounds: batches in it.
          images: of each; None for any number.
        """
        base, channels = self._space.base_resolution, self._supernet.input_channels
        patches = tf.TensorSpec([rounds, images, base, base, channels], tf.uint8)
        labels, count = tf.TensorSpec([rounds, images], tf.int32), tf.TensorSpec([], tf.int32)
        code = tf.type_spec_from_value(self._code(self._space.smallest()))
        moments = [2, self._supernet.statistics_width]
        totals, right = tf.TensorSpec(moments, tf.float64), tf.TensorSpec([], tf.float32)
        statistics = tf.TensorSpec(moments, tf.float32)
        return (
            [patches, count, count, count, code, totals],
            [patches, labels, count, code, statistics, right],
        )

    @property
    def traces(self) -> int:
        """How often a graph was traced."""
        pair = self.calibration, self.scoring
        return sum(graph.experimental_get_tracing_count() for graph in pair)

    def statistics(self, child: Architecture, chunks: Iterable[Chunk]) -> PerReplica:
        """Statistics of a child, float32 [2, channels] on each replica.

        Raises:
          ValueError: there is no chunk.
        """
        totals = self._to_all(calibration.no_moments(self._supernet.statistics_width))
        code, seen, found = self._code(child), 0, None
        with _memory_explained(child, "calibration"):  # chunks are sent as they are asked for
            for chunk in chunks:
                seen += chunk.batches
                totals, found = self.calibrate(chunk, seen, code, totals)
        if found is None:
            raise ValueError("no batch to calibrate on")
        return found

    def right(
        self, child: Architecture, statistics: PerReplica, chunks: Iterable[Chunk]
    ) -> tuple[float, int]:
        """How many images a child has right, NaN if a logit is not finite, and of how many."""
        code, images, right = self._code(child), 0, self._to_all(tf.constant(0.0))
        with _memory_explained(child, "scoring"):
            for chunk in chunks:
                right = self._in_parts(child.resolution, chunk, code, statistics, right)
                images += chunk.images
            return float(self.first(right)), images

    def logits(
        self, child: Architecture, statistics: PerReplica, chunks: Iterable[Chunk]
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yields the first replica's logits, float32 [rounds, N, classes], and its labels."""
        code, right = self._code(child), self._to_all(tf.constant(0.0))
        for chunk in chunks:
            with _memory_explained(child, "scoring"):
                _, logits = self.score(chunk, code, statistics, right)
                found = self.first(logits), self.first(chunk.labels)
            yield found

    def given(self, statistics: np.ndarray) -> PerReplica:
        """Known statistics, float32 [2, channels], on each replica."""
        return self._to_all(tf.constant(statistics))

    def first(self, value: PerReplica) -> np.ndarray:
        """The value on this process' first replica; waits for it."""
        return self._strategy.experimental_local_results(value)[0].numpy()

    def calibrate(
        self, chunk: Chunk, seen: int, code: tf.Tensor, totals: PerReplica
    ) -> tuple[PerReplica, PerReplica]:
        """Totals with those of a chunk, and the statistics of all `seen` batches."""
        counts = map(tf.constant, (chunk.used, chunk.batches, seen))
        return self.calibration(chunk.patches, *counts, code, totals)

    def score(
        self, chunk: Chunk, code: tf.Tensor, statistics: PerReplica, right: PerReplica
    ) -> tuple[PerReplica, PerReplica]:
        """How many are right with those of a chunk, and the replicas' logits."""
        used = tf.constant(chunk.used)
        return self.scoring(chunk.patches, chunk.labels, used, code, statistics, right)

    def _in_parts(
        self,
        side: int,
        chunk: Chunk,
        code: tf.Tensor,
        statistics: PerReplica,
        right: PerReplica,
    ) -> PerReplica:
        """How many are right with those of a chunk, in parts that memory holds."""
        size, first = self._size(chunk), 0
        while first < size:
            count = min(self._at_once.get(side, size), size - first)
            part = chunk if count == size else spread.part(chunk, self._strategy, first, count)
            try:
                right, _ = self.score(part, code, statistics, right)
                first += count
            except tf.errors.OpError as error:
                half = -(-count // 2)
                # Other processes wait for all of this part.
                alone = not workers.many(self._strategy)
                if not (errors.is_out_of_memory(error) and half >= _FEWEST and alone):
                    raise
                self._at_once[side] = half
        return right

    def _size(self, chunk: Chunk) -> int:
        """Images of a batch, with padding."""
        return self._strategy.experimental_local_results(chunk.labels)[0].shape[1]

    def _code(self, child: Architecture) -> tf.Tensor:
        return tf.constant(self._space.encode(child))

    def _to_all(self, value: tf.Tensor) -> PerReplica:
        everywhere = self._strategy.experimental_distribute_values_from_function(lambda _: value)
        return spread.unwrapped(everywhere, self._strategy)

    def _everywhere(
        self, run: Callable[..., PerReplica], signature: Specs | None
    ) -> tf.types.experimental.PolymorphicFunction:
        """A graph in which every replica runs `run`."""
        convert = tf.autograph.experimental.do_not_convert
        run = convert(run)
        return tf.function(
            convert(lambda *given: self._strategy.run(run, given)), input_signature=signature
        )

    def _calibrate(
        self,
        patches: tf.Tensor,
        used: tf.Tensor,
        batches: tf.Tensor,
        seen: tf.Tensor,
        code: tf.Tensor,
        totals: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Totals with those of a chunk, and the statistics of all `seen` batches."""

        def moments(images: tf.Tensor) -> tf.Tensor:
            return self._supernet.moments(self._images(images, code), code)

        own = _each_round(moments, patches, used, [2, self._supernet.statistics_width])
        totals = calibration.add(totals, _in_order(own), batches)
        return totals, calibration.statistics(totals, seen)

    def _score(
        self,
        patches: tf.Tensor,
        labels: tf.Tensor,
        used: tf.Tensor,
        code: tf.Tensor,
        statistics: tf.Tensor,
        right: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """How many are right with those of a chunk on all replicas, and this one's logits."""

        def run(images: tf.Tensor) -> tf.Tensor:
            return self._supernet(self._images(images, code), code, statistics=statistics)

        shape = [patches.shape[1], self._supernet.num_classes]
        logits = _each_round(run, patches, used, shape)
        there = labels >= 0
        hits = tf.logical_and(tf.argmax(logits, -1, tf.int32) == labels, there)
        finite = tf.reduce_all(tf.math.is_finite(logits), -1)
        finite = tf.reduce_all(tf.logical_or(finite, tf.logical_not(there)))
        count = tf.reduce_sum(tf.cast(hits, tf.float32))
        return right + _over_replicas(tf.where(finite, count, np.nan)), logits

    def _images(self, patches: tf.Tensor, code: tf.Tensor) -> tf.Tensor:
        if self._side is not None:
            return resize.resize_patches(patches, self._side)
        size = code[space_lib.RESOLUTION]
        return resize.resize_to_one_of(patches, size, self._space.eval_resolutions)


@contextlib.contextmanager
def _memory_explained(child: Architecture, work: str) -> Iterator[None]:
    try:
        yield
    except tf.errors.OpError as error:
        if not errors.is_out_of_memory(error):
            raise
        raise errors.OutOfMemoryError(
            f"out of memory in {work} at {child.resolution} px; lower task.selection.batch_size"
        ) from error


def _each_round(
    run: Callable[[tf.Tensor], tf.Tensor],
    patches: tf.Tensor,
    used: tf.Tensor,
    shape: list[int | None],
) -> tf.Tensor:
    """Float32 results of `shape` along a new first axis; zeros in rounds that are not used."""
    rounds = patches.shape[0]
    if rounds == 1:
        return run(patches[0])[tf.newaxis]

    def step(place: tf.Tensor, results: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
        return place + 1, results.write(place, run(tf.gather(patches, place)))

    results = tf.TensorArray(tf.float32, rounds, element_shape=shape)
    _, results = tf.while_loop(
        lambda place, _: place < used, step, (0, results), parallel_iterations=1
    )
    return tf.ensure_shape(results.stack(), [rounds, *shape])


def _in_order(own: tf.Tensor) -> tf.Tensor:
    """All replicas' values [rounds, ...] in the order of their batches, on every replica."""
    context = tf.distribute.get_replica_context()
    replicas = context.num_replicas_in_sync
    if replicas == 1:
        return own
    # A sum of rows and zeros, not all_gather: NCCL and `tools.tpu_compile` have sums alone.
    mine = tf.range(replicas) == context.replica_id_in_sync_group
    rows = tf.where(tf.reshape(mine, [-1] + [1] * own.shape.rank), own, 0.0)
    rows = _over_replicas(rows)
    return tf.reshape(tf.experimental.numpy.swapaxes(rows, 0, 1), [-1, *own.shape[1:]])


def _over_replicas(value: tf.Tensor) -> tf.Tensor:
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync == 1:
        return value
    return context.all_reduce(tf.distribute.ReduceOp.SUM, value)
