"""Quiet TensorFlow, two logical CPU devices, fixed seeds and one shared run for every test."""

from __future__ import annotations

import os
import pathlib
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
# The files that take longest, from the longest on. They start first: a worker that started one of
# them last would work alone at the end. The second makes the shared runs while the first, which
# needs none, keeps another worker busy.
LONGEST = (
    "api/test_notebook.py",
    "training/test_distribution.py",
    "tools/test_benchmark.py",
    "exports/test_runtimes.py",
    "experiments/test_claims.py",
    "exports/test_cascade.py",
    "tools/test_finetune.py",
    "tools/test_quickstart.py",
    "modeling/test_executions.py",
    "tools/test_search.py",
    "test_tutorial.py",
    "training/test_learning_curves.py",
    "training/test_resume.py",
    "tools/test_report.py",
    "garden/test_training.py",
    "tools/test_export_cascade.py",
    "tools/test_convert.py",
    "tools/test_other_images.py",
    "api/test_objectives.py",
    "modeling/test_replicas.py",
    "test_readme.py",
    "tools/test_latency_table.py",
    "exports/test_requests.py",
    "training/test_xla.py",
    "exports/test_saved_model.py",
    "training/test_accumulation.py",
    "training/test_averaging.py",
    "conversion/test_tflite.py",
    "test_package.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the longest files first; the others stay in order."""
    files = [pathlib.Path(__file__).parent / name for name in LONGEST]
    missing = [str(file) for file in files if not file.exists()]
    if missing:
        raise pytest.UsageError(f"LONGEST names files that do not exist: {', '.join(missing)}")
    places = {file: place for place, file in enumerate(files)}
    items.sort(key=lambda item: places.get(item.path, len(files)))


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
