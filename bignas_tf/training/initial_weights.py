"""Starts a supernet from the weights of another run (`task.init_checkpoint`)."""

from __future__ import annotations

import tf_keras

from bignas_tf import errors
from bignas_tf.modeling.supernet import Supernet
from bignas_tf.search_space.space import SearchSpace
from bignas_tf.training import averaging, checkpoints
from bignas_tf.training.checkpoints import Run
from bignas_tf.training.configs import BigNASConfig


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
    if run.space.fingerprint() != space.fingerprint():
        raise errors.UsageError(
            f"task.init_checkpoint: {folder} was trained in another search space "
            f"({run.space.name!r}) than {space.name!r}; set task.model.search_space to "
            f"{folder}/{checkpoints.SPACE_FILE}, or start from another run"
        )
    channels = config.train_data.channels
    if run.supernet.input_channels != channels:
        raise errors.UsageError(
            f"task.init_checkpoint: {folder} was trained with "
            f"task.train_data.channels={run.supernet.input_channels}; here it is {channels}: "
            "make them equal, or start from another run"
        )
    return run


def assign(run: Run, supernet: Supernet, optimizer: tf_keras.optimizers.Optimizer) -> None:
    """Gives a supernet the run's weights, all but a classifier for another number of classes.

    The optimiser starts fresh. Averages of the weights, if it keeps them, start from these.
    """
    kept = set()
    if run.supernet.num_classes != supernet.num_classes:
        kept = {variable.ref() for variable in supernet.classifier.trainable_variables}
    pairs = zip(supernet.trainable_variables, run.supernet.trainable_variables, strict=True)
    for ours, theirs in pairs:
        if ours.ref() not in kept:
            ours.assign(theirs.numpy())
    if isinstance(optimizer, averaging.Average):
        averaging.start(supernet, optimizer)


def summary(run: Run, config: BigNASConfig) -> str:
    """Returns a line that says what `assign` takes over for a run of `config`, and what not."""
    kind = "averaged weights" if run.config.trainer.optimizer_config.ema else "weights"
    there, here = run.supernet.num_classes, config.train_data.num_classes
    classifier = f"with the classifier, as both runs have {here} classes"
    if there != here:
        classifier = f"except the classifier, which is new: {here} classes here, {there} there"
    return (
        f"starting from the {kind} of {run.checkpoint} (step {run.step}), {classifier}; the "
        "optimiser and the learning rate start from the beginning"
    )
