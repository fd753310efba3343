"""Runs tools as a user does, in their own processes or in forked ones."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping

from tests.forks import Forks

BUDGETS = (0.02, 0.08)  # millions of multiply-adds, of the search in shared_runs.py
ROOT = pathlib.Path(__file__).resolve().parents[2]


def arguments(flags: Mapping[str, object]) -> list[str]:
    """Flags as they are typed."""
    return [f"--{flag}={value}" for flag, value in flags.items()]


def run(forks: Forks, name: str, *files: str, **flags: object) -> str:
    """Runs a tool that must exit with 0; returns what it prints."""
    done = forks.run(f"tools.{name}", *arguments(flags), *files)
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
