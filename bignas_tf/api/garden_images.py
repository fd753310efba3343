"""What may be wrong with the images of a training by the Model Garden, in words."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import tensorflow as tf
from official.core import config_definitions as cfg
from official.modeling import hyperparams

from bignas_tf import errors
from bignas_tf.data import faults, patterns

_SHOWN = 200  # characters of an input_path
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
    # As the Garden reads them, which does not expand "~".
    listed = [given] if isinstance(given, str) else given or []
    asked = [each.strip() for text in listed for each in text.split(",") if each.strip()]
    try:
        patterns.files(f"{field}.input_path", asked)
    except errors.UsageError as error:
        raise errors.UsageError(f"{error}; give {_FORMAT}") from error


@contextlib.contextmanager
def explained(task: cfg.TaskConfig) -> Iterator[None]:
    """Wraps what trains and evaluates; TensorFlow says neither which files it read nor what for.

    Raises:
      UsageError: images cannot be read, or they and the configuration do not fit.
      RunError: the loss is NaN. Other errors pass.
    """
    try:
        yield
    except (errors.UsageError, errors.RunError):
        raise
    except (ValueError, tf.errors.OpError) as error:
        of_tensorflow = isinstance(error, tf.errors.OpError)
        elsewhere = of_tensorflow and not faults.is_of_input(error)
        if elsewhere or errors.is_out_of_memory(error):
            raise
        reason = faults.reason(error) if of_tensorflow else errors.one_line(error)
        named = ", ".join(
            f"task.{name}.input_path={errors.shown(getattr(task, name).input_path, _SHOWN)}"
            for name in ("train_data", "validation_data")
        )
        raise errors.UsageError(
            f"the Model Garden cannot train or evaluate so ({reason}); {named}: if it is the "
            f"images, give {_FORMAT} for such a model, and sizes that agree with the model's"
        ) from error
    except RuntimeError as error:
        if "loss value is NaN" not in str(error):
            raise
        raise errors.RunError(
            f"{errors.one_line(error)}; a smaller learning rate (trainer.optimizer_config) or a "
            "longer warm-up may help"
        ) from error
