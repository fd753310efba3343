"""The scripts that run on a TPU's hosts: one tool at a time, with what drives the chips."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from tests.tools.shells import bash, path_with, program

ROOT = pathlib.Path(__file__).resolve().parents[2]
ODD = """a='x y',b="$HOME";c=`id`\\"""

# Stands in for the programs of .venv, which need a TPU: says how it was called to the pipe `said`,
# and ends when the pipe `go` lets it.
PROGRAM = """#!/usr/bin/env bash
if [[ ${1-} == -c ]]; then
  echo /of/libtpu.so
  exit
fi
printf '%s\\n' "$@" "library ${TF_PLUGGABLE_DEVICE_LIBRARY_PATH-}" \\
  "load ${TPU_LOAD_LIBRARY-}" "block ${GCS_READ_CACHE_BLOCK_SIZE_MB-}" > said
read -r code < go
exit "$code"
"""


@pytest.fixture
def host(tmp_path: pathlib.Path) -> Iterator[pathlib.Path]:
    """The code's folder on a host."""
    shutil.copytree(ROOT / "tools" / "gcp" / "host", tmp_path / "tools" / "gcp" / "host")
    program(tmp_path / ".venv" / "bin" / "python", PROGRAM)
    program(tmp_path / "bin" / "sudo", '#!/bin/sh\necho "$@" >> sudo.log\nexit 1\n')
    os.mkfifo(tmp_path / "said")
    os.mkfifo(tmp_path / "go")
    yield tmp_path
    _stop(tmp_path, "tool")
    _stop(tmp_path, "server")


def _stop(host: pathlib.Path, name: str) -> int:
    return bash(host, "-euc", f"source tools/gcp/host/lib.sh; stop {name}").returncode


def _start(host: pathlib.Path, tool: str, *flags: str) -> subprocess.CompletedProcess[str]:
    return bash(host, "tools/gcp/host/run.sh", tool, *flags, EARLY_S="0")


def _said(host: pathlib.Path) -> list[str]:
    """How the program was called; waits until it says so."""
    return bash(host, "-c", "cat said").stdout.splitlines()


def _is_free(host: pathlib.Path, name: str) -> bool:
    return bash(host, "-c", f"flock --nonblock {name}.lock true").returncode == 0


@pytest.mark.parametrize(
    ("tool", "flags", "library", "load"),
    [
        ("train", ["--tpu=local"], "/of/libtpu.so", ""),
        ("search", ["--tpu=a-slice"], "", "0"),
        ("export", [], "", "0"),
    ],
)
def test_one_tool_at_a_time(
    host: pathlib.Path, tool: str, flags: list[str], library: str, load: str
) -> None:
    flags = [*flags, f"--params_override={ODD}"]

    def start(name: str) -> subprocess.CompletedProcess[str]:
        return _start(host, name, *flags)

    assert start(tool).returncode == 0
    said = _said(host)
    assert said == ["-m", f"tools.{tool}", *flags, f"library {library}", f"load {load}", "block 64"]
    for second in ("train", "search", "export"):
        refused = start(second)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert refused.stderr == (
            f"error: a tool is running here: {tool}; tools/gcp/follow.sh --tool={tool} shows it\n"
        )
    _finish(host, 0)

    assert start(tool).returncode == 0  # the first has ended
    assert _said(host) == said
    assert _stop(host, "tool") == 0
    assert _is_free(host, "tool")
    assert (host / f"{tool}.log").is_file()


def test_of_two_that_start_at_once_one_is_refused(host: pathlib.Path) -> None:
    held = 'source tools/gcp/host/lib.sh; hold tool; bash -c "$1"; echo done'
    other = "source tools/gcp/host/lib.sh; running tool && hold tool"
    first = bash(host, "-c", held, "first", f'bash -euc "{other}"')
    assert first.stdout == "done\n"
    assert first.stderr == "error: another tool was started at the same moment\n"
    assert _is_free(host, "tool")


