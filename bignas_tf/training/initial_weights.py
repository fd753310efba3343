"""Starts a supernet from the weights of another run (`task.init_checkpoint`)."""

from __future__ import annotations

import dataclasses

import tensorflow as tf
import tf_keras

from bignas_tf import errors, run_folder, workers
from bignas_tf.data.config import DataConfig
from bignas_tf.modeling.elastic_model import ElasticModel
from bignas_tf.search_space import blocks
from bignas_tf.search_space.space import SearchSpace
from bignas_tf.training import averaging, checkpoints, class_names
from bignas_tf.training.checkpoints import Run
from bignas_tf.training.configs import BigNASConfig


@dataclasses.dataclass(frozen=True)
class Start:
    """What a supernet starts from.

    Attributes:
      run: whose weights it gets.
      other_classes: how the run's classes differ; then the classifier is not taken over. Empty if
        they do not.
    """

    run: Run
    other_classes: str


def start(config: BigNASConfig, space: SearchSpace, strategy: tf.distribute.Strategy) -> Start:
    """Loads what a run starts from; all of its workers must call this together.

    The chief compares the classes for all of them: another worker may not see the images of the
    other run, and would take over a classifier that the chief does not.

    Args:
      config: of the run that starts.
      space: its search space.
      strategy: its devices.

    Raises:
      UsageError: see `load`.
    """
    run = load(config, space)
    chief = workers.is_chief(strategy)
    other = _other_classes(run, config.train_data) if chief else ""
    return Start(run, workers.sharing(strategy)(other))


def load(config: BigNASConfig, space: SearchSpace) -> Run:
    """Loads the run that `config.init_checkpoint` names, and checks that its weights fit.

    Args:
      config: of the run that starts.
      space: its search space.

    Raises:
      UsageError: the folder holds no run, its checkpoint is damaged, or it was trained in
        another search space or on images with other channels.
    """
    folder = config.init_checkpoint
    try:
        run = checkpoints.load_run(folder)
    except errors.UsageError as error:
        raise errors.UsageError(f"task.init_checkpoint: {error}") from error
    ours, theirs = config.model.network, run.config.task.model.network
    if ours != theirs:
        raise errors.UsageError(
            f"task.init_checkpoint: {folder} was trained with task.model.network={theirs!r}; here "
            f"it is {ours!r}: make them equal, or start from another run"
        )
    different = blocks.differences(run.space, space)
    if different:
        raise errors.UsageError(
            f"task.init_checkpoint: {folder} was trained in another search space "
            f"({run.space.name!r}) than {space.name!r}: {different[0]}; set "
            f"task.model.search_space to {folder}/{run_folder.SPACE_FILE} or to a space whose "
            "biggest network has the same weights, or start from another run"
        )
    channels = config.train_data.channels
    if run.supernet.input_channels != channels:
        raise errors.UsageError(
            f"task.init_checkpoint: {folder} was trained with "
            f"task.train_data.channels={run.supernet.input_channels}; here it is {channels}: "
            "make them equal, or start from another run"
        )
    return run


def assign(start: Start, supernet: ElasticModel, optimizer: tf_keras.optimizers.Optimizer) -> None:
    """Gives a supernet the weights it starts from, all but a classifier for other classes.

    The optimiser starts fresh. Averages of the weights, if it keeps them, start from these.

    Args:
      start: what it starts from.
      supernet: gets the weights.
      optimizer: of the supernet.
    """
    kept = set()
    if start.other_classes:
        kept = {variable.ref() for variable in supernet.classifier.trainable_variables}
    pairs = zip(supernet.trainable_variables, start.run.supernet.trainable_variables, strict=True)
    for ours, theirs in pairs:
        if ours.ref() not in kept:
            ours.assign(theirs.numpy())
    if isinstance(optimizer, averaging.Average):
        averaging.start(supernet, optimizer)


def summary(start: Start) -> str:
    """Returns a line that says what `assign` takes over, and what not."""
    run = start.run
    kind = "averaged weights" if run.config.trainer.optimizer_config.ema else "weights"
    classifier = f"with the classifier, as both runs have {run.supernet.num_classes} classes"
    if start.other_classes:
        classifier = f"except the classifier, which is new: {start.other_classes}"
    return (
        f"starting from the {kind} of {run.checkpoint} (step {run.step}), {classifier}; the "
        "optimiser and the learning rate start from the beginning"
    )


def _other_classes(run: Run, data: DataConfig) -> str:
    """How the classes of the run differ from those of `data`; empty if they do not.

    A classifier of as many other classes begins with a loss far above that of guessing.
    """
    there, here = run.supernet.num_classes, data.num_classes
    if there != here:
        return f"{here} classes here, {there} there"
    return class_names.difference(class_names.of(data), class_names.of(run.config.task.train_data))
