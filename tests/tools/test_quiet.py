"""What TensorFlow prints is dropped, but for its errors."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys

import pytest

from tests.tools.commands import ROOT

_DROPPED = """
import os
from tools import quiet

with quiet.dropped(b"cuInit"):
    os.write(2, b"before\\nE failed call to cuInit: 303\\n")
    os.write(2, b"after")
os.write(2, b"; later, of cuInit too\\n")
"""
_TOOL = """
import os
from tools import cli

def main():
    import tensorflow as tf
    from tensorflow.python.grappler import cluster

    cluster.Cluster()  # as the converters of exports do; Abseil logs two lines
    assert tf.constant(1.0) + 1.0 == 2.0
    assert tf.config.list_physical_devices("CPU")
    os.write(2, b"an error\\n")

cli.launch(main)
"""

_CHATTER = """
from absl import logging
from tools import cli

cli.launch(lambda: logging.info("loaded a data set"))
"""


def _has_driver() -> bool:
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


def _run(code: str, *flags: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *flags],
        cwd=ROOT,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_other_lines_are_passed_on() -> None:
    done = _run(_DROPPED)
    assert (done.returncode, done.stderr) == (0, "before\nafter; later, of cuInit too\n")


def test_other_lines_are_passed_on_when_an_exception_leaves() -> None:
    body = 'import os\nfrom tools import quiet\nwith quiet.dropped(b"x"):\n    '
    done = _run(f'{body}os.write(2, b"y\\n")\n    raise KeyError("a bug")')
    assert done.returncode == 1
    assert done.stderr.startswith("y\nTraceback")


@pytest.mark.slow
@pytest.mark.skipif(_has_driver(), reason="a CUDA driver is installed: its lines are kept")
def test_tensorflow_prints_no_line_of_its_own_unless_it_is_asked() -> None:
    done = _run(_TOOL)
    assert (done.returncode, done.stderr) == (0, "an error\n")
    assert "Starting new session" in _run(_TOOL, TF_CPP_MIN_LOG_LEVEL="0").stderr


def test_libraries_are_quiet_unless_they_are_asked() -> None:
    assert (done := _run(_CHATTER)).returncode == 0
    assert done.stderr == ""
    assert "loaded a data set" in _run(_CHATTER, "--verbosity=0").stderr
