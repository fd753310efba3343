"""How a tool ends: its exit code, and one line for what went wrong."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys

import pytest

from tests.forks import ROOT
from tests.interpreter import python

TOOL = """
from absl import flags
from bignas_tf import errors
from tools.cli import launch

SIZE = flags.DEFINE_integer("size", 1, "A number.")

def main():
    {body}

launch(main)
"""


def _tool(body: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return python("-c", TOOL.format(body=body), *arguments)


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


@pytest.mark.parametrize(("spare", "told"), [("256 << 10", True), ("100 << 30", False)])
def test_any_error_near_the_limit_of_memory_is_one_line(spare: str, told: bool) -> None:
    # TensorFlow may go on where memory is refused, and end with an error about a graph.
    body = f"""
    import mmap, os, pathlib, subprocess
    used = mmap.mmap(-1, 500 << 20)
    most = int(pathlib.Path("/proc/self/statm").read_text().split()[0]) * 4096 + ({spare})
    subprocess.run(["prlimit", f"--pid={{os.getpid()}}", f"--as={{most}}"], check=True)
    raise ValueError("no such\\nnode")"""
    done = _tool(body)
    assert (done.returncode, "Traceback" in done.stderr) == (1, not told)
    said = r"error: most likely memory ran out: it had [\d,]+ of the [\d,]+ MiB that `ulimit -v` "
    said += r"allows it \(ValueError: no such node, line \d+ of <string>\)\n"
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
    done = python("-c", code.format(body=body), given)
    assert (done.stdout + done.stderr).strip() == found


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


def test_a_file_that_looks_like_a_flag_is_told_how_to_name_it(tmp_path: pathlib.Path) -> None:
    (tmp_path / "-dash.png").touch()
    code = TOOL.format(body="print('ran')")
    done = subprocess.run(
        [sys.executable, "-c", code, "-dash.png"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    expected = "error: -dash.png is taken for a flag; name the file as ./-dash.png\n"
    assert (done.returncode, done.stderr) == (2, expected)


@pytest.mark.parametrize("argument", ["--size=big", "--sise=3", "extra"])
def test_a_wrong_flag_or_argument_exits_2_and_is_named(argument: str) -> None:
    done = _tool("print('ran')", argument)
    assert done.returncode == 2
    assert argument.lstrip("-").split("=")[0] in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "ran\n" not in done.stdout
