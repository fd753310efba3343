"""The devices that a configuration or a caller names, as a strategy."""

from __future__ import annotations

import tensorflow as tf
from official.common import distribute_utils
from official.core import config_definitions as cfg

from bignas_tf import errors
from bignas_tf.api import arguments

_NO_TPU = (
    "runtime.distribution_strategy is tpu, but no TPU is named: give --tpu=local on its only host, "
    "--tpu=NAME for a slice; without a TPU, leave out imagenet_tpu.yaml"
)
_BY_NUMBER = ("one_device", "mirrored")  # of their GPUs
_STRATEGIES: dict[tuple[str, int, str | None], tf.distribute.Strategy] = {}  # of this process


def _strategy(
    kind: str, num_gpus: int = 0, tpu: str | None = None, all_reduce_alg: str | None = None
) -> tf.distribute.Strategy:
    """Makes a strategy of `distribute_utils`.

    Args:
      kind: "one_device", "mirrored", "multi_worker_mirrored" or "tpu".
      num_gpus: of the first two; 0 for the CPU.
      tpu: name or address of a TPU.
      all_reduce_alg: of several GPUs or workers; None leaves the choice to TensorFlow.

    Raises:
      UsageError: the devices are missing.
    """
    if kind == "tpu":
        # By default TPUs round the operands of a float32 product to bfloat16: those of the
        # classifier and of the resize. bfloat16 operands cost no more for it. For this process;
        # tools/gcp/host/worker.py does it for the servers of a slice.
        tf.config.experimental.enable_tensor_float_32_execution(False)
    # Without this check TensorFlow silently trains on the CPU, or waits forever.
    available = len(tf.config.list_physical_devices("GPU"))
    if kind in _BY_NUMBER and num_gpus > available:
        raise errors.UsageError(f"num_gpus is {num_gpus}; TensorFlow finds {available}")
    try:
        return _shared(kind, num_gpus if kind in _BY_NUMBER else 0, tpu, all_reduce_alg)
    except (ValueError, KeyError) as error:
        if kind == "tpu" and not tpu:
            raise errors.UsageError(_NO_TPU) from error
        raise errors.UsageError(f"{kind}: {errors.one_line(error)}") from error
    except (OSError, RuntimeError, tf.errors.OpError) as error:
        if kind != "tpu":
            raise
        reason = errors.one_line(error)
        raise errors.UsageError(f"TPU {tpu!r} cannot be reached from here ({reason})") from error


def _shared(
    kind: str, num_gpus: int, tpu: str | None, all_reduce_alg: str | None
) -> tf.distribute.Strategy:
    """The one strategy of this process for these devices, which reduces as the first was to.

    A second one numbers its collective operations from the start, as the first did, and TensorFlow
    takes them for those of the first; on a TPU it would clear the memory of the cores.
    """
    devices = kind, num_gpus, tpu
    if devices not in _STRATEGIES:
        _STRATEGIES[devices] = distribute_utils.get_distribution_strategy(
            kind, num_gpus=num_gpus, all_reduce_alg=all_reduce_alg, tpu_address=tpu
        )
    return _STRATEGIES[devices]


def training_strategy(config: cfg.ExperimentConfig, tpu: str = "") -> tf.distribute.Strategy:
    """Makes the strategy of a run's configuration; TF_CONFIG wins over its hosts.

    Without a number of GPUs "one_device" takes one and "mirrored" all, if TensorFlow finds any.

    Args:
      config: whose `runtime` names the devices.
      tpu: name or address of a TPU; the configuration's own if empty.

    Raises:
      UsageError: the devices are missing, or TF_CONFIG or worker_hosts is invalid.
    """
    arguments.check_config(config)
    runtime = config.runtime
    try:
        distribute_utils.configure_cluster(runtime.worker_hosts, runtime.task_index)
    except (ValueError, KeyError, TypeError) as error:
        raise errors.UsageError(
            f"TF_CONFIG or runtime.worker_hosts cannot be used ({error!r})"
        ) from error
    kind, found = runtime.distribution_strategy, len(tf.config.list_physical_devices("GPU"))
    return _strategy(
        kind,
        runtime.num_gpus or (min(found, 1) if kind == "one_device" else found),
        tpu or runtime.tpu,
        runtime.all_reduce_alg,
    )


def evaluation_strategy(
    num_gpus: int = 1, tpu: str = "", multi_worker: bool = False
) -> tf.distribute.Strategy:
    """Makes a strategy whose replicas share the images on which children are evaluated.

    Args:
      num_gpus: how many; 1 is TensorFlow's default device, a GPU or the CPU.
      tpu: name or address of a TPU whose cores evaluate instead.
      multi_worker: whether this is one of the processes that TF_CONFIG names.

    Raises:
      UsageError: the devices are missing, or more than one kind is asked for.
    """
    if (num_gpus != 1) + bool(tpu) + multi_worker > 1:
        raise errors.UsageError("give one of num_gpus, tpu and multi_worker")
    if multi_worker:
        return _strategy("multi_worker_mirrored")
    if tpu:
        return _strategy("tpu", tpu=tpu)
    if num_gpus == 1:
        return tf.distribute.get_strategy()
    return _strategy("mirrored", num_gpus)
