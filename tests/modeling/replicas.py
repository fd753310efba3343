"""Strategies of one and of two replicas; a test process may have only one of two."""

from __future__ import annotations

import functools

import tensorflow as tf


@functools.cache
def two_cpus() -> tf.distribute.Strategy:
    """Two replicas on the devices that conftest made.

    Every strategy numbers its collective operations from 100, and TensorFlow remembers the
    shapes seen under a number: a second strategy in one process fails with "Shape mismatch in
    the collective instance".
    """
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


def one_cpu() -> tf.distribute.Strategy:
    """One replica of a strategy that could have more, as a worker of several has."""
    return tf.distribute.MirroredStrategy(["CPU:0"])
