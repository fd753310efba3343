"""What a training says that ends early: of its own lacks, or by Ctrl-C."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import tensorflow as tf

from bignas_tf import errors, full_disk
from bignas_tf.console import Show
from bignas_tf.training import listing


def _resumes_from(checkpoint: str | None) -> str:
    if checkpoint:
        return f"last checkpoint: {checkpoint}, from which the same command resumes"
    return "no checkpoint was saved, so the same command starts from the beginning"


@contextlib.contextmanager
def interruption_explained(model_dir: str, show: Show) -> Iterator[None]:
    """Says after a Ctrl-C where the same command continues."""
    try:
        yield
    except KeyboardInterrupt:
        with contextlib.suppress(tf.errors.OpError):  # a bucket that cannot be reached
            if latest := listing.named(model_dir):
                show(_resumes_from(latest))
        raise


@contextlib.contextmanager
def exhaustion_explained(model_dir: str, chief: bool) -> Iterator[None]:
    """Explains a lack of room on a disk or in memory, and sweeps what it has left half written.

    Args:
      model_dir: folder of the run.
      chief: whether this process writes into it.

    Raises:
      RunError: there was such a lack.
    """
    try:
        yield
    except tf.errors.OpError as error:
        if full_disk.reason(error):
            lack, mend = "there was no room for a file", "make room"
        elif errors.is_out_of_memory(error):
            lack = "memory ran out"
            mend = "a device needs less with fewer images at a time (task.images_at_once)"
        else:
            raise
        latest = listing.named(model_dir)
        if chief:
            listing.remove_unlisted(model_dir)
        raise errors.RunError(
            f"{lack}: {errors.one_line(error)}; {mend}; {_resumes_from(latest)}"
        ) from error
