"""The configuration of a training run."""

from __future__ import annotations

import dataclasses

from official.core import config_definitions as cfg
from official.modeling import hyperparams

from bignas_tf.data.config import DataConfig
from bignas_tf.selection.config import SelectionConfig
from bignas_tf.training import schedules


@dataclasses.dataclass
class SupernetConfig(hyperparams.Config):
    """The supernet.

    Attributes:
      search_space: a preset's name or the path of a YAML file.
      network: a subclass of `ElasticModel` by its dotted name, such as
        "my_networks.ResidualNetwork"; the project's own if empty.
      execution: "mask" (TPU), "slice" (CPU, GPU) or "auto".
      zero_init_gamma: start the last batch norm of each residual at 0 (Section 3.1).
      norm_replicas: neighbouring replicas (cores of a TPU, GPUs) that share the moments of a
        batch in training; 0 for all of them, 1 for each alone (ours; EfficientNet has groups).
    """

    search_space: str = "bignas_imagenet"
    network: str = ""
    execution: str = "auto"
    zero_init_gamma: bool = True
    norm_replicas: int = 0


@dataclasses.dataclass
class SandwichConfig(hyperparams.Config):
    """The children of a step (Section 3.1); each field is an ablation.

    Attributes:
      biggest: train the biggest child, on the highest resolution.
      smallest: train the smallest child, on the lowest resolution.
      num_random: random children.
      resolutions: of the random children. "paired": those that the extremes leave, in turn
        (Appendix B). "any": each draws one of all training resolutions (ours), so that no
        resolution is known to one child alone.
      same_patch: show all children the same patch of an image; else each its own.
      alone: a child to train on its own, on labels at its own resolution, in place of all
        the others: "smallest", "biggest", a published child or a JSON file. A baseline.
      check_replicas: compare the random children of all replicas in every step, and stop
        the run where they differ (for debugging; one reduction more a child).
    """

    biggest: bool = True
    smallest: bool = True
    num_random: int = 2
    resolutions: str = "paired"
    same_patch: bool = True
    alone: str = ""
    check_replicas: bool = False

    @property
    def num_children(self) -> int:
        """Children of a step."""
        return 1 if self.alone else self.biggest + self.smallest + self.num_random


@dataclasses.dataclass
class DistillationConfig(hyperparams.Config):
    """What all but the biggest child learn from (Section 3.1).

    Attributes:
      weight: of the teacher's soft labels; labels get the rest. 1, the paper's, is soft labels
        alone, 0 labels alone. In a run of a few epochs a teacher knows little and is copied,
        mistakes and all: there 0.5 is better (ours).
      ramp_steps: steps over which the weight rises linearly from 0.
      divergence: "kl" (the paper's cross-entropy with soft labels), or "alpha": AlphaNet's
        adaptive alpha-divergence (https://arxiv.org/abs/2102.07954).
      alpha_min: the lower of its two alphas.
      alpha_max: the higher.
      clip: upper bound of a ratio of probabilities to the power of alpha; an alpha of 1 needs
        no bound.
      teacher: folder of a SavedModel that teaches all children, the biggest included, in place
        of the biggest; see `teachers.load`.
    """

    weight: float = 1.0
    ramp_steps: int = 0
    divergence: str = "kl"
    alpha_min: float = -1.0
    alpha_max: float = 1.0
    clip: float = 5.0
    teacher: str = ""


@dataclasses.dataclass
class RegularisationConfig(hyperparams.Config):
    """Weight decay, dropout and label smoothing (Section 3.1).

    Attributes:
      children: which ones are regularised: "biggest", or "all" for the ablation.
      weight_decay: factor of half the squared norm of the kernels, and of the matrices that make
        smaller ones, once a step.
      biases: weight decay for biases, too, as in EfficientNet's code; never for batch norms.
      dropout_rate: before the classifier.
      label_smoothing: of the labels, for every child that learns from them.
    """

    children: str = "biggest"
    weight_decay: float = 1e-5
    biases: bool = False
    dropout_rate: float = 0.2
    label_smoothing: float = 0.0


@dataclasses.dataclass
class EvaluationConfig(hyperparams.Config):
    """Which children are calibrated and scored during training.

    This happens every `trainer.validation_interval` steps and after the last, and does not
    affect training. Calibration is that of `SelectionConfig`.

    Attributes:
      children: "smallest", "biggest", names of published children, or paths of JSON
        files; empty for no evaluation.
      split: images to score on.
      images: how many of them, from the start; 0 for all.
    """

    children: tuple[str, ...] = ()
    split: str = "train[90%:]"
    images: int = 0


@dataclasses.dataclass
class BigNASConfig(cfg.TaskConfig):
    """The task: supernet, rules of training, and data.

    The Model Garden's `init_checkpoint` names the folder of another run, whose weights (their
    averages, if it kept an `ema`) a new run starts from; see `initial_weights`. A run that
    resumes does not read it.

    Attributes:
      images_at_once: of a replica's batch, which a step computes in parts of that many, one after
        another, where the device cannot hold the activations of all; 0 for the whole batch. See
        `accumulation` (ours).
      seed: of the first weights, the random children and dropout. That of the order of the images
        is `train_data.seed`.

    The other fields are groups, which have descriptions of their own.
    """

    model: SupernetConfig = dataclasses.field(default_factory=SupernetConfig)
    sandwich: SandwichConfig = dataclasses.field(default_factory=SandwichConfig)
    distillation: DistillationConfig = dataclasses.field(default_factory=DistillationConfig)
    regularisation: RegularisationConfig = dataclasses.field(default_factory=RegularisationConfig)
    train_data: DataConfig = dataclasses.field(default_factory=DataConfig)
    selection: SelectionConfig = dataclasses.field(default_factory=SelectionConfig)
    evaluation: EvaluationConfig = dataclasses.field(default_factory=EvaluationConfig)
    images_at_once: int = 0
    seed: int = 0


@dataclasses.dataclass
class TrainerConfig(cfg.TrainerConfig):
    """The Model Garden's trainer with our schedules among its choices.

    Attributes:
      for_batch: the global batch size the schedule was tuned for; lengths and learning rates
        are rescaled to the run's batch (`batch.follow`). 0 disables rescaling.
      loss_upper_bound: a mean sum of a step's losses above it stops the run.
      recovery_max_trials: its answer to a loss that explodes, which restores weights but not
        the position of the input; off because `progress.Progress` stops the run.
      preemption_on_demand_checkpoint: its answer to SIGTERM, for some strategies and
        platforms; off because `workers` has one for all.
    """

    optimizer_config: schedules.OptimizationConfig = dataclasses.field(
        default_factory=schedules.OptimizationConfig
    )
    for_batch: int = 0
    recovery_max_trials: int = -1
    preemption_on_demand_checkpoint: bool = False


def blank_experiment() -> cfg.ExperimentConfig:
    """The types of a configuration, to be filled from a run's `params.yaml`."""
    return cfg.ExperimentConfig(
        task=BigNASConfig(),
        trainer=TrainerConfig(),
        runtime=cfg.RuntimeConfig(distribution_strategy="one_device", num_gpus=0),
    )
