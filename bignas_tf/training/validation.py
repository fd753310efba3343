"""Checks of a run's configuration that its classes cannot make."""

from __future__ import annotations

import math

from official.core import config_definitions as cfg

from bignas_tf import errors, plain
from bignas_tf.data import config as data_config
from bignas_tf.errors import require, require_one_of
from bignas_tf.modeling import elastic_model
from bignas_tf.search_space import presets
from bignas_tf.selection import config as selection_config
from bignas_tf.training import models, optimisation
from bignas_tf.training.configs import (
    BigNASConfig,
    DistillationConfig,
    EvaluationConfig,
    RegularisationConfig,
    SandwichConfig,
)

EXECUTIONS = ("auto", *elastic_model.EXECUTIONS)
REGULARISED = ("biggest", "all")
RESOLUTIONS = ("paired", "any")
DIVERGENCES = ("kl", "alpha")
STRATEGIES = ("one_device", "mirrored", "multi_worker_mirrored", "tpu")
_BRANCHLESS = ("mirrored", "multi_worker_mirrored")  # see `check_branches`
_MOST_STEPS = 2**31 - 1
_MOST_RANDOM = 64  # the step's program holds each of them
# Gradients of float16 would need a scaled loss; bfloat16 has the range of float32.
COMPUTE_TYPES = ("float32", "bfloat16")


def validate(config: cfg.ExperimentConfig) -> None:
    """Checks all that the configuration classes cannot.

    Raises:
      UsageError: names the field, its value and what is allowed.
    """
    task, trainer = config.task, config.trainer
    validate_trained(task)
    models.network(task.model.network)
    _check_runtime(config.runtime, task.model.execution)
    replicas = task.model.norm_replicas
    require(replicas >= 0, "task.model.norm_replicas", replicas, "0 (all) or more")
    require_one_of("task.regularisation.children", task.regularisation.children, REGULARISED)
    _check_sandwich(task.sandwich)
    if (strategy := config.runtime.distribution_strategy) in _BRANCHLESS:
        check_branches(config.task, f"runtime.distribution_strategy={strategy}")
    _check_distillation(task.distillation, task.sandwich)
    _check_regularisation(task.regularisation, task.sandwich)
    _check_steps(trainer, task.evaluation)
    optimisation.check(trainer)
    _check_data(task)


def validate_trained(task: BigNASConfig) -> None:
    """Checks what a trained run is loaded and searched by; the files it names may be gone.

    Raises:
      UsageError: names the field, its value and what is allowed.
    """
    require_one_of("task.model.execution", task.model.execution, EXECUTIONS)
    selection_config.validate(task.selection)
    data_config.validate(task.train_data)


def _check_data(task: BigNASConfig) -> None:
    seed, at_once = task.seed, task.images_at_once
    require(0 <= seed < 2**32, "task.seed", seed, f"0 to {2**32 - 1}")  # Keras' limit
    require(at_once >= 0, "task.images_at_once", at_once, "0 (all) or more")
    data = task.train_data
    classes = data.num_classes
    require(
        classes > 1, "task.train_data.num_classes", classes, "2 or more: nothing else is learnt"
    )
    require(data.is_training, "task.train_data.is_training", data.is_training, "true")
    space = presets.get(task.model.search_space)
    if task.sandwich.alone:
        presets.child(space, task.sandwich.alone)
    data_config.check_fits(data, base_size=space.base_resolution)
    means = len(space.style.pixel_mean)
    if means not in (0, data.channels):
        raise errors.UsageError(
            f"task.train_data.channels is {data.channels}; the pixel_mean of {space.name!r} is of "
            f"{means} channels: set task.train_data.channels={means}"
        )
    if not (task.sandwich.same_patch or data.crop != "none" or data.flip or data.autoaugment):
        raise errors.UsageError(
            "task.sandwich.same_patch is False, but all patches of an image are alike; set "
            "crop, flip or autoaugment of task.train_data"
        )


def _check_runtime(runtime: cfg.RuntimeConfig, execution: str) -> None:
    require_one_of("runtime.distribution_strategy", runtime.distribution_strategy, STRATEGIES)
    require(runtime.num_gpus >= 0, "runtime.num_gpus", runtime.num_gpus, "0 or more")
    if runtime.mixed_precision_dtype:
        require_one_of(
            "runtime.mixed_precision_dtype", runtime.mixed_precision_dtype, COMPUTE_TYPES
        )
    if runtime.distribution_strategy == "tpu" and execution == "slice":
        raise errors.UsageError(
            "task.model.execution=slice does not run on a TPU, whose compiler needs fixed shapes; "
            "set execution=auto or mask"
        )
    if runtime.enable_xla and execution != "mask":
        raise errors.UsageError(
            "runtime.enable_xla would compile slices again for every child; set "
            "task.model.execution=mask or runtime.enable_xla=false"
        )
    if runtime.enable_xla and not runtime.num_gpus:
        raise errors.UsageError(
            "runtime.enable_xla compiles for the GPUs that runtime.num_gpus names, which is 0; set "
            "it, or runtime.enable_xla=false (what runs on a TPU is compiled anyway)"
        )


