"""Flags, help and answers that come before TensorFlow is imported, and `bignas` for all tools."""

from __future__ import annotations

import ast
import pathlib
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence

import pytest

import bignas_tf
from bignas_tf import commands
from tests import tool_flags
from tests.interpreter import python

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOOLS = sorted(
    ".".join(path.relative_to(ROOT / "tools").with_suffix("").parts)
    for path in (ROOT / "tools").rglob("*.py")
    if "\n    launch(main" in path.read_text()
)


@pytest.mark.parametrize("module", ["tools.bignas", "tools.cost"])
@pytest.mark.parametrize(
    ("output", "code", "said"), [("| true", 141, ""), (">/dev/full", 1, "error: a file cannot be")]
)
def test_help_that_cannot_be_written_is_a_line_at_most(
    module: str, output: str, code: int, said: str
) -> None:
    line = f'"$0" -m {module} --help {output}; echo ${{PIPESTATUS[0]}} >&2'
    done = subprocess.run(
        ["bash", "-c", line, sys.executable], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    *lines, status = done.stderr.splitlines()
    assert int(status) == code
    assert [each[: len(said)] for each in lines] == ([said] if said else [])


def test_a_flag_that_is_missing_is_named() -> None:
    done = python("-m", "tools.train", "--experiment=bignas_small")
    assert (done.returncode, done.stderr) == (2, "error: --model_dir is missing; see --help\n")


@pytest.mark.parametrize(
    ("name", "values", "example"),
    [("budgets_mflops", "14", "a,b"), ("params_override", ("a=1", "b=2"), "a=1,b=2")],
)
def test_a_list_is_given_once(name: str, values: Sequence[str], example: str) -> None:
    """absl keeps the last of several, so that budgets or formats would be lost without a word."""
    given = ["--model_dir=x", "--output_dir=y", *(f"--{name}={value}" for value in values)]
    done = python("-m", "tools.search", *given)
    assert done.returncode == 2
    assert done.stderr == (
        f"error: --{name} is given 2 times, of which only the last would count; give it once, as "
        f"in --{name}={example}\n"
    )


def test_the_line_replaces_a_list_of_a_flagfile(tmp_path: pathlib.Path) -> None:
    kept = tmp_path / "flags"
    kept.write_text("--budgets_mflops=1\n--run_dir=/dev/null/x\n")
    given = ["-m", "tools.quickstart", f"--flagfile={kept}", "--budgets_mflops=nan"]
    done = python(*given)
    assert done.returncode == 2
    assert "nan" in done.stderr  # that of the line counts
    done = python(*given[:2], *reversed(given[2:]))
    assert done.stderr.startswith("error: --budgets_mflops is given 2 times")


@pytest.mark.parametrize("tool", TOOLS)
def test_help_names_the_flags(tool: str) -> None:
    done = python("-X", "importtime", "-m", f"tools.{tool}", "--help")
    code = done.returncode
    assert code == 0
    assert f"tools.{tool}" in done.stdout or f"{tool.rpartition('.')[2]}.py" in done.stdout
    shown = set(re.findall(r"^  --(?:\[no\])?(\w+):", done.stdout, re.MULTILINE))
    assert tool_flags.defined(tool) <= shown
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "absl" in imported
    early = imported & {"tensorflow", "tf_keras", "official"}
    assert not early, "heavy imports go inside main()"


@pytest.mark.parametrize(
    ("tool", "others"),
    [
        ("convert", ["--export_dir=x"]),
        ("cost", ["--architecture=smallest"]),
        ("search", ["--budgets_mflops=1", "--output_dir=x"]),
    ],
)
def test_a_folder_without_a_run_is_refused_before_tensorflow_is_imported(
    tool: str, others: list[str], tmp_path: pathlib.Path
) -> None:
    flags = [f"--model_dir={tmp_path}", *others]
    done = python("-X", "importtime", "-m", f"tools.{tool}", *flags)
    assert done.returncode == 2
    *imported, error = done.stderr.splitlines()
    assert error == f"error: {tmp_path} is not the folder of a training run: no params.yaml"
    assert not [line for line in imported if line.endswith(" tensorflow")]


def test_bignas_has_a_line_for_every_tool() -> None:
    assert sorted(map(commands.module, commands.NAMES)) == TOOLS
    done = python("-m", "tools.bignas", "--help")
    assert done.returncode == 0
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith("  ")]
    assert [line[0] for line in lines] == list(commands.NAMES)
    assert min(map(len, lines)) > 3
    assert python("-m", "tools.bignas").stdout == done.stdout


def test_bignas_hands_flags_and_exit_codes_on() -> None:
    done = python("-m", "tools.bignas", "cost", "--architecture=BigNASModel-S", "--num_classes=10")
    alone = python("-m", "tools.cost", "--architecture=BigNASModel-S", "--num_classes=10")
    assert (done.returncode, done.stdout) == (0, alone.stdout)
    refused = python("-m", "tools.bignas", "cost", "--publish=BigNASModel-S")
    assert refused.returncode == 2
    assert "'publish'" in refused.stderr


def test_an_unknown_sub_command_exits_2_with_a_suggestion() -> None:
    done = python("-m", "tools.bignas", "serch", "--model_dir=runs/photos")
    assert (done.returncode, done.stdout) == (2, "")
    expected = "error: 'serch' is no sub-command; bignas --help lists all; did you mean 'search'?"
    assert done.stderr == f"{expected}\n"


def test_bignas_tells_its_version() -> None:
    done = python("-m", "tools.bignas", "--version")
    assert (done.returncode, done.stdout) == (0, f"bignas {bignas_tf.__version__}\n")


def test_the_package_and_the_search_space_import_no_tensorflow() -> None:
    modules = ", ".join(
        ["bignas_tf"]
        + [
            f"bignas_tf.search_space.{path.stem}"
            for path in (ROOT / "bignas_tf" / "search_space").glob("[a-z]*.py")
        ]
    )
    done = python("-c", f"import {modules}, sys; print('tensorflow' in sys.modules)")
    assert (done.returncode, done.stdout) == (0, "False\n"), done.stderr


def _shown_texts(node: ast.AST) -> Iterator[str]:
    """The texts of a module but for those of errors, which `tools.cli` translates."""
    docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    if docstring or isinstance(node, ast.Raise):
        return
    # A function that gives an error to raise.
    returns = getattr(node, "returns", None)
    if returns is not None and ast.unparse(returns).endswith("Error"):
        return
    # The tool that wrote a file, for errors about that file.
    if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_TOOL":
        return
    readers = ("files.reading", "files.written_by")
    if isinstance(node, ast.Call) and ast.unparse(node.func) in readers:
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    for child in ast.iter_child_nodes(node):
        yield from _shown_texts(child)


def test_what_is_shown_names_tools_as_this_installation_does() -> None:
    # `commands.spelling` knows how; "tools.judge" means nothing to whoever installed a wheel.
    named = re.compile(r"(?<![\w./])tools\.(?:[a-z]|$)")
    modules = set((ROOT / "bignas_tf").rglob("*.py")) - {ROOT / "bignas_tf" / "commands.py"}
    for path in modules:
        shown = [text for text in _shown_texts(ast.parse(path.read_text())) if named.search(text)]
        assert not shown, path
