"""SavedModels of anybody's, which may be damaged."""

from __future__ import annotations

import os
from typing import Any

from bignas_tf import errors

# What TensorFlow raises besides its own errors, at whichever byte is wrong.
_DAMAGED = (
    OSError, ValueError, TypeError, LookupError, AttributeError, AssertionError, RuntimeError,
)  # fmt: skip


def load(folder: str | os.PathLike[str], name: str, mend: str = "") -> Any:
    """What `tf.saved_model.load` returns.

    Args:
      folder: of the SavedModel.
      name: of it, for messages.
      mend: what to do if it cannot be loaded; the end of the message.

    Raises:
      UsageError: it cannot be loaded.
    """
    import tensorflow as tf

    try:
        return tf.saved_model.load(os.fspath(folder))
    except (*_DAMAGED, tf.errors.OpError) as error:
        if errors.is_out_of_memory(error):
            raise
        reason = errors.one_line(error)
        raise errors.UsageError(
            f"{name} cannot be loaded as a SavedModel ({reason}){mend}"
        ) from error
