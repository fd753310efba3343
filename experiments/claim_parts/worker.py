"""A call in a new process: TensorFlow frees no traced graph, so each unit gets its own.

The processes are forked from the campaign's, which imports TensorFlow but must do nothing with it:
its threads do not survive a fork. Starting each from the beginning would cost ten seconds a unit.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from bignas_tf import errors


def call(function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls a module's function in a process that ends with the call, or with this process.

    Args:
      function: prints to this process' streams.
      *arguments: of the function, whose result is pickled.

    Raises:
      UsageError, RunError: what the function raises.
      RunError: the process died, or the function raised something else (it prints a traceback).
    """
    forking = multiprocessing.get_context("fork")
    ours, theirs = forking.Pipe()
    process = forking.Process(target=_serve, args=(ours, theirs, function, arguments))
    process.start()
    theirs.close()
    try:
        error, result = ours.recv()
    except (EOFError, OSError):
        process.join()
        raise errors.RunError(
            f"{function.__name__}: its process ended with status {process.exitcode}; the same "
            "command continues from the last checkpoint"
        ) from None
    finally:
        ours.close()
        process.join()
    if error is not None:
        raise error
    return result


def _serve(
    others: Connection,
    connection: Connection,
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
) -> None:
    # Left to the collector, an iterator of tf.data would wait for threads that are not here.
    gc.freeze()
    others.close()  # or the end of the campaign would not be seen
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the other process decides what it means
    threading.Thread(target=_end_with_caller, args=(connection,), daemon=True).start()
    error, result = None, None
    try:
        result = function(*arguments)
    except (errors.UsageError, errors.RunError) as raised:
        error = raised
    sys.stdout.flush()
    connection.send((error, result))


def _end_with_caller(connection: Connection) -> None:
    """Ends this process once the other end is closed, which it also is if the caller is killed.

    Otherwise a training run would outlive its campaign, and write into the folder of the next.
    """
    try:
        connection.recv()
    except (EOFError, OSError):
        os._exit(0)
