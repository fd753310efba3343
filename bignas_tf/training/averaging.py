"""An average of the weights over training (ours): evaluated, searched and exported in their place.

`trainer.optimizer_config.ema`, the Model Garden's, asks for one. The optimiser keeps the averages
beside the weights that it trains, and both are saved.
"""

from __future__ import annotations

import tensorflow as tf
import tf_keras
from official.modeling import optimization

from bignas_tf.modeling.elastic_model import ElasticModel

Average = optimization.ExponentialMovingAverage
# Where a checkpoint has the step count of an optimiser that averages.
SAVED_AS = "optimizer/ema_base_optimizer/iter"


def averaged(optimizer: tf_keras.optimizers.Optimizer) -> tf_keras.optimizers.Optimizer:
    """The optimiser that trains the weights; itself where nothing averages them."""
    return optimizer._optimizer if isinstance(optimizer, Average) else optimizer


def copy_weights(
    source: tf_keras.Model, optimizer: tf_keras.optimizers.Optimizer, target: tf_keras.Model
) -> None:
    """Copies the averages of the trained weights to `target`; `restore` is for a saved run."""
    for ours, theirs in zip(target.trainable_variables, source.trainable_variables, strict=True):
        ours.assign(optimizer.get_slot(theirs, "average"))


def start(model: tf_keras.Model, optimizer: tf_keras.optimizers.Optimizer) -> None:
    """Sets the averages to the weights, so that they do not start from zeros."""
    for weight in model.trainable_variables:
        optimizer.get_slot(weight, "average").assign(weight.read_value())


def restore(supernet: ElasticModel, checkpoint: str) -> None:
    """Reads the averages of a checkpoint as the weights of a supernet.

    Raises:
      AssertionError, tf.errors.OpError, ValueError: the checkpoint is damaged or has none.
    """
    # Only the averages are read: which optimiser trained the weights does not matter.
    optimizer = Average(tf_keras.optimizers.legacy.SGD())
    optimizer.shadow_copy(supernet)
    status = tf.train.Checkpoint(model=supernet, optimizer=optimizer).read(checkpoint)
    status.assert_existing_objects_matched().expect_partial()
    copy_weights(supernet, optimizer, supernet)
