"""How long a user waits for --help, and for importing the package."""

from __future__ import annotations

import functools
import pathlib
import subprocess
import sys

from bignas_tf import commands

from . import harness

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_HELP_S, _IMPORT_S = 2.0, 0.3


def measure(settings: harness.Settings) -> list[harness.Row]:
    """One row a tool, and one for the import."""
    lines = {"import bignas_tf": [sys.executable, "-c", "import bignas_tf"]}
    for name in commands.NAMES:
        lines[f"tools.{commands.module(name)} --help"] = [*commands.process(name), "--help"]
    runs = [functools.partial(_run, line) for line in lines.values()]
    samples = harness.alternate(runs, settings.repeats)
    return [
        harness.Row(
            name,
            "s",
            [seconds],
            bound=_IMPORT_S if name.startswith("import") else _HELP_S,
            note="whole processes, the interpreter's own start included",
        )
        for name, seconds in zip(lines, samples, strict=True)
    ]


def _run(line: list[str]) -> None:
    subprocess.run(line, cwd=_ROOT, check=True, stdout=subprocess.DEVNULL)
