"""A run has one writer: whoever trains in its folder holds the folder's lock."""

from __future__ import annotations

import contextlib
import os
import pathlib
from collections.abc import Iterator

import tensorflow as tf

from bignas_tf import errors, files, workers
from bignas_tf.console import Show

LOCK_FILE = ".training.lock"


@contextlib.contextmanager
def sole(model_dir: str, strategy: tf.distribute.Strategy, show: Show) -> Iterator[None]:
    """Context in which no other training can write the folder of a run.

    The chief of several workers holds the lock; all of them call this together.

    Args:
      model_dir: folder of the run, which exists; a remote one cannot be locked.
      strategy: the devices of the run.
      show: takes a line where there are no locks.

    Raises:
      UsageError: another training holds the lock; raised on every worker.
    """
    refusal = ""
    with contextlib.ExitStack() as held:
        if workers.is_chief(strategy):
            try:
                held.enter_context(_locked(model_dir, show))
            except errors.UsageError as error:
                refusal = str(error)
        # The others would wait for a chief that has gone.
        refusal = workers.sharing(strategy)(refusal)
        if refusal:
            raise errors.UsageError(refusal)
        yield


@contextlib.contextmanager
def _locked(model_dir: str, show: Show) -> Iterator[None]:
    if files.is_remote(model_dir):
        _warn(model_dir, "is remote, and such folders cannot be locked", show)
        yield
        return
    # The file stays: a lock on a file that was deleted would keep nobody out.
    with pathlib.Path(model_dir, LOCK_FILE).open("a", encoding="utf-8") as stream:
        try:
            files.lock(stream, "a training run", "--model_dir")
        except OSError as error:
            _warn(os.fspath(stream.name), f"cannot be locked ({error.strerror})", show)
        yield


def _warn(path: str, problem: str, show: Show) -> None:
    show(f"{path} {problem}: make sure that no other training writes into the run's folder")
