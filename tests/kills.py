"""Python in its own process, killed in the window between two renames."""

from __future__ import annotations

import pathlib
import signal
import subprocess
import sys

_ROOT = pathlib.Path(__file__).resolve().parents[1]
# Python reports each rename to its audit hooks before it happens.
_HOOK = """
import os, pathlib, signal, sys
left = int(sys.argv[1])
def count(event, arguments):
    global left
    if event == "os.rename":
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(count)
folder = pathlib.Path(sys.argv[2])
folder.mkdir(exist_ok=True)
"""
# Publishes a version of each model of `names`, as an export does.
PUBLISH = """
from bignas_tf import scratch
from bignas_tf.exports import publishing
with scratch.folder(folder) as staged:
    for name in {names}:
        (staged / name).mkdir()
        (staged / name / "child.json").write_text("{{}}")
        (staged / name / "saved_model.pb").write_bytes(b"")
    publishing.publish_versions(staged)
"""


def before_rename(number: int, statements: str, folder: pathlib.Path) -> bool:
    """Runs statements, and kills them just before their rename of this number, from 0.

    Args:
      number: of the rename.
      statements: they find the folder as `folder`.
      folder: any; made if missing.

    Returns:
      Whether they were killed: not if they have fewer renames.
    """
    command = [sys.executable, "-c", _HOOK + statements, str(number), str(folder)]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode != 0
