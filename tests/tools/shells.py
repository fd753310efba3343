"""Bash scripts as a user runs them, and small programs that stand in for what they call."""

from __future__ import annotations

import os
import pathlib
import subprocess


def bash(folder: pathlib.Path, *command: str, **extra: str) -> subprocess.CompletedProcess[str]:
    """Runs bash with these arguments in `folder`; `extra` is added to the environment."""
    return subprocess.run(
        ["bash", *command], cwd=folder, capture_output=True, text=True, timeout=30,
        env={**os.environ, **extra},
    )  # fmt: skip


def program(path: pathlib.Path, text: str) -> None:
    """Writes an executable file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def path_with(folder: pathlib.Path) -> str:
    """PATH with the programs of `folder` before all others."""
    return f"{folder}{os.pathsep}{os.environ['PATH']}"
