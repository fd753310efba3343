"""Exit codes, and answers that come before TensorFlow is imported."""

from __future__ import annotations

import ast
import pathlib
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

import bignas_tf
from bignas_tf import commands
from tests import tool_flags

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOOLS = sorted(
    ".".join(path.relative_to(ROOT / "tools").with_suffix("").parts)
    for path in (ROOT / "tools").rglob("*.py")
    if "\n    launch(main" in path.read_text()
)

TOOL = """
from absl import flags
from bignas_tf import errors
from tools.cli import launch

SIZE = flags.DEFINE_integer("size", 1, "A number.")

def main(argv):
    {body}

launch(main)
"""


def _python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60
    )


def _tool(body: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return _python("-c", TOOL.format(body=body), *arguments)


def test_success_exits_0() -> None:
    done = _tool("print('size', SIZE.value)", "--size=3")
    assert (done.returncode, done.stdout) == (0, "size 3\n")


@pytest.mark.parametrize(("error", "code"), [("UsageError", 2), ("RunError", 1)])
def test_an_error_is_one_line_and_its_own_exit_code(error: str, code: int) -> None:
    done = _tool(f"raise errors.{error}('size is 0; give 1 or more')")
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr == "error: size is 0; give 1 or more\n"


def test_a_full_disk_is_one_line_whoever_writes() -> None:
    done = _tool("open('/dev/full', 'wb', buffering=0).write(b'x')")
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: a file cannot be written: No space left on device; ")


@pytest.mark.parametrize(
    ("body", "code", "line"),
    [
        ("raise KeyboardInterrupt", 130, "error: interrupted"),
        ("raise MemoryError", 1, "error: memory ran out; smaller batches take less"),
        (
            "raise type('ResourceExhaustedError', (Exception,), {})('Graph error:\\n\\nno tensor')",
            1,
            "error: memory ran out (Graph error: no tensor); smaller batches take less",
        ),
        (
            "raise ImportError('a.so: failed to map segment from shared object')",
            1,
            "error: memory ran out (a.so: failed to map segment from shared object); smaller "
            "batches take less",
        ),
        (
            "import errno; raise OSError(errno.ENOMEM, 'Cannot allocate memory')",
            1,
            "error: memory ran out ([Errno 12] Cannot allocate memory); smaller batches take less",
        ),
    ],
)
def test_a_shortage_or_an_interrupt_is_one_line(body: str, code: int, line: str) -> None:
    done = _tool(body)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", f"{line}\n")


@pytest.mark.parametrize(("spare", "told"), [("16 << 20", True), ("100 << 30", False)])
def test_any_error_near_the_limit_of_memory_is_one_line(spare: str, told: bool) -> None:
    # TensorFlow may go on where memory is refused, and end with an error about a graph.
    body = f"""
    import mmap, pathlib, resource
    used = mmap.mmap(-1, 500 << 20)
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + ({spare})
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    raise ValueError("no such\\nnode")"""
    done = _tool(body)
    assert (done.returncode, "Traceback" in done.stderr) == (1, not told)
    said = r"error: most likely memory ran out: it had [\d,]+ of the [\d,]+ MiB that `ulimit -v` "
    said += r"allows it \(ValueError: no such node\)\n"
    assert bool(re.fullmatch(said, done.stderr)) == told


@pytest.mark.parametrize("flush", [False, True])
def test_output_that_nobody_reads_is_no_error(flush: bool) -> None:
    body = f"[print('x' * 9999, flush={flush}) for _ in range(99)]"
    command = [sys.executable, "-c", TOOL.format(body=body)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as tool:
        assert tool.stdout is not None
        assert tool.stderr is not None
        tool.stdout.close()
        assert tool.stderr.read() == ""
    assert tool.returncode == 141


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


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("--size_dir=~/runs", "/at/home/runs"),
        ("--size_dir=a~/runs", "a~/runs"),
        ("--size_dir=", "error: --size_dir is empty; '.' is the working directory"),
    ],
)
def test_a_folder_may_begin_at_home_and_has_a_name(
    given: str, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/at/home")
    body = "print(flags.FLAGS.size_dir)"
    code = TOOL.replace("DEFINE_integer", "DEFINE_string").replace('"size", 1', '"size_dir", None')
    done = _python("-c", code.format(body=body), given)
    assert (done.stdout + done.stderr).strip() == found


def test_a_flag_that_is_missing_is_named() -> None:
    done = _python("-m", "tools.train", "--experiment=bignas_small")
    assert (done.returncode, done.stderr) == (2, "error: --model_dir is missing; see --help\n")


def test_closed_output_is_no_error() -> None:
    command = [sys.executable, "-c", TOOL.format(body="print('size', SIZE.value)")]
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *command], cwd=ROOT, stderr=subprocess.PIPE, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_pipe_of_a_tool_s_own_that_breaks_keeps_its_traceback() -> None:
    done = _tool("raise BrokenPipeError('of a child')")
    assert (done.returncode, done.stdout) == (1, "")
    assert "BrokenPipeError: of a child" in done.stderr


