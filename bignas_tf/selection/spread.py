"""Batches of images on the devices, as the graphs of `graphs.py` take them."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

Batch = tuple[tf.Tensor, tf.Tensor]
Batches = Iterable[Batch]
PerReplica = Any  # a tensor on each replica of a strategy

PADDING = -1  # the label of a place without an image
# A chunk's shape must not depend on how many batches a split has, or each split would be compiled.
MOST_ROUNDS = 8
CHUNK_BYTES = 2**28
RESIDENT_BYTES = 2**31


class Chunk(NamedTuple):
    """Batches that one call of a graph takes.

    Attributes:
      patches: uint8 [rounds, N, S, S, C] on each replica, which has a batch a round.
      labels: int32 [rounds, N] on each replica; PADDING where there is no image.
      used: how many of the rounds have a batch, on one replica at least.
      batches: how many there are on all replicas; round by round, replica by replica.
      images: how many there are on all replicas.
    """

    patches: PerReplica
    labels: PerReplica
    used: int
    batches: int
    images: int


class Room:
    """The bytes that several `Spread`s may together keep on each device.

    Args:
      size: how many.
    """

    def __init__(self, size: int = RESIDENT_BYTES) -> None:
        self._size = size
        # One that is gone holds nothing.
        self._held: weakref.WeakKeyDictionary[Spread, int] = weakref.WeakKeyDictionary()

    def take(self, holder: Spread, size: int) -> bool:
        """Adds bytes to those of a holder, if they fit."""
        if sum(self._held.values()) + size > self._size:
            return False
        self._held[holder] = self._held.get(holder, 0) + size
        return True

    def give_back(self, holder: Spread) -> None:
        """Frees all that a holder took."""
        self._held.pop(holder, None)


class Spread:
    """Whole batches, spread over the replicas of a strategy in chunks of one static shape.

    The first complete iteration keeps the chunks on their devices if there is room; else they are
    sent again in each iteration.

    Args:
      batches: uint8 patches [N, S, S, C] and int32 labels [N]; only the last may have fewer.
      strategy: whose replicas get them.
      room: for what is kept.
      alike: give every replica all of the batches.
    """

    def __init__(
        self,
        batches: Batches,
        strategy: tf.distribute.Strategy,
        room: Room,
        alike: bool = False,
    ) -> None:
        self._batches = batches
        self._strategy = strategy
        self._apart = 1 if alike else strategy.num_replicas_in_sync
        self._room = room
        self._kept: list[Chunk] = []

    def __iter__(self) -> Iterator[Chunk]:
        if self._kept:
            yield from self._kept
            return
        kept: list[Chunk] | None = []
        try:
            for chunk, size in self._chunks():
                if kept is not None and self._room.take(self, size):
                    kept.append(chunk)
                else:
                    kept = None
                    self._room.give_back(self)
                yield chunk
            self._kept = kept or []
        finally:
            if not self._kept:
                self._room.give_back(self)

    def _chunks(self) -> Iterator[tuple[Chunk, int]]:
        """Yields chunks and the bytes that each takes on a device."""
        batches = iter(self._batches)
        first = next(batches, None)
        if first is None:
            return
        shape = first[0].shape
        rounds = rounds_of(shape)
        batches = itertools.chain([first], batches)
        while group := list(itertools.islice(batches, rounds * self._apart)):
            patches, labels = self._on_devices(group, [rounds, *shape])
            images = sum(len(labels) for _, labels in group)
            used = -(-len(group) // self._apart)
            yield Chunk(patches, labels, used, len(group), images), rounds * int(np.prod(shape))

    def _on_devices(
        self, group: Sequence[Batch], shape: Sequence[int]
    ) -> tuple[PerReplica, PerReplica]:
        devices = _devices(self._strategy)

        def share(context: tf.distribute.experimental.ValueContext) -> tuple[tf.Tensor, tf.Tensor]:
            replica = context.replica_id_in_sync_group
            own = _stacked(group[replica % self._apart :: self._apart], shape)
            # A process has only its own devices.
            with tf.device(devices[replica % len(devices)]):
                return tf.constant(own[0]), tf.constant(own[1])

        return self._strategy.experimental_distribute_values_from_function(share)


class OneByOne:
    """Batches for one device as they are, each a chunk: nothing is copied, padded or kept.

    Args:
      batches: uint8 patches [N, S, S, C] and int32 labels [N].
    """

    def __init__(self, batches: Batches) -> None:
        self._batches = batches

    def __iter__(self) -> Iterator[Chunk]:
        for patches, labels in self._batches:
            patches, labels = (tf.expand_dims(each, 0) for each in (patches, labels))
            yield Chunk(patches, labels, used=1, batches=1, images=labels.shape[1])


def part(chunk: Chunk, strategy: tf.distribute.Strategy, first: int, count: int) -> Chunk:
    """`count` places of each batch of a chunk, from `first` on; its counts stay the chunk's."""

    def cut(value: PerReplica) -> PerReplica:
        local = [places(each) for each in strategy.experimental_local_results(value)]
        everywhere = strategy.experimental_distribute_values_from_function(
            lambda context: local[context.replica_id_in_sync_group % len(local)]
        )
        return unwrapped(everywhere, strategy)

    def places(own: tf.Tensor) -> tf.Tensor:
        with tf.device(own.device):  # not the current one, for all replicas
            return own[:, first : first + count]

    return chunk._replace(patches=cut(chunk.patches), labels=cut(chunk.labels))


def unwrapped(value: PerReplica, strategy: tf.distribute.Strategy) -> PerReplica:
    """The tensor itself where this process has one replica; else the value.

    A graph does not wrap the result of a process' only replica: wrapped, it would be traced again,
    and a graph with a signature does not take it.
    """
    local = strategy.experimental_local_results(value)
    return value if len(local) > 1 else local[0]


Chunks = Spread | OneByOne


def rounds_of(shape: Sequence[int]) -> int:
    """Rounds of a chunk whose batches are of `shape`, [N, S, S, C]; N may be 0."""
    return min(max(CHUNK_BYTES // max(int(np.prod(shape)), 1), 1), MOST_ROUNDS)


def _stacked(batches: Sequence[Batch], shape: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Patches of `shape` and labels, padded."""
    patches, labels = np.zeros(shape, np.uint8), np.full(shape[:2], PADDING, np.int32)
    for place, (images, classes) in enumerate(batches):
        patches[place, : len(images)] = images
        labels[place, : len(classes)] = classes
    return patches, labels


def _devices(strategy: tf.distribute.Strategy) -> Sequence[str | None]:
    """The devices of this process' replicas."""
    try:
        return strategy.extended.worker_devices
    except RuntimeError:  # the default strategy leaves the choice to TensorFlow
        return [None]
