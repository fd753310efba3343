"""Which flags a tool has, by its source: it is not imported."""

from __future__ import annotations

import ast
import pathlib

_TOOLS = pathlib.Path(__file__).resolve().parents[1] / "tools"
# Modules whose functions define flags that several tools have.
_SHARED = {
    "clients": "serving.clients",
    "configs": "configs",
    "models": "models",
    "runs": "runs",
}


def defined(module: str) -> set[str]:
    """Returns the flags that a tool defines, or has defined, without importing it."""
    return _defined(_tree(module))


def _tree(module: str) -> ast.Module:
    return ast.parse((_TOOLS / f"{module.replace('.', '/')}.py").read_text())


def _defined(tree: ast.AST, module: str = "") -> set[str]:
    """The flags that a part of a module defines; `module` if it is a shared one."""
    names = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        owner, _, called = ast.unparse(node.func).rpartition(".")
        shared = _SHARED.get(owner, "") if owner else module
        if shared and called.startswith("define_"):
            functions = (each for each in _tree(shared).body if isinstance(each, ast.FunctionDef))
            names |= _defined(next(each for each in functions if each.name == called), shared)
        if owner == "flags" and called.startswith("DEFINE_"):
            assert isinstance(node.args[0], ast.Constant)
            names.add(str(node.args[0].value))
    return names
