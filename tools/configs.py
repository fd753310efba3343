"""The configuration that a tool is given, by an experiment and what overrides it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from absl import flags

import bignas_tf as bignas

if TYPE_CHECKING:
    from official.core import config_definitions as cfg

flags.disclaim_key_flags()  # they are the tool's own, and `--help` of the tool shows them
_EXPERIMENT = (
    "bignas_small, for all spaces but the paper's, or bignas_imagenet; task.model.search_space "
    "names the space."
)


def define_flags(experiment: str = "bignas_small") -> None:
    """Defines --experiment, --config_file and --params_override.

    Args:
      experiment: the default of that flag.
    """
    flags.DEFINE_string("experiment", experiment, _EXPERIMENT)
    define_overrides("task.train_data.global_batch_size=64,trainer.train_steps=500")


def define_overrides(example: str) -> None:
    """Defines --config_file and --params_override, whose help has this example."""
    flags.DEFINE_multi_string(
        "config_file", [], "YAML that overrides the experiment; may be repeated, later ones win."
    )
    flags.DEFINE_string(
        "params_override",
        "",
        f"Overrides on top of the files, such as '{example}', or a YAML file.",
    )


def configured(**options: Any) -> cfg.ExperimentConfig:
    """Returns what the flags say; `options` are those of `bignas_tf.configure`."""
    given = flags.FLAGS
    return bignas.configure(given.experiment, given.config_file, given.params_override, **options)
