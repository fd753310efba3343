"""Everything a training run can be told, and the registered experiments."""

from __future__ import annotations

import dataclasses

from official.core import config_definitions as cfg
from official.core import exp_factory
from official.modeling import hyperparams

from bignas_tf import errors
from bignas_tf.data import config as data_config
from bignas_tf.data.config import DataConfig
from bignas_tf.modeling import supernet
from bignas_tf.training import schedules

EXECUTIONS = ("auto", *supernet.EXECUTIONS)
REGULARISED = ("biggest", "all")


@dataclasses.dataclass
class SupernetConfig(hyperparams.Config):
    """The supernet.

    Attributes:
      search_space: a preset's name or the path of a YAML file.
      execution: "mask" (TPU), "slice" (CPU, GPU) or "auto".
      zero_init_gamma: start the last batch norm of each residual at 0 (Section 3.2).
    """

    search_space: str = "bignas_imagenet"
    execution: str = "auto"
    zero_init_gamma: bool = True


@dataclasses.dataclass
class SandwichConfig(hyperparams.Config):
    """The children of a step (Section 3.1); each field is an ablation.

    Attributes:
      biggest: train the biggest child, on the highest resolution.
      smallest: train the smallest child, on the lowest resolution.
      num_random: random children, on the resolutions between.
      distillation: train all but the biggest on its soft labels only.
      label_steps: first steps in which all children see labels. The paper has
        none; in a run of a few epochs (ours) a teacher that knows nothing yet
        is copied, mistakes and all, and holds its students back.
    """

    biggest: bool = True
    smallest: bool = True
    num_random: int = 2
    distillation: bool = True
    label_steps: int = 0


@dataclasses.dataclass
class RegularisationConfig(hyperparams.Config):
    """Weight decay and friends (Section 3.2).

    Attributes:
      children: "biggest", or "all" for the ablation.
      weight_decay: factor of half the squared norm of the kernels.
      dropout_rate: before the classifier.
      label_smoothing: where a child is trained on labels.
    """

    children: str = "biggest"
    weight_decay: float = 1e-5
    dropout_rate: float = 0.2
    label_smoothing: float = 0.0


@dataclasses.dataclass
class SelectionConfig(hyperparams.Config):
    """What selection sees (each use names its own split) and tries (Section 4.4).

    Attributes:
      calibration_split: training images that calibrate batch norms.
      calibration_images: how many of them.
      ranking_split: images that rank candidates; never the reporting ones.
      reporting_split: images on which a selected child's accuracy is reported.
      batch_size: of calibration and scoring.
      resolutions: input sides of the coarse grid; empty for all of the space.
      depth_multipliers: 0 (shallowest) to 1 (deepest).
      width_multipliers: 0 (narrowest) to 1 (widest).
      kernel_patterns: of "smallest", "largest", "largest_early", "largest_late".
      rounds: generations of mutants for each budget.
      mutants: children a generation.
      mutation_rate: probability that one choice is drawn anew.
      seed: of the mutations.
    """

    calibration_split: str = "train[:2000]"
    calibration_images: int = 2000
    ranking_split: str = "train[90%:]"
    reporting_split: str = "test"
    batch_size: int = 500
    resolutions: tuple[int, ...] = ()
    depth_multipliers: tuple[float, ...] = (0.0, 1 / 3, 2 / 3, 1.0)
    width_multipliers: tuple[float, ...] = (0.0, 1.0)
    kernel_patterns: tuple[str, ...] = ("smallest", "largest", "largest_early", "largest_late")
    rounds: int = 4
    mutants: int = 16
    mutation_rate: float = 0.1
    seed: int = 0


@dataclasses.dataclass
class BigNASConfig(cfg.TaskConfig):
    """The task: supernet, rules of training, and data."""

    model: SupernetConfig = dataclasses.field(default_factory=SupernetConfig)
    sandwich: SandwichConfig = dataclasses.field(default_factory=SandwichConfig)
    regularisation: RegularisationConfig = dataclasses.field(default_factory=RegularisationConfig)
    train_data: DataConfig = dataclasses.field(default_factory=DataConfig)
    selection: SelectionConfig = dataclasses.field(default_factory=SelectionConfig)
    seed: int = 0


@dataclasses.dataclass
class TrainerConfig(cfg.TrainerConfig):
    """The Model Garden's trainer with our schedules among its choices."""

    optimizer_config: schedules.OptimizationConfig = dataclasses.field(
        default_factory=schedules.OptimizationConfig
    )