def _check_steps(trainer: cfg.TrainerConfig, evaluation: EvaluationConfig) -> None:
    intervals = ["checkpoint_interval", "summary_interval"]
    if evaluation.children:
        intervals.append("validation_interval")
    for name in ("train_steps", "steps_per_loop", "max_to_keep", *intervals):
        value = getattr(trainer, name)
        fits = plain.is_whole(value, 1, _MOST_STEPS)
        require(fits, f"trainer.{name}", value, f"a whole number from 1 to {_MOST_STEPS}")
    for name in intervals:
        if getattr(trainer, name) % trainer.steps_per_loop:
            raise errors.UsageError(
                f"trainer.{name} is {getattr(trainer, name)}; checkpoints, summaries and "
                "evaluations come at the end of a loop, so it must be a multiple of "
                f"steps_per_loop ({trainer.steps_per_loop})"
            )
    if trainer.train_tf_while_loop and not trainer.train_tf_function:
        raise errors.UsageError(
            "trainer.train_tf_while_loop needs trainer.train_tf_function; set both to false to run "
            "without a graph"
        )
    if trainer.allow_tpu_summary and not trainer.train_tf_while_loop:
        raise errors.UsageError(
            "trainer.allow_tpu_summary needs trainer.train_tf_while_loop; set both, or neither"
        )
    subdir = trainer.validation_summary_subdir
    require(bool(subdir), "trainer.validation_summary_subdir", subdir, "the name of a folder")
    bound = trainer.loss_upper_bound
    require(bound > 0.0, "trainer.loss_upper_bound", bound, "a number above 0")
    for child in evaluation.children:
        if not isinstance(child, str):
            raise errors.UsageError(
                f"task.evaluation.children has {errors.shown(child)}; it takes 'smallest', "
                "'biggest', published children and JSON files"
            )
    images = evaluation.images
    require(images >= 0, "task.evaluation.images", images, "0 (all) or more")


def _check_sandwich(config: SandwichConfig) -> None:
    fits = 0 <= config.num_random <= _MOST_RANDOM
    require(fits, "task.sandwich.num_random", config.num_random, f"0 to {_MOST_RANDOM}")
    if not config.num_children:
        raise errors.UsageError("task.sandwich trains no child; set num_random to 1 or more")
    require_one_of("task.sandwich.resolutions", config.resolutions, RESOLUTIONS)


def check_branches(task: BigNASConfig, strategy: str) -> None:
    """Refuses a branch for each resolution, as masks make, under strategies of several devices.

    Args:
      task: of the run.
      strategy: whose replicas cannot reduce in a branch, as messages name it.

    Raises:
      UsageError: the task makes branches.
    """
    sandwich = task.sandwich
    free = sandwich.resolutions == "any" and sandwich.num_random and not sandwich.alone
    if free and task.model.execution == "mask":
        raise errors.UsageError(
            f"task.model.execution=mask with task.sandwich.resolutions=any does not run under "
            f"{strategy}; set execution=slice or resolutions=paired"
        )


def _check_distillation(config: DistillationConfig, sandwich: SandwichConfig) -> None:
    where = "task.distillation"
    require_one_of(f"{where}.divergence", config.divergence, DIVERGENCES)
    require(0.0 <= config.weight <= 1.0, f"{where}.weight", config.weight, "0 to 1")
    require(config.ramp_steps >= 0, f"{where}.ramp_steps", config.ramp_steps, "0 or more")
    alphas = config.alpha_min, config.alpha_max
    if not (all(map(math.isfinite, alphas)) and alphas[0] < alphas[1] and all(alphas)):
        raise errors.UsageError(
            f"{where}.alpha_min and alpha_max are {alphas[0]} and {alphas[1]}; the first is the "
            "lower, and neither is 0 or infinite"
        )
    require(config.clip >= 1.0, f"{where}.clip", config.clip, "1 or more")
    if config.weight and not (sandwich.biggest or sandwich.alone or config.teacher):
        raise errors.UsageError(
            f"{where}.weight is {config.weight}, but there is no teacher; set "
            "sandwich.biggest=true, distillation.weight=0 or distillation.teacher"
        )
    if config.teacher and not config.weight:
        raise errors.UsageError(
            f"{where}.weight is 0, so no child learns from {where}.teacher "
            f"{errors.shown(config.teacher)}; raise the weight or name no teacher"
        )


def _check_regularisation(config: RegularisationConfig, sandwich: SandwichConfig) -> None:
    where, decay = "task.regularisation", config.weight_decay
    for name in ("dropout_rate", "label_smoothing"):
        value = getattr(config, name)
        require(0.0 <= value < 1.0, f"{where}.{name}", value, "0 or more, and less than 1")
    require(0.0 <= decay < math.inf, f"{where}.weight_decay", decay, "0 or more")
    trained = sandwich.biggest or sandwich.alone
    if config.children == "biggest" and not trained and (decay or config.dropout_rate):
        raise errors.UsageError(
            f"{where} regularises the biggest child, which task.sandwich.biggest=false does not "
            f"train; set {where}.weight_decay and dropout_rate to 0, as they have been so far, or "
            f"{where}.children=all"
        )