def test_exports_are_fetched_once_they_are_finished(host: pathlib.Path) -> None:
    def exported() -> str:
        done = bash(host, "tools/gcp/host/exported.sh", "runs/my export")
        assert (done.returncode, done.stdout) == (int(bool(done.stderr)), "")
        return done.stderr

    assert exported().startswith("error: runs/my export has no finished export;")
    (host / "runs" / "my export").mkdir(parents=True)
    (host / "runs" / "my export" / "models.config").touch()
    assert exported() == ""
    refusals = [(tool, f"error: {tool} is running;") for tool in ("export", "export_cascade")]
    for tool, refusal in [("train", ""), *refusals]:
        assert _start(host, tool).returncode == 0
        _said(host)
        assert exported().startswith(refusal)
        assert bool(exported()) == bool(refusal)
        assert _stop(host, "tool") == 0
    assert exported() == ""


def test_one_server_a_host(host: pathlib.Path) -> None:
    def serve() -> int:
        path = path_with(host / "bin")
        return bash(host, "tools/gcp/host/serve.sh", PATH=path).returncode

    assert _stop(host, "server") == 0  # none runs
    assert serve() == 0
    called = ["tools/gcp/host/worker.py", ".venv/bin/start_grpc_tpu_worker"]
    assert _said(host) == [*called, "library /of/libtpu.so", "load ", "block 64"]
    assert serve() == 0  # leaves the first alone
    done = (host / "sudo.log").read_text().splitlines()
    assert done == ["systemctl stop tpu-runtime", "rm -f /tmp/libtpu_lockfile"]
    assert _stop(host, "server KILL") == 0
    assert _is_free(host, "server")


RUN = "--model_dir=gs://bucket/run"


def _state(host: pathlib.Path, flag: str = RUN) -> str:
    said = bash(host, "tools/gcp/host/state.sh", "train", flag).stdout
    return said.removeprefix("state: ").rstrip("\n")


def _finish(host: pathlib.Path, code: int) -> None:
    """Lets the program that runs end with this code."""
    assert bash(host, "-c", f"echo {code} > go; flock tool.lock true").returncode == 0


def test_who_follows_a_tool_learns_how_it_ended(host: pathlib.Path) -> None:
    def follow() -> subprocess.CompletedProcess[str]:
        return bash(host, "tools/gcp/host/follow.sh", "train")

    never = follow()
    assert (never.returncode, never.stdout) == (1, "")
    assert never.stderr.startswith("error: train has not been started on this host, or by another")
    for code in (0, 3):
        assert _start(host, "train").returncode == 0
        _said(host)
        # It ends while somebody follows it.
        ended = bash(host, "-c", f"(echo {code} > go) & bash tools/gcp/host/follow.sh train")
        assert ended.returncode == code
        assert ended.stdout.endswith(f"train ended: exit code {code}\n")
        assert follow().returncode == code
    assert _start(host, "train").returncode == 0
    _said(host)
    assert _stop(host, "tool KILL") == 0
    lost = follow()
    assert lost.returncode == 1
    assert lost.stdout.endswith("train has left no exit code: it was killed, or the host was\n")


def test_a_tool_that_ends_at_once_says_why(host: pathlib.Path) -> None:
    program(host / ".venv" / "bin" / "python", "#!/bin/sh\necho error: no such file\nexit 2\n")
    done = bash(host, "tools/gcp/host/run.sh", "train", EARLY_S="30")
    assert done.returncode == 2
    assert done.stderr == "error: no such file\ntrain ended: exit code 2\n"