def validate(config: cfg.ExperimentConfig) -> None:
    """Checks what the configuration classes cannot.

    Raises:
      UsageError: names the field, its value and what is allowed.
    """
    task, trainer = config.task, config.trainer
    _one_of("task.model.execution", task.model.execution, EXECUTIONS)
    _one_of("task.regularisation.children", task.regularisation.children, REGULARISED)
    _check_regularisation(task.regularisation)
    _check_optimisation(trainer.optimizer_config)
    sandwich = task.sandwich
    if sandwich.num_random < 0 or not (
        sandwich.biggest or sandwich.smallest or sandwich.num_random
    ):
        raise errors.UsageError("task.sandwich trains no child; set num_random to 1 or more")
    if sandwich.label_steps < 0:
        raise errors.UsageError(
            f"task.sandwich.label_steps is {sandwich.label_steps}; it takes 0 or more"
        )
    if sandwich.distillation and not sandwich.biggest:
        raise errors.UsageError(
            "task.sandwich.distillation needs the biggest child as its teacher; "
            "set sandwich.biggest=true or sandwich.distillation=false"
        )
    for name in ("train_steps", "steps_per_loop", "checkpoint_interval"):
        value = getattr(trainer, name)
        if not isinstance(value, int) or value < 1:
            raise errors.UsageError(f"trainer.{name} is {value!r}; it takes a positive integer")
    if trainer.checkpoint_interval % trainer.steps_per_loop:
        raise errors.UsageError(
            f"trainer.checkpoint_interval is {trainer.checkpoint_interval}; checkpoints come at "
            f"the end of a loop, so it must be a multiple of steps_per_loop "
            f"({trainer.steps_per_loop})"
        )
    if task.selection.ranking_split == task.selection.reporting_split:
        raise errors.UsageError(
            f"task.selection ranks and reports on the same split "
            f"{task.selection.ranking_split!r}; an accuracy that chose a child cannot judge it"
        )
    data_config.validate(task.train_data)


def _check_regularisation(config: RegularisationConfig) -> None:
    for name in ("dropout_rate", "label_smoothing"):
        value = getattr(config, name)
        if not 0.0 <= value < 1.0:
            raise errors.UsageError(
                f"task.regularisation.{name} is {value}; it takes 0 or more, and less than 1"
            )
    if not config.weight_decay >= 0.0:
        raise errors.UsageError(
            f"task.regularisation.weight_decay is {config.weight_decay}; it takes 0 or more"
        )


def _check_optimisation(config: schedules.OptimizationConfig) -> None:
    """Checks the names of the optimiser and the schedule, each a field of its choices."""
    for name in ("optimizer", "learning_rate"):
        choices = getattr(config, name)
        _one_of(
            f"trainer.optimizer_config.{name}.type",
            choices.type,
            tuple(field.name for field in dataclasses.fields(choices) if field.name != "type"),
        )


def _one_of(name: str, value: str | None, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise errors.UsageError(f"{name} is {value!r}; choose from {list(allowed)}")


def blank_experiment() -> cfg.ExperimentConfig:
    """The types of a configuration, to be filled from a run's `params.yaml`."""
    return cfg.ExperimentConfig(
        task=BigNASConfig(),
        trainer=TrainerConfig(),
        runtime=cfg.RuntimeConfig(distribution_strategy="one_device", num_gpus=0),
    )


@exp_factory.register_config_factory("bignas_small")
def bignas_small() -> cfg.ExperimentConfig:
    """Small images (20 to 32 px) on one CPU or GPU; Fashion-MNIST unless told otherwise."""
    experiment = blank_experiment()
    task, trainer = experiment.task, experiment.trainer
    task.model.search_space = "bignas_small"
    task.train_data.override(
        {
            "source": "tfds",
            "tfds_name": "fashion_mnist",
            "tfds_split": "train[:90%]",
            "base_size": 28,
            "channels": 1,
            "num_classes": 10,
            "crop": "pad",
            "cache": True,
            "global_batch_size": 128,
            "is_training": True,
            "seed": 0,
        }
    )
    trainer.train_steps = 1200
    trainer.steps_per_loop = 20
    trainer.summary_interval = 20
    trainer.checkpoint_interval = 200
    trainer.max_to_keep = 3
    set_optimisation(experiment, learning_rate=0.006, decay_steps=13, warmup_steps=50)
    return experiment


def set_optimisation(
    experiment: cfg.ExperimentConfig, learning_rate: float, decay_steps: int, warmup_steps: int
) -> None:
    """RMSProp as EfficientNet's, x0.97 every `decay_steps`, 5% constant ending."""
    experiment.trainer.optimizer_config.override(
        {
            "optimizer": {
                "type": "rmsprop",
                "rmsprop": {"rho": 0.9, "momentum": 0.9, "epsilon": 1e-3},
            },
            "learning_rate": {
                "type": "constant_ending",
                "constant_ending": {
                    "initial_learning_rate": learning_rate,
                    "decay_rate": 0.97,
                    "decay_steps": decay_steps,
                    "staircase": False,
                    "floor": 0.05,
                },
            },
            "warmup": {
                "type": "linear",
                "linear": {"warmup_steps": warmup_steps, "warmup_learning_rate": 0.0},
            },
        }
    )
