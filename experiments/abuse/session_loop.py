"""A C++ session that answers one request after another; `ways.InSession` starts it.

  python -P session_loop.py FOLDER_OF_SESSION_PY EXPORT_DIR

Reads pickles of (feeds, fetches) from stdin, and writes for each a pickle of the answer, or of the
error as text, and of the process' memory in megabytes. Neither this project nor Python's
TensorFlow is imported.
"""

from __future__ import annotations

import pathlib
import pickle
import resource
import sys


def main() -> None:
    """See the module."""
    sys.path.insert(0, sys.argv[1])
    from session import Session

    session = Session(sys.argv[2])
    while True:
        try:
            feeds, fetches = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            answer = session.run(feeds, fetches)
        except RuntimeError as error:
            answer = str(error)
        pickle.dump((answer, _resident_mb()), sys.stdout.buffer)
        sys.stdout.buffer.flush()


def _resident_mb() -> float:
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


if __name__ == "__main__":
    main()
