"""Quiet TensorFlow, two logical CPU devices, fixed seeds and one shared run for every test."""

from __future__ import annotations

import os
import random
import sys

import numpy as np
import pytest

from tests.shared_runs import family_dir, forks, judged, run_dir, search_dir, shared, version_dir

__all__ = ["family_dir", "forks", "judged", "run_dir", "search_dir", "shared", "version_dir"]

# TensorFlow reads all three when it is first imported, so they are set before any test module is.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")  # as tools.cli does: a quicker import

SEED = 2020


@pytest.fixture(scope="session", autouse=True)
def _two_cpus() -> None:
    """Gives TensorFlow the devices 'CPU:0' and 'CPU:1' before anything has used it.

    Collection has imported every test module by now: where none of them imports TensorFlow,
    it is left alone, and tests of plain NumPy code start at once. No test module may create
    a tensor at import, because the devices cannot be set after that.
    """
    if "tensorflow" not in sys.modules:
        return
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    halves = [tf.config.LogicalDeviceConfiguration() for _ in range(2)]
    tf.config.set_logical_device_configuration(cpu, halves)


@pytest.fixture(autouse=True)
def _seeds() -> None:
    """Every test starts from the same random state, whichever tests ran before it."""
    random.seed(SEED)
    np.random.seed(SEED)
    if "tf_keras" in sys.modules:
        sys.modules["tf_keras"].utils.set_random_seed(SEED)
    elif "tensorflow" in sys.modules:
        sys.modules["tensorflow"].random.set_seed(SEED)
