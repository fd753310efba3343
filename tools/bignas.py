"""One command for all tools: `bignas train …` runs tools/train.py.

The wheel installs it; in a checkout `python -m tools.bignas` is the same.
"""

from __future__ import annotations

import ast
import importlib.util
import pathlib
import runpy
import sys

import bignas_tf
from bignas_tf import commands, errors


def main() -> None:
    """Hands the rest of the command line to a sub-command."""
    name, *arguments = sys.argv[1:] or ["--help"]
    if name in ("--help", "-h", "help"):
        _print(_help())
    elif name == "--version":
        _print(f"bignas {bignas_tf.__version__}")
    elif name in commands.NAMES:
        sys.argv[1:] = arguments
        # As `python -m` does it: flags, help and processes started later see the tool as __main__.
        runpy.run_module(_module(name), run_name="__main__", alter_sys=True)
    else:
        print(_unknown(name), file=sys.stderr)
        sys.exit(errors.UsageError.exit_code)


def _print(text: str) -> None:
    """Prints to stdout, which may be closed or full."""
    from .cli import reporting  # loads absl, which sub-commands load themselves

    with reporting():
        print(text, flush=True)


def _module(name: str) -> str:
    return f"{__package__}.{commands.module(name)}"


def _help() -> str:
    width = max(map(len, commands.NAMES))
    lines = [f"  {name:{width}}  {_summary(name)}" for name in commands.NAMES]
    return "\n".join(
        [
            "BigNAS on TensorFlow: one supernet, a family of children for every budget.",
            "",
            "usage: bignas SUB_COMMAND [--FLAG=VALUE …]",
            *lines,
            "",
            "bignas SUB_COMMAND --help lists the flags; bignas --version names the version.",
        ]
    )


def _summary(name: str) -> str:
    """Returns the first line of the tool's docstring; nothing is imported, which takes time."""
    spec = importlib.util.find_spec(_module(name))
    assert spec is not None
    assert spec.origin is not None
    source = pathlib.Path(spec.origin).read_text(encoding="utf-8")
    summary = (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]
    return commands.translated(summary)


def _unknown(name: str) -> str:
    hint = errors.did_you_mean(name, commands.NAMES)
    return f"error: {errors.shown(name)} is no sub-command; bignas --help lists all{hint}"


if __name__ == "__main__":
    main()
