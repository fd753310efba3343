"""Which flags a tool has, by its source: it is not imported."""

from __future__ import annotations

import ast
import pathlib

_TOOLS = pathlib.Path(__file__).resolve().parents[1] / "tools"
_DEFINED_BY = (
    "configs.define_flags",
    "runs.define_flags",
    "models.define_flags",
)  # flags that several tools have


def defined(module: str) -> set[str]:
    """Returns the flags that a tool defines, or has defined, without importing it."""
    tree = ast.parse((_TOOLS / f"{module.replace('.', '/')}.py").read_text())
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in _DEFINED_BY:
            names |= defined(ast.unparse(node.func).partition(".")[0])
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("flags.DEFINE_"):
            assert isinstance(node.args[0], ast.Constant)
            names.add(str(node.args[0].value))
    return names
