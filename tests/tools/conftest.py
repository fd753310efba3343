"""A run for tests of the tools to break."""

from __future__ import annotations

import pathlib
import shutil

import pytest
import tensorflow as tf

from tests.selection.digits import STEPS


@pytest.fixture
def copy_dir(run_dir: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    """The run without its searches, exports and judgement, for a test to break."""
    ignored = shutil.ignore_patterns("search", "export", "judgement.json", ".*")
    copy = shutil.copytree(run_dir, tmp_path / "copy", ignore=ignored)
    # The checkpoint file names its checkpoint by a path below the folder it is in.
    assert tf.train.latest_checkpoint(str(copy)) == str(copy / f"ckpt-{STEPS}")
    return copy
