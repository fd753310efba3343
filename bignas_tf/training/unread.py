"""Fields that a configuration inherits from the Model Garden, and that nothing here reads.

Who sets one expects something of it, such as the privacy of `differential_privacy_config`.
"""

from __future__ import annotations

import functools
from typing import Any

from official.core import config_definitions as cfg

from bignas_tf import errors

FIELDS = {
    "task": ("differential_privacy_config", "validation_data", "allow_image_summary"),
    "task.train_data": (
        "apply_tf_data_service_before_batching",
        "autotune_algorithm",
        "block_length",
        "cycle_length",
        "deterministic",
        "drop_remainder",
        "enable_shared_tf_data_service_between_parallel_trainers",
        "enable_tf_data_service",
        "ram_budget",
        "sharding",
        "tf_data_service_address",
        "tf_data_service_job_name",
        "tfds_as_supervised",
        "tfds_skip_decoding_feature",
        "trainer_id",
    ),
    "trainer": (
        "best_checkpoint_eval_metric",
        "best_checkpoint_export_subdir",
        "best_checkpoint_metric_comp",
        "continuous_eval_timeout",
        "eval_tf_function",
        "eval_tf_while_loop",
        "preemption_on_demand_checkpoint",
        "recovery_begin_steps",
        "recovery_max_trials",
        "validation_steps",
    ),
    "runtime": (
        "batchnorm_spatial_persistent",
        "dataset_num_private_threads",
        "default_shard_dim",
        "gpu_thread_mode",
        "loss_scale",
        "num_cores_per_replica",
        "num_packs",
        "per_gpu_thread_count",
        "run_eagerly",
        "use_tpu_mp_strategy",
    ),
}


def check(config: cfg.ExperimentConfig, default: cfg.ExperimentConfig) -> None:
    """Refuses another value of such a field than the experiment's own.

    Args:
      config: of a run.
      default: of its experiment.

    Raises:
      UsageError: names the field and its value.
    """
    given, expected = config.as_dict(), default.as_dict()
    for group, names in FIELDS.items():
        ours, theirs = (_group(values, group) for values in (given, expected))
        for name in names:
            if ours[name] != theirs[name]:
                raise errors.UsageError(
                    f"{group}.{name} is {errors.shown(ours[name])}, but nothing here reads this "
                    "field of the Model Garden's; leave it out"
                )


def _group(values: dict[str, Any], path: str) -> dict[str, Any]:
    return functools.reduce(lambda group, name: group[name], path.split("."), values)
