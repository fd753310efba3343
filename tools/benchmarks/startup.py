"""How long a user waits for --help, and for importing the package."""

from __future__ import annotations

import functools
import pathlib
import subprocess
import sys

from . import harness

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_HELP_S, _IMPORT_S = 2.0, 0.3


def measure(settings: harness.Settings) -> list[harness.Row]:
    """One row a tool, and one for the import."""
    modules = (path.stem for path in sorted((_ROOT / "tools").glob("*.py")))
    tools = [name for name in modules if name not in ("__init__", "cli")]
    commands = {"import bignas_tf": ["-c", "import bignas_tf"]}
    commands |= {f"tools.{name} --help": ["-m", f"tools.{name}", "--help"] for name in tools}
    runs = [functools.partial(_python, arguments) for arguments in commands.values()]
    samples = harness.alternate(runs, settings.repeats)
    return [
        harness.Row(
            name,
            "s",
            [seconds],
            bound=_IMPORT_S if name.startswith("import") else _HELP_S,
            note="whole processes, the interpreter's own start included",
        )
        for name, seconds in zip(commands, samples, strict=True)
    ]


def _python(arguments: list[str]) -> None:
    subprocess.run([sys.executable, *arguments], cwd=_ROOT, check=True, stdout=subprocess.DEVNULL)
