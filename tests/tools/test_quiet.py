"""The line of TensorFlow's that is dropped where there is no NVIDIA driver, and no other."""

from __future__ import annotations

import ctypes
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

def main(argv):
    import tensorflow as tf

    assert tf.constant(1.0) + 1.0 == 2.0
    assert tf.config.list_physical_devices("CPU")
    os.write(2, b"an error\\n")

cli.launch(main)
"""


def _has_driver() -> bool:
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


def _run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=300
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
@pytest.mark.skipif(_has_driver(), reason="a CUDA driver is installed: nothing is dropped")
def test_tensorflow_starts_with_no_line_of_its_own() -> None:
    done = _run(_TOOL)
    assert (done.returncode, done.stderr) == (0, "an error\n")
