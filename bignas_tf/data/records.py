"""TFRecord files, whole or in part, read in order or in a different order each epoch."""

from __future__ import annotations

import dataclasses
import functools
import os
import struct
from collections.abc import Callable, Iterable, Sequence
from concurrent import futures

import tensorflow as tf

from bignas_tf import errors, files
from bignas_tf.data import shuffling

_FILES_AT_ONCE = 16
_COUNTERS = 16
_HEADER, _FOOTER = 12, 4  # length and its checksum; the checksum of the data


@dataclasses.dataclass(frozen=True)
class FileSlice:
    """`take` records of a file after the first `skip`."""

    path: str
    skip: int
    take: int


@dataclasses.dataclass(frozen=True)
class Records:
    """Serialised examples in files.

    Attributes:
      slices: what to read of which file.
      parse: serialised example (scalar string) -> (encoded image, label).
    """

    slices: tuple[FileSlice, ...]
    parse: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]

    @property
    def count(self) -> int:
        """Number of images."""
        return sum(each.take for each in self.slices)

    def name(self, index: int) -> str:
        """How messages name an image."""
        (part,) = cut(self.slices, index, index + 1)
        return f"record {part.skip} (the first is 0) of {part.path}"

    def shared(self, other: object) -> int:
        """How many images both sources have: records of the same files at the same positions."""
        if not isinstance(other, Records):
            return 0
        both = count_different([*self.slices, *other.slices])
        return count_different(self.slices) + count_different(other.slices) - both

    def part(self, start: int, stop: int) -> Records:
        """The images start..stop-1."""
        return dataclasses.replace(self, slices=cut(self.slices, start, stop))

    def ordered(self) -> tf.data.Dataset:
        """Every image once, in the files' order."""
        return self._files(None, 0).flat_map(_read).map(self.parse)

    def epoch(self, epoch: tf.Tensor, seed: int, buffer: int) -> tf.data.Dataset:
        """Every serialised example once: files in that epoch's order, then mixed in a buffer."""
        mixed = self._files(epoch, seed).interleave(
            _read,
            cycle_length=_FILES_AT_ONCE,
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        )
        fixed = tf.constant(seed, tf.int64) * 1_000_003 + tf.cast(epoch, tf.int64) + 1
        # TensorFlow mixes its global seed into this one: the order would depend on who built what
        # before, and where that seed is 0, it asks in Python whether this tensor is 0 too.
        tf.compat.v1.get_default_graph().seed = None
        return mixed.shuffle(min(buffer, self.count), seed=fixed, reshuffle_each_iteration=False)

    def decode(self, record: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The encoded image and the label of an element of `epoch`."""
        return self.parse(record)

    def _files(self, epoch: tf.Tensor | None, seed: int) -> tf.data.Dataset:
        columns = (
            tf.constant([each.path for each in self.slices]),
            tf.constant([each.skip for each in self.slices], tf.int64),
            tf.constant([each.take for each in self.slices], tf.int64),
        )
        if epoch is not None:
            number = len(self.slices)
            order = shuffling.permute(tf.range(number, dtype=tf.int64), number, seed, epoch)
            columns = tuple(tf.gather(column, order) for column in columns)
        return tf.data.Dataset.from_tensor_slices(columns)


def _read(path: tf.Tensor, skip: tf.Tensor, take: tf.Tensor) -> tf.data.Dataset:
    return tf.data.TFRecordDataset(path).skip(skip).take(take)


def whole(paths: Sequence[str], lengths: Sequence[int]) -> list[FileSlice]:
    """Each file as one slice."""
    return [FileSlice(path, 0, length) for path, length in zip(paths, lengths, strict=True)]


def cut(slices: Sequence[FileSlice], start: int, stop: int) -> tuple[FileSlice, ...]:
    """The parts of the slices that hold examples start..stop-1, counted through all of them."""
    parts, first = [], 0
    for each in slices:
        low, high = max(start - first, 0), min(stop - first, each.take)
        if low < high:
            parts.append(FileSlice(each.path, each.skip + low, high - low))
        first += each.take
    return tuple(parts)


def count_different(slices: Sequence[FileSlice]) -> int:
    """How many records the slices hold, each counted once."""
    number, path, end = 0, "", 0
    for each in sorted(slices, key=lambda each: (each.path, each.skip)):
        if each.path != path:
            path, end = each.path, 0
        stop = each.skip + each.take
        number += max(stop - max(each.skip, end), 0)
        end = max(end, stop)
    return number


def count_all(paths: Sequence[str]) -> list[int]:
    """Number of records in each file, from their headers alone.

    Raises:
      UsageError: a file cannot be read, or is not made of whole, uncompressed records.
    """
    with futures.ThreadPoolExecutor(_COUNTERS) as pool:
        return list(pool.map(_counted, paths))


def _counted(path: str) -> int:
    try:
        return _count(path, *state(path))
    except tf.errors.OpError as error:
        raise _unreadable(path, error.message) from error


def states(paths: Iterable[str]) -> list[tuple[int, int]]:
    """The `state` of each file, several at once: buckets are slow."""
    with futures.ThreadPoolExecutor(_COUNTERS) as pool:
        return list(pool.map(state, paths))


def state(path: str) -> tuple[int, int]:
    """A file's size in bytes, and when it was written last: in nanoseconds, remotely in seconds.

    Raises:
      UsageError: it cannot be read.
    """
    try:
        if files.is_remote(path):
            remote = tf.io.gfile.stat(path)
            return remote.length, remote.mtime_nsec
        local = os.stat(path)
    except tf.errors.OpError as error:
        raise _unreadable(path, error.message) from error
    except OSError as error:
        raise _unreadable(path, str(error.strerror)) from error
    return local.st_size, local.st_mtime_ns


def _unreadable(path: str, reason: str) -> errors.UsageError:
    return errors.UsageError(f"data: {path} cannot be read ({errors.one_line(reason)})")


# A run opens its files once for each split, and buckets are slow.
@functools.cache
def _count(path: str, size: int, changed: int) -> int:
    """Counts a file's records; a file that has changed since is another one."""
    del changed
    number, position = 0, 0
    with tf.io.gfile.GFile(path, "rb") as stream:
        while position < size:
            stream.seek(position)
            header = stream.read(_HEADER)
            length = struct.unpack("<Q", header[:8])[0] if len(header) == _HEADER else size
            position += _HEADER + length + _FOOTER
            if position > size:
                raise errors.UsageError(f"{path} is not a whole, uncompressed TFRecord file")
            number += 1
    return number
