"""How the tools of this project are started: for messages, records and processes.

A wheel carries tools/ as `bignas_tf.tools` and installs the command `bignas`; a checkout has
the package `tools` and needs no installation.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import sys

FILE = "command.json"  # in the folder of a run: how it was started, and with which versions
# The sub-commands, in the order of a run.
NAMES = (
    "quickstart",
    "demo",
    "prepare_data",
    "check_images",
    "train",
    "judge",
    "search",
    "evaluate",
    "report",
    "plain_keras",
    "export",
    "export_cascade",
    "predict",
    "serve",
    "load_test",
    "convert",
    "verify_export",
    "finetune",
    "garden",
    "import_supernet",
    "space",
    "cost",
    "latency_table",
    "benchmark",
    "tpu_compile",
)
# Those whose module has another name.
_MODULES = {"serve": "serving.start", "load_test": "serving.load_test"}
_BY_MODULE = {_MODULES.get(name, name): name for name in NAMES}
_BY_NAME = "BIGNAS_BY_NAME"  # an environment variable that a checkout's .venv/bin/bignas sets
# Not within a path.
_MENTION = re.compile(rf"(?:python -m )?(?<![\w./-])tools\.({'|'.join(_BY_MODULE)})(?!\w|[./-]\w)")


def module(name: str) -> str:
    """Returns the module of a sub-command, relative to the package of the tools."""
    return _MODULES.get(name, name)


def spelling(name: str) -> str:
    """Returns what a user types to start a tool: `bignas NAME`, or `python -m tools.NAME`.

    Args:
      name: of the sub-command, such as "train" or "serve".
    """
    return f"bignas {name}" if _by_name() else f"python -m tools.{module(name)}"


def _by_name() -> bool:
    return _installed() or _BY_NAME in os.environ


def process(name: str) -> list[str]:
    """Returns the arguments that start a tool in its own process."""
    package = "bignas_tf.tools" if _installed() else "tools"
    # -P: a wheel's modules, or those of the checkout on the path, and not what a working directory
    # has under the same names.
    safe = ["-P"] if _installed() or sys.flags.safe_path else []
    return [sys.executable, *safe, "-m", f"{package}.{module(name)}"]


def extra(name: str) -> str:
    """Returns what installs optional packages, such as "runtimes", in a checkout."""
    return f"pip install '.[{name}]'" if _installed() else f"make env-{name}"


def translated(text: str) -> str:
    """Returns `text` with each `tools.NAME` as a user of this installation would type it."""
    if not _by_name():
        return text
    return _MENTION.sub(lambda match: spelling(_BY_MODULE[match[1]]), text)


@functools.cache
def _installed() -> bool:
    return importlib.util.find_spec("bignas_tf.tools") is not None
