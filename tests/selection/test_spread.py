"""Batches on the devices: who gets which, what is padded, and what stays there."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import tensorflow as tf

from bignas_tf.selection import spread
from bignas_tf.selection.spread import Batch, OneByOne, Room, Spread
from tests.modeling import replicas

SIZE = 4  # images of a batch


def _batches(images: int) -> list[Batch]:
    """Patches of one pixel, whose value is the label: 1, 2, 3, ..."""
    values = np.arange(1, images + 1)
    patches = tf.constant(values.reshape(-1, 1, 1, 1), tf.uint8)
    whole = tf.data.Dataset.from_tensor_slices((patches, tf.constant(values, tf.int32)))
    return list(whole.batch(SIZE))


def _on(strategy: tf.distribute.Strategy, value: object) -> list[list[list[int]]]:
    """For each replica the rounds of its patches or labels that hold an image."""
    found = [local.numpy() for local in strategy.experimental_local_results(value)]
    rounds = [part.reshape(spread.MOST_ROUNDS, SIZE) for part in found]
    return [[row[row > 0].tolist() for row in part if (row > 0).any()] for part in rounds]


def test_replicas_take_batches_in_turn_and_the_last_one_is_padded() -> None:
    strategy = replicas.two_cpus()
    (chunk,) = Spread(_batches(4 * SIZE + 1), strategy, Room())
    assert (chunk.used, chunk.batches, chunk.images) == (3, 5, 17)
    expected = [[[1, 2, 3, 4], [9, 10, 11, 12], [17]], [[5, 6, 7, 8], [13, 14, 15, 16]]]
    assert _on(strategy, chunk.labels) == _on(strategy, chunk.patches) == expected
    for labels in strategy.experimental_local_results(chunk.labels):
        assert set(labels.numpy().ravel()[labels.numpy().ravel() <= 0]) == {spread.PADDING}


def test_all_chunks_have_one_shape_however_many_batches_there_are() -> None:
    strategy = replicas.two_cpus()
    most = 2 * spread.MOST_ROUNDS
    chunks = list(Spread(_batches(SIZE * (most + 1)), strategy, Room()))
    assert [(chunk.used, chunk.batches) for chunk in chunks] == [(spread.MOST_ROUNDS, most), (1, 1)]
    shapes = {
        local.shape
        for chunk in [*chunks, *Spread(_batches(SIZE), strategy, Room())]
        for local in strategy.experimental_local_results(chunk.patches)
    }
    assert shapes == {(spread.MOST_ROUNDS, SIZE, 1, 1, 1)}


def test_each_share_is_on_its_own_device() -> None:
    strategy = replicas.two_cpus()
    (chunk,) = Spread(_batches(SIZE), strategy, Room())
    devices = [each.device for each in strategy.experimental_local_results(chunk.patches)]
    assert devices == list(strategy.extended.worker_devices)


def test_alike_gives_every_replica_all_batches() -> None:
    strategy = replicas.two_cpus()
    (chunk,) = Spread(_batches(SIZE + 2), strategy, Room(), alike=True)
    assert (chunk.used, chunk.batches, chunk.images) == (2, 2, 6)
    assert _on(strategy, chunk.labels) == [[[1, 2, 3, 4], [5, 6]]] * 2


class _Counted:
    """Counts how often its batches are read; may fail on the way."""

    def __init__(self, images: int, fails: bool = False) -> None:
        self.read, self.fails, self._batches = 0, fails, _batches(images)

    def __iter__(self) -> Iterator[Batch]:
        self.read += 1
        yield from self._batches
        if self.fails:
            raise OSError("a disk was lost")


@pytest.mark.parametrize(("room", "read"), [(2 * spread.MOST_ROUNDS * SIZE, 1), (1, 3)])
def test_what_fits_is_sent_once_and_the_rest_each_time(room: int, read: int) -> None:
    batches = _Counted(SIZE * (spread.MOST_ROUNDS + 1))
    spread_out = Spread(batches, tf.distribute.get_strategy(), Room(room))
    for _ in range(3):
        assert sum(chunk.images for chunk in spread_out) == SIZE * (spread.MOST_ROUNDS + 1)
    assert batches.read == read


def test_splits_share_the_room_for_as_long_as_each_is_there() -> None:
    strategy, room = tf.distribute.get_strategy(), Room(spread.MOST_ROUNDS * SIZE)
    first, second = (_Counted(SIZE) for _ in range(2))
    one, two = (Spread(each, strategy, room) for each in (first, second))
    for _ in range(2):
        assert len([*one, *two]) == 2
    assert (first.read, second.read) == (1, 2)
    del one
    for _ in range(2):
        assert len(list(two)) == 1
    assert second.read == 3


def test_an_iteration_that_failed_leaves_the_room_to_others() -> None:
    strategy, room = tf.distribute.get_strategy(), Room(spread.MOST_ROUNDS * SIZE)
    failing, other = _Counted(SIZE, fails=True), _Counted(SIZE)
    one, two = (Spread(each, strategy, room) for each in (failing, other))
    with pytest.raises(OSError, match="disk"):
        list(one)
    assert len([*two, *two]) == 2
    assert other.read == 1


def test_an_iteration_that_failed_is_not_taken_for_the_whole() -> None:
    batches = _Counted(SIZE * (spread.MOST_ROUNDS + 1), fails=True)
    spread_out = Spread(batches, tf.distribute.get_strategy(), Room())
    with pytest.raises(OSError, match="disk"):
        list(spread_out)
    batches.fails = False
    assert [chunk.batches for chunk in spread_out] == [spread.MOST_ROUNDS, 1]


def test_large_batches_make_small_chunks() -> None:
    assert spread.rounds_of([1, 8, 8, 1]) == spread.MOST_ROUNDS
    # 256 x 224 x 224 x 3 bytes are 38.5 MB, of which 256 MiB hold six.
    assert spread.rounds_of([256, 224, 224, 3]) == 6
    assert spread.rounds_of([1, 2**15, 2**15, 3]) == 1
    assert spread.rounds_of([0, 8, 8, 1]) == spread.MOST_ROUNDS  # no batch fits a TPU core


def test_one_device_gets_its_batches_as_they_are() -> None:
    chunks = list(OneByOne(_batches(SIZE + 1)))
    assert [chunk.labels.numpy().tolist() for chunk in chunks] == [[[1, 2, 3, 4]], [[5]]]
    assert [chunk.images for chunk in chunks] == [4, 1]


def test_a_part_of_a_chunk_has_those_places_of_every_batch() -> None:
    strategy = replicas.two_cpus()
    (chunk,) = Spread(_batches(4 * SIZE), strategy, Room())
    part = spread.part(chunk, strategy, first=1, count=2)
    local = strategy.experimental_local_results(part.labels)
    assert [labels.numpy()[:2].tolist() for labels in local] == [
        [[2, 3], [10, 11]],
        [[6, 7], [14, 15]],
    ]
    patches = strategy.experimental_local_results(part.patches)
    assert [each.shape[1] for each in patches] == [2, 2]
    assert [each.device for each in patches] == list(strategy.extended.worker_devices)
