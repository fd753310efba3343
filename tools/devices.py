"""The devices that a tool's flags or configuration name, as a strategy."""

from __future__ import annotations

import tensorflow as tf
from official.common import distribute_utils

from bignas_tf import errors


def strategy(
    kind: str, num_gpus: int = 0, tpu: str | None = None, all_reduce_alg: str | None = None
) -> tf.distribute.Strategy:
    """Makes a strategy of `distribute_utils`.

    Args:
      kind: "one_device", "mirrored", "multi_worker_mirrored" or "tpu".
      num_gpus: of the first two; 0 for the CPU.
      tpu: name or address of a TPU.
      all_reduce_alg: of several GPUs or workers; None leaves the choice to TensorFlow.

    Raises:
      UsageError: the devices are not there.
    """
    # Without this check TensorFlow trains on the CPU in silence, or waits for ever.
    found = len(tf.config.list_physical_devices("GPU"))
    if kind in ("one_device", "mirrored") and num_gpus > found:
        raise errors.UsageError(f"num_gpus is {num_gpus}; TensorFlow finds {found}")
    try:
        return distribute_utils.get_distribution_strategy(
            kind, num_gpus=num_gpus, all_reduce_alg=all_reduce_alg, tpu_address=tpu
        )
    except (ValueError, KeyError) as error:
        raise errors.UsageError(f"{kind}: {error}") from error
    except (OSError, RuntimeError, tf.errors.OpError) as error:
        if kind != "tpu":
            raise
        reason = str(error).strip().splitlines()[0]
        raise errors.UsageError(f"no TPU {tpu!r} can be reached from here ({reason})") from error