@pytest.mark.parametrize(
    ("program_text", "code", "word"),
    [
        ("exit 0", 0, "finished"),
        ("echo error: a mistake; exit 2", 2, "failed"),
        # The same command continues after all of these.
        ("echo 'error: stopped by SIGTERM; step 7 is saved'; exit 1", 1, "lost"),
        ("echo 'error: another worker was lost; start all again'; exit 1", 1, "lost"),
        ("kill -KILL $$", 137, "lost"),  # alone, as where memory runs out
        ("kill -TERM $$", 143, "lost"),  # before it could take notice
    ],
)
def test_what_became_of_a_run(host: pathlib.Path, program_text: str, code: int, word: str) -> None:
    (host / "train.log").write_text("error: stopped by SIGTERM; of an older run\n")
    assert _state(host) == "lost"  # nothing was started
    program(host / ".venv" / "bin" / "python", f"#!/bin/bash\n{program_text}\n")
    done = bash(host, "tools/gcp/host/run.sh", "train", RUN, EARLY_S="30")
    assert done.returncode == code
    assert _state(host) == word
    assert _state(host, f"{RUN}2") == "lost"  # of another run nothing is known


def test_the_words_of_an_interrupted_run_are_those_that_the_hosts_look_for() -> None:
    words = (ROOT / "tools" / "gcp" / "host" / "tool.sh").read_text()
    for module, said in [("training/trainer.py", "stopped by SIGTERM"),
                         ("workers.py", "another worker was lost")]:  # fmt: skip
        assert said in words
        assert f'"{said}' in (ROOT / "bignas_tf" / module).read_text()


def test_a_tool_that_is_stopped_may_end_in_its_own_way(host: pathlib.Path) -> None:
    def stop() -> str:
        done = bash(host, "tools/gcp/host/stop.sh")
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert stop() == "no tool is running here\n"
    saves = "#!/bin/bash\ntrap 'echo saved; exit {}' TERM\necho ready > said\nread < go\n"
    for code, word in [(1, "stopped"), (0, "finished")]:
        program(host / ".venv" / "bin" / "python", saves.format(code))
        assert _start(host, "train", RUN).returncode == 0
        assert _said(host) == ["ready"]
        assert (_state(host), _state(host, f"{RUN}2")) == ("running", "busy")
        assert stop().endswith(f"saved\ntrain ended: exit code {code}\n")
        assert _state(host) == word
    # A search that runs later, or is stopped, changes nothing of it.
    program(host / ".venv" / "bin" / "python", PROGRAM)
    assert _start(host, "search", RUN).returncode == 0
    _said(host)
    assert _state(host) == "finished"
    stop()
    assert _state(host) == "finished"


def test_exports_that_would_be_lost_with_the_tpu_are_named(
    host: pathlib.Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    def busy() -> list[str]:
        return bash(host, "tools/gcp/host/leave.sh").stdout.splitlines()

    def add(folder: pathlib.Path, version: int) -> None:
        graph = folder / "child" / str(version) / "saved_model.pb"
        graph.parent.mkdir(parents=True)
        graph.touch()
        if version == 1:  # it need not change for another one
            (folder / "models.config").touch()
            os.utime(folder / "models.config", (10**9, 10**9))
        os.utime(graph, (10**9 + version, 10**9 + version))

    def fetch(folder: pathlib.Path, at: int) -> None:
        assert bash(host, "tools/gcp/host/exported.sh", str(folder)).returncode == 0
        (folder / ".fetching").rename(folder / ".fetched")
        os.utime(folder / ".fetched", (10**9 + at, 10**9 + at))

    assert busy() == []
    places = [host / "runs" / "photos" / "my export", tmp_path_factory.mktemp("elsewhere")]
    lines = [f"busy: the exports in {name} were not fetched"
             for name in (places[1], "runs/photos/my export")]  # fmt: skip
    for place in ("runs/photos/my export", str(places[1])):
        assert _start(host, "export", f"--output_dir={place}").returncode == 0
        _said(host)
        _finish(host, 0)
    for place in places:
        add(place, 1)
    assert sorted(busy()) == sorted(lines)
    for place in places:
        fetch(place, 2)
    assert busy() == []
    add(places[0], 3)
    assert busy() == lines[1:]