def test_an_argument_that_is_not_utf_8_is_refused() -> None:
    done = _tool("print('ran')", b"--flagfile=\xff".decode(errors="surrogateescape"))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == r"error: '--flagfile=\udcff' is not a UTF-8 name; rename it" + "\n"


def test_another_exception_keeps_its_traceback() -> None:
    done = _tool("raise KeyError('a bug')")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "KeyError: 'a bug'" in done.stderr


@pytest.mark.parametrize("argument", ["--size=big", "--sise=3", "extra"])
def test_a_wrong_flag_or_argument_exits_2_and_is_named(argument: str) -> None:
    done = _tool("print('ran')", argument)
    assert done.returncode == 2
    assert argument.lstrip("-").split("=")[0] in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "ran\n" not in done.stdout


def test_a_list_is_given_once() -> None:
    """absl keeps the last of several, so that budgets or formats would be lost without a word."""
    given = ["--model_dir=x", "--output_dir=y", "--budgets_mflops=1", "--budgets_mflops=4"]
    done = _python("-m", "tools.search", *given)
    assert done.returncode == 2
    assert done.stderr.startswith(
        "error: --budgets_mflops is given 2 times, of which only the last"
    )


def test_the_line_replaces_a_list_of_a_flagfile(tmp_path: pathlib.Path) -> None:
    kept = tmp_path / "flags"
    kept.write_text("--budgets_mflops=1\n--run_dir=/dev/null/x\n")
    given = ["-m", "tools.quickstart", f"--flagfile={kept}", "--budgets_mflops=nan"]
    done = _python(*given)
    assert done.returncode == 2
    assert "nan" in done.stderr  # that of the line counts
    done = _python(*given[:2], *reversed(given[2:]))
    assert done.stderr.startswith("error: --budgets_mflops is given 2 times")


@pytest.mark.parametrize("tool", TOOLS)
def test_help_names_the_flags(tool: str) -> None:
    done = _python("-X", "importtime", "-m", f"tools.{tool}", "--help")
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
    done = _python("-X", "importtime", "-m", f"tools.{tool}", *flags)
    assert done.returncode == 2
    *imported, error = done.stderr.splitlines()
    assert error == f"error: {tmp_path} is not the folder of a training run: no params.yaml"
    assert not [line for line in imported if line.endswith(" tensorflow")]


def test_bignas_has_a_line_for_every_tool() -> None:
    assert sorted(map(commands.module, commands.NAMES)) == TOOLS
    done = _python("-m", "tools.bignas", "--help")
    assert done.returncode == 0
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith("  ")]
    assert [line[0] for line in lines] == list(commands.NAMES)
    assert min(map(len, lines)) > 3
    assert _python("-m", "tools.bignas").stdout == done.stdout


def test_bignas_hands_flags_and_exit_codes_on() -> None:
    done = _python("-m", "tools.bignas", "cost", "--architecture=BigNASModel-S", "--num_classes=10")
    alone = _python("-m", "tools.cost", "--architecture=BigNASModel-S", "--num_classes=10")
    assert (done.returncode, done.stdout) == (0, alone.stdout)
    refused = _python("-m", "tools.bignas", "cost", "--publish=BigNASModel-S")
    assert refused.returncode == 2
    assert "'publish'" in refused.stderr


def test_an_unknown_sub_command_exits_2_with_a_suggestion() -> None:
    done = _python("-m", "tools.bignas", "serch", "--model_dir=runs/photos")
    assert (done.returncode, done.stdout) == (2, "")
    expected = "error: 'serch' is no sub-command; bignas --help lists all; did you mean 'search'?"
    assert done.stderr == f"{expected}\n"


def test_bignas_tells_its_version() -> None:
    done = _python("-m", "tools.bignas", "--version")
    assert (done.returncode, done.stdout) == (0, f"bignas {bignas_tf.__version__}\n")


def test_the_package_and_the_search_space_import_no_tensorflow() -> None:
    modules = ", ".join(
        ["bignas_tf"]
        + [
            f"bignas_tf.search_space.{path.stem}"
            for path in (ROOT / "bignas_tf" / "search_space").glob("[a-z]*.py")
        ]
    )
    done = _python("-c", f"import {modules}, sys; print('tensorflow' in sys.modules)")
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
