"""Imports go downwards only; WORKSPACE.md has the map."""

from __future__ import annotations

import ast
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
PACKAGE = "bignas_tf"

# What each room may import of the others. `errors`, `files` and the rest of the modules that
# lie directly in the package belong to no room: every room may import them.
ALLOWED: dict[str, frozenset[str]] = {
    "search_space": frozenset(),
    "layers": frozenset({"search_space"}),
    "modeling": frozenset({"search_space", "layers"}),
    "data": frozenset(),
    "training": frozenset({"search_space", "layers", "modeling", "data", "selection.config"}),
    "selection": frozenset({"search_space", "layers", "modeling", "data"}),
    "exports": frozenset({"search_space", "layers", "modeling", "data.decode", "data.resize"}),
    "conversion": frozenset({"modeling", "data.resize", "exports"}),
    "latency": frozenset(
        {"search_space", "modeling", "data.decode", "data.resize", "exports", "conversion"}
    ),
    "reports": frozenset(
        {"search_space", "selection", "exports"} | {"training.checkpoints", "training.curve_file"}
    ),
    "garden": frozenset({"exports"}),
    "importing": frozenset({"search_space", "layers", "modeling"}),
    "api": frozenset(
        {"search_space", "modeling", "data", "training", "selection", "importing", "garden"}
        | {"exports", "conversion", "latency", "reports"}
    ),
}

# Offers the names of the rooms, and imports each when it is used.
FRONT_DOOR = f"{PACKAGE}.__init__"
# In a checkout and in the wheel.
TOOLS = ("tools", f"{PACKAGE}.tools")
# Tools call what `bignas_tf` offers to everybody, and nothing of a room. These measure or compile
# the parts of it, or ask a server, which needs no more than an export.
INSIDE = ("tools.benchmarks", "tools.tpu", "tools.tpu_compile", "tools.serving")
TENSORFLOW = frozenset({"tensorflow", "tf_keras", "keras", "official", "orbit"})


def _imports(source: str, package: str) -> list[str]:
    """Every name that `source` imports, in full: 'a.b' for `from a import b`, relative resolved."""
    names: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")
            anchor = parents[: len(parents) + 1 - node.level] if node.level else []
            base = ".".join(anchor + ([node.module] if node.module else []))
            names += [f"{base}.{alias.name}" for alias in node.names]
    return names


def _within(name: str, parent: str) -> bool:
    return name == parent or name.startswith(f"{parent}.")


def _room(module: str) -> str | None:
    """'layers' of 'bignas_tf.layers.conv'; None for anything outside the rooms."""
    parts = module.split(".")
    return parts[1] if parts[0] == PACKAGE and len(parts) > 1 and parts[1] in ALLOWED else None


def _violations(module: str, source: str) -> list[str]:
    """The imports of `source`, the text of `module`, that break a rule."""
    room = _room(module)
    found = []
    for name in _imports(source, module.rpartition(".")[0]):
        target = _room(name)
        inside = None if target is None else name.removeprefix(f"{PACKAGE}.")
        if _within(module, PACKAGE) and any(_within(name, tools) for tools in TOOLS):
            found.append(f"{module} imports {name}: nothing imports tools")
        if not _within(module, "tools") and _within(name, "absl.flags"):
            found.append(f"{module} imports {name}: only tools read flags")
        if (
            _within(module, "tools")
            and not any(_within(module, each) for each in INSIDE)
            and target
        ):
            found.append(f"{module} imports {name}: tools use the names of {PACKAGE}")
        if room == "search_space" and name.split(".")[0] in TENSORFLOW:
            found.append(f"{module} imports {name}: search_space is plain NumPy")
        if inside is None or target == room:
            continue
        if room is None and _within(module, PACKAGE) and module != FRONT_DOOR:
            found.append(f"{module} imports {name}: what every room may use imports no room")
        elif room is not None and not any(_within(inside, ok) for ok in ALLOWED[room]):
            found.append(f"{module} imports {name}: {room} may import {sorted(ALLOWED[room])}")
    return found


