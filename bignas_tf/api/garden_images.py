"""What may be wrong with the images of a training by the Model Garden, in words."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import tensorflow as tf
from official.core import config_definitions as cfg
from official.modeling import hyperparams

from bignas_tf import errors
from bignas_tf.data import faults, patterns

_FORMAT = "TFRecords of the Model Garden's format"


def check(data: cfg.DataConfig, field: str) -> None:
    """Refuses patterns without files, which the Garden would meet after building the model.

    Raises:
      UsageError: a pattern matches no file, or a batch has no images.
    """
    size = data.global_batch_size
    errors.require(size > 0, f"{field}.global_batch_size", size, "1 or more")
    given = data.input_path
    if data.tfds_name or isinstance(given, hyperparams.Config):  # several, with weights
        return
    # As they are: the Garden neither strips them nor expands "~".
    asked = given.split(",") if isinstance(given, str) else list(given or [])
    try:
        patterns.files(f"{field}.input_path", asked)
    except errors.UsageError as error:
        raise errors.UsageError(f"{error}; give {_FORMAT}") from error


@contextlib.contextmanager
def explained(task: cfg.TaskConfig) -> Iterator[None]:
    """Wraps what trains and evaluates; TensorFlow says neither which files it read nor what for.

    Raises:
      UsageError: images cannot be read or do not fit the configuration.
      RunError: the loss is NaN. Other errors pass.
    """
    try:
        yield
    except (errors.UsageError, errors.RunError):
        raise
    except (ValueError, tf.errors.OpError) as error:
        met = not isinstance(error, tf.errors.OpError) or faults.is_of_input(error)
        if errors.is_out_of_memory(error) or not met:
            raise
        of_input = isinstance(error, tf.errors.OpError)
        reason = faults.reason(error) if of_input else errors.one_line(error)
        named = ", ".join(
            f"task.{name}.input_path={getattr(task, name).input_path}"
            for name in ("train_data", "validation_data")
        )
        raise errors.UsageError(
            f"the Model Garden cannot train or evaluate on these images ({reason}): {named}; give "
            f"{_FORMAT} for such a model, and sizes that agree with the model's"
        ) from error
    except RuntimeError as error:
        if "loss value is NaN" not in str(error):
            raise
        raise errors.RunError(
            f"{errors.one_line(error)}; a smaller learning rate (trainer.optimizer_config) or a "
            "longer warm-up may help"
        ) from error
