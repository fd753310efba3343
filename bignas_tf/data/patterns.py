"""TFRecord files by the patterns that name them."""

from __future__ import annotations

import os
from collections.abc import Sequence

import tensorflow as tf

from bignas_tf import errors


def split(value: str | Sequence[str]) -> list[str]:
    """The patterns that an `input_path` has, as a list or with commas between."""
    parts = value.split(",") if isinstance(value, str) else value
    return [os.path.expanduser(part.strip()) for part in parts if part.strip()]


def files(field: str, patterns: Sequence[str]) -> list[str]:
    """Paths of the files that patterns match, sorted; one that several match comes once.

    Args:
      field: that has the patterns, for messages.
      patterns: at least one.

    Raises:
      UsageError: there is no pattern, one matches no file or a folder, or it cannot be read.
    """
    if not patterns:
        raise errors.UsageError(f"{field} is empty; name TFRecord files")
    return sorted({path for pattern in patterns for path in _matching(field, pattern)})


def _matching(field: str, pattern: str) -> list[str]:
    try:
        paths = tf.io.gfile.glob(pattern)
    except tf.errors.NotFoundError:
        paths = []
    except tf.errors.OpError as error:
        reason = errors.one_line(error)
        raise errors.UsageError(f"{field}: {pattern} cannot be read ({reason})") from error
    if not paths:
        raise errors.UsageError(f"no TFRecord file matches {field}={pattern}")
    for path in paths:
        if tf.io.gfile.isdir(path):
            raise errors.UsageError(
                f"{field}: {path} is a folder; name its TFRecord files, such as {path}/*"
            )
    return paths