def _modules(folder: str) -> list[pathlib.Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def _module_name(path: pathlib.Path) -> str:
    # A package's own file keeps its '__init__', so that its relative imports resolve.
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def test_every_room_has_a_rule() -> None:
    rooms = {path.parent.name for path in (ROOT / PACKAGE).glob("*/__init__.py")}
    assert rooms == set(ALLOWED)


@pytest.mark.parametrize(
    "path", _modules(PACKAGE) + _modules("tools"), ids=lambda path: str(path.relative_to(ROOT))
)
def test_imports_go_downwards_only(path: pathlib.Path) -> None:
    assert _violations(_module_name(path), path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", _modules("tools"), ids=lambda path: str(path.relative_to(ROOT)))
def test_tools_import_one_another_by_relative_imports(path: pathlib.Path) -> None:
    # In the wheel they are bignas_tf.tools, and there is no package `tools`.
    text = path.read_text(encoding="utf-8")
    assert not re.findall(r"^\s*(?:from|import) tools\b.*", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("bignas_tf.search_space.cost", "import tensorflow as tf"),
        ("bignas_tf.search_space.cost", "def f():\n  import tf_keras"),
        ("bignas_tf.search_space.cost", "from bignas_tf import layers"),
        ("bignas_tf.layers.conv", "from bignas_tf.modeling import child"),
        ("bignas_tf.layers.conv", "from ..modeling.child import build_child"),
        ("bignas_tf.layers.conv", "from absl import flags"),
        ("bignas_tf.data.inputs", "import bignas_tf.modeling.child"),
        ("bignas_tf.modeling.child", "from bignas_tf.data import resize"),
        ("bignas_tf.training.task", "from bignas_tf import selection"),
        ("bignas_tf.training.task", "from bignas_tf.selection import config, runner"),
        ("bignas_tf.selection.evaluator", "from bignas_tf.training import task"),
        ("bignas_tf.exports.saved_model", "from bignas_tf.data import inputs"),
        ("bignas_tf.exports.saved_model", "from tools import cli"),
        ("bignas_tf.exports.saved_model", "from bignas_tf.tools import cli"),
        ("bignas_tf.selection.runner", "from bignas_tf.reports import page"),
        ("bignas_tf.reports.page", "from bignas_tf.training import trainer"),
        ("bignas_tf.reports.page", "from absl import flags"),
        ("bignas_tf.files", "from bignas_tf.data import resize"),
        ("tools.cost", "def f():\n  from bignas_tf.training import checkpoints"),
        ("tools.report", "from bignas_tf.exports import publishing"),
        ("tools.tpu_compiled", "from bignas_tf.training import parsing"),
    ],
)
def test_a_forbidden_import_is_seen(module: str, source: str) -> None:
    assert len(_violations(module, source)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("bignas_tf.layers.conv", "from bignas_tf.search_space import architecture"),
        ("bignas_tf.layers.conv", "from . import masks"),
        ("bignas_tf.training.task", "from bignas_tf.data import inputs, resize"),
        ("bignas_tf.training.configs", "from bignas_tf.selection.config import SelectionConfig"),
        ("bignas_tf.exports.saved_model", "from bignas_tf.data import resize"),
        ("bignas_tf.exports.saved_model", "from bignas_tf import errors, files"),
        ("bignas_tf.reports.inputs", "from bignas_tf.training import checkpoints"),
        ("tools.train", "from absl import app, flags\n\nfrom .cli import launch"),
        ("tools.cost", "import bignas_tf as bignas\nfrom bignas_tf import commands, files"),
        ("tools.tpu_compile", "from bignas_tf.training import parsing"),
        ("tools.benchmarks.child", "from bignas_tf.modeling import child"),
    ],
)
def test_an_allowed_import_passes(module: str, source: str) -> None:
    assert _violations(module, source) == []
