"""Which tests take longer alone than among all: those that need what a session makes once.

  python -m experiments.mutation.sharing FILE

writes the names of the fixtures of each test to a JSON file.
"""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

import pytest

# What each takes to make, in seconds on two cores.
_SECONDS = {"run_dir": 20.0, "search_dir": 40.0, "family_dir": 60.0, "version_dir": 30.0}
_SECONDS |= {"judged": 30.0, "forks": 8.0}


def extra_seconds(file: pathlib.Path) -> dict[str, float]:
    """Seconds that each test takes more when it runs first.

    Args:
      file: of the fixtures; made if it is missing.
    """
    if not file.exists():
        command = [sys.executable, "-m", __name__, str(file)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    fixtures = json.loads(file.read_text())
    return {
        test: sum(_SECONDS.get(name, 0.0) for name in names) for test, names in fixtures.items()
    }


class _Collected:
    """Pytest calls this plug-in when it knows all tests."""

    def __init__(self) -> None:
        self.fixtures: dict[str, list[str]] = {}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            assert isinstance(item, pytest.Function)
            self.fixtures[item.nodeid] = list(item.fixturenames)


if __name__ == "__main__":
    collected = _Collected()
    code = pytest.main(["--collect-only", "-qq"], plugins=[collected])
    if code == pytest.ExitCode.OK:
        pathlib.Path(sys.argv[1]).write_text(json.dumps(collected.fixtures))
    sys.exit(code)
