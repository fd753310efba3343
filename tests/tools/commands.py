"""Runs tools as a user does, in processes of their own."""

from __future__ import annotations

import pathlib
import subprocess
import sys
from collections.abc import Mapping

from tests.tools.forks import Forks

BUDGETS = (0.03, 0.08)  # millions of multiply-adds, of the search in conftest.py
# The quickstart runs eight tools, one after the other.
_LIMIT_S = 900
ROOT = pathlib.Path(__file__).resolve().parents[2]


def arguments(flags: Mapping[str, object]) -> list[str]:
    """Flags as they are typed."""
    return [f"--{flag}={value}" for flag, value in flags.items()]


def command(name: str, *files: str, **flags: object) -> list[str]:
    """The command line of a tool."""
    return [sys.executable, "-m", f"tools.{name}", *arguments(flags), *files]


def succeed(name: str, *files: str, **flags: object) -> str:
    """Runs a tool that must exit with 0; returns what it prints."""
    done = subprocess.run(
        command(name, *files, **flags), cwd=ROOT, capture_output=True, text=True, timeout=_LIMIT_S
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def refuse(forks: Forks, name: str, *files: str, **flags: object) -> str:
    """Runs a tool that must exit with 2 and one line; returns that line."""
    done = forks.run(f"tools.{name}", *arguments(flags), *files)
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert done.returncode == 2, done.stderr
    assert len(lines) == 1
    assert done.stderr.splitlines()[-1] == lines[0]
    assert "Traceback" not in done.stderr
    assert "error" not in done.stdout
    return lines[0]
