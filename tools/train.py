"""Trains a supernet, from the latest checkpoint in --model_dir if there is one.

  python -m tools.train --experiment=bignas_small \\
      --config_file=experiments/fashion_mnist.yaml --model_dir=runs/fashion_mnist
"""

from __future__ import annotations

from collections.abc import Sequence

from absl import flags

from .cli import launch, no_chatter, note_command

_EXPERIMENT = flags.DEFINE_string("experiment", "bignas_small", "Registered experiment.")
_CONFIG_FILES = flags.DEFINE_multi_string(
    "config_file", [], "YAML that overrides the experiment; may be repeated, later ones win."
)
_PARAMS_OVERRIDE = flags.DEFINE_string(
    "params_override",
    "",
    "Overrides on top of the files, such as "
    "'task.train_data.global_batch_size=64,trainer.train_steps=500', or a YAML file.",
)
_MODEL_DIR = flags.DEFINE_string(
    "model_dir", None, "Folder of checkpoints, summaries and the configuration.", required=True
)
_TPU = flags.DEFINE_string("tpu", "", "Name or address of a TPU, for distribution_strategy: tpu.")


def main(argv: Sequence[str]) -> None:
    del argv
    no_chatter()
    from official.common import distribute_utils
    from official.modeling import performance

    from bignas_tf import errors, workers
    from bignas_tf.selection import named_children, splits
    from bignas_tf.training import experiment, trainer

    from . import devices

    config = experiment.parse(_EXPERIMENT.value, _CONFIG_FILES.value, _PARAMS_OVERRIDE.value)
    runtime = config.runtime
    if runtime.mixed_precision_dtype:
        performance.set_mixed_precision_policy(runtime.mixed_precision_dtype)
    try:
        # TF_CONFIG, where it is set, goes before the hosts of the configuration.
        distribute_utils.configure_cluster(runtime.worker_hosts, runtime.task_index)
    except (ValueError, KeyError, TypeError) as error:
        raise errors.UsageError(
            f"TF_CONFIG or runtime.worker_hosts cannot be used ({error!r})"
        ) from error
    strategy = devices.strategy(
        runtime.distribution_strategy,
        runtime.num_gpus,
        _TPU.value or runtime.tpu,
        runtime.all_reduce_alg,
    )
    # Before training, for mistakes that would show only after it.
    task = config.task
    splits.check_apart(task.train_data, task.selection)
    children = named_children.NamedChildren(task) if task.evaluation.children else None
    trainer.train(config, _MODEL_DIR.value, strategy, children.of if children else None)
    if workers.is_chief(strategy):
        note_command(_MODEL_DIR.value)


if __name__ == "__main__":
    launch(main)
