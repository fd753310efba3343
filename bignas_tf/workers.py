"""The processes of one run: which of them writes, what they agree on, and how they stop."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TypeVar

import numpy as np
import tensorflow as tf

from bignas_tf import errors
from bignas_tf.console import Show

T = TypeVar("T")


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process prints and writes the folder of the run; one of its workers does."""
    return strategy.extended.should_checkpoint


def averaging(strategy: tf.distribute.Strategy) -> Callable[[float], float]:
    """Returns a function that averages a number over the workers; all must call it together."""
    if not many(strategy):
        return lambda value: value

    @tf.function
    def mean(value: tf.Tensor) -> tf.Tensor:
        return strategy.reduce(tf.distribute.ReduceOp.MEAN, strategy.run(lambda: value), axis=None)

    return lambda value: float(mean(tf.constant(value, tf.float64)))


def sharing(strategy: tf.distribute.Strategy) -> Callable[[str], str]:
    """Returns a function that broadcasts the chief's text; all workers must call it together."""
    if not many(strategy):
        return lambda text: text

    # One trace, whatever the length.
    @tf.function(input_signature=[tf.TensorSpec([None], tf.int32)])
    def total(values: tf.Tensor) -> tf.Tensor:
        def of_first() -> tf.Tensor:
            replica = tf.distribute.get_replica_context().replica_id_in_sync_group
            return tf.where(replica == 0, values, 0)

        return strategy.reduce(tf.distribute.ReduceOp.SUM, strategy.run(of_first), axis=None)

    def from_chief(text: str) -> str:
        own = np.frombuffer(text.encode(), np.uint8) if is_chief(strategy) else np.empty(0)
        (length,) = total(tf.constant([len(own)], tf.int32)).numpy()
        padded = np.zeros(length, np.int32)
        padded[: len(own)] = own
        return total(tf.constant(padded)).numpy().astype(np.uint8).tobytes().decode()

    return from_chief


@contextlib.contextmanager
def held_by_chief(
    strategy: tf.distribute.Strategy, opened: Callable[[], contextlib.AbstractContextManager[T]]
) -> Iterator[T | None]:
    """Enters a context in the chief's process; all workers call this together.

    Args:
      strategy: of the workers.
      opened: makes the context.

    Yields:
      What the context gives; None to the other workers.

    Raises:
      UsageError: the chief was refused; raised on every worker, because the others would wait for
        a chief that has gone.
    """
    refusal, held = "", None
    with contextlib.ExitStack() as stack:
        if is_chief(strategy):
            try:
                held = stack.enter_context(opened())
            except errors.UsageError as error:
                refusal = str(error)
        if refusal := sharing(strategy)(refusal):
            wait_for_all(strategy)
            raise errors.UsageError(refusal)
        yield held


class Stops:
    """SIGTERM, the notice of a preemption, and Ctrl-C, noted so that the current loop can end.

    Where there is nothing to save yet, Ctrl-C stops at once, and so does a second one.

    Args:
      strategy: of the workers.
      show: takes a line when Ctrl-C is noted.
    """

    def __init__(self, strategy: tf.distribute.Strategy, show: Show) -> None:
        self._average = averaging(strategy)
        self._show = show
        self._asked = 0
        self._signals: set[int] = set()

    @property
    def interrupted(self) -> bool:
        """Whether this process has got Ctrl-C."""
        return signal.SIGINT in self._signals

    def asked(self) -> bool:
        """Whether any worker is to stop; all of them must call this before each loop."""
        self._asked += 1
        return self._average(float(bool(self._signals))) > 0

    @contextlib.contextmanager
    def noted(self) -> Iterator[None]:
        """Handles the signals; for the main thread only, as Python's signals are."""
        numbers = [signal.SIGTERM]
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            numbers.append(signal.SIGINT)
        before = {number: signal.signal(number, self._note) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            if self.interrupted or self._asked < 2:
                raise KeyboardInterrupt
            # Another line may be half printed, or nobody read them any more.
            with contextlib.suppress(RuntimeError, OSError):
                self._show("interrupted: ending this loop and saving; Ctrl-C again stops at once")
        self._signals.add(number)


@contextlib.contextmanager
def together(strategy: tf.distribute.Strategy) -> Iterator[None]:
    """Wraps what all workers do together: none leaves before all have done it, or one was lost.

    An error leaves at once, because nothing tells whether the others have it, too.

    Raises:
      RunError: one of them was lost, so the others cannot continue.
    """
    try:
        yield
        wait_for_all(strategy)
    except tf.errors.UnavailableError as error:
        if not (many(strategy) or isinstance(strategy, tf.distribute.TPUStrategy)):
            raise
        raise errors.RunError(
            "another worker was lost; start all of them again, and the run resumes from what it "
            "has saved"
        ) from error


def wait_for_all(strategy: tf.distribute.Strategy) -> None:
    """Returns when every worker has called it, or one of them has gone on and ended.

    A worker that has its result of a reduction may still owe others theirs: if its process ended
    then, they would see a worker lost.
    """
    with contextlib.suppress(tf.errors.UnavailableError):
        averaging(strategy)(0.0)


def reduces_outside(strategy: tf.distribute.Strategy) -> bool:
    """Whether replicas leave their graph to reduce, which no branch or loop in it can do."""
    kinds = (tf.distribute.MirroredStrategy, tf.distribute.MultiWorkerMirroredStrategy)
    return isinstance(strategy, kinds)


def many(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process is one of several."""
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
