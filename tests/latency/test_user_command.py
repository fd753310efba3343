"""Commands that measure children, good and bad; none outlives the search that started it."""

from __future__ import annotations

import os
import pathlib
import signal
import stat
import subprocess
import sys
import time
import tracemalloc

import pytest

from bignas_tf import errors
from bignas_tf.latency import user_command

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIMIT_S = 30.0  # more than any command here takes, unless it hangs


def _script(folder: pathlib.Path, text: str) -> str:
    path = folder / "command.sh"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_the_last_line_of_a_command_is_its_milliseconds(tmp_path: pathlib.Path) -> None:
    command = _script(tmp_path, 'echo "warming $1" >&2; echo "$2"; echo " 1.25e1 "; echo')
    assert user_command.milliseconds([command, "up"], str(tmp_path), LIMIT_S) == 12.5


def test_of_a_command_that_prints_much_the_end_is_read(tmp_path: pathlib.Path) -> None:
    command = _script(tmp_path, "yes | head -c 20000000; yes | head -c 20000000 >&2; echo 2.5")
    tracemalloc.start()
    try:
        assert user_command.milliseconds([command], str(tmp_path), LIMIT_S) == 2.5
        assert tracemalloc.get_traced_memory()[1] < 2e6  # bytes; a tenth of what was printed
    finally:
        tracemalloc.stop()


def test_a_command_gets_the_folder_last(tmp_path: pathlib.Path) -> None:
    (tmp_path / "milliseconds").write_text("0.5\n")
    command = _script(tmp_path, 'cat "$2/milliseconds"')
    assert user_command.milliseconds([command, "--once"], str(tmp_path), LIMIT_S) == 0.5


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "echo no phone; echo is there >&2; exit 3",
            "exit status 3; it printed 'no phone is there'",
        ),
        ("kill -9 $$", "exit status -9; it printed nothing"),
        ("", "its last line must be milliseconds, a number above 0; it printed nothing"),
        ("echo 3; echo done", "its last line must be .* it printed '3 done'"),
        ("echo 1.5 ms", "it printed '1.5 ms'"),
        ("echo 0", "it printed '0'"),
        ("echo -1", "it printed '-1'"),
        ("echo nan", "it printed 'nan'"),
        ("echo 1_000", "it printed '1_000'"),
        ("echo ١٢", "it printed '١٢'"),
        ("echo inf", "it printed 'inf'"),
        ("printf '\\377'", "its last line must be"),
    ],
)
def test_a_command_that_gives_no_time_is_told(
    tmp_path: pathlib.Path, text: str, problem: str
) -> None:
    command = _script(tmp_path, text)
    with pytest.raises(errors.RunError, match=f"^{command} FOLDER: .*{problem}"):
        user_command.milliseconds([command], str(tmp_path), LIMIT_S)


def test_what_a_command_leaves_running_is_not_waited_for(tmp_path: pathlib.Path) -> None:
    """A device's server keeps running, and may hold what its client prints to."""
    command = _script(tmp_path, f'sleep 60 & echo $! > "{tmp_path}/pid"; echo 5')
    began = time.monotonic()
    assert user_command.milliseconds([command], str(tmp_path), LIMIT_S) == 5
    assert time.monotonic() - began < LIMIT_S
    server = int((tmp_path / "pid").read_text())
    assert _runs(server)
    os.kill(server, signal.SIGKILL)


def test_a_command_that_hangs_is_ended_with_all_that_it_started(tmp_path: pathlib.Path) -> None:
    # The grandchild holds the pipes, so that waiting for their end would wait for it.
    text = f'sleep 60 & echo $! > "{tmp_path}/pid"; echo begun; wait'
    command = _script(tmp_path, text)
    began = time.monotonic()
    with pytest.raises(errors.RunError, match=r"took over 5 s; it printed 'begun'"):
        user_command.milliseconds([command], str(tmp_path), limit_s=5.0)
    assert time.monotonic() - began < LIMIT_S
    pid = int((tmp_path / "pid").read_text())
    while _runs(pid):
        assert time.monotonic() - began < LIMIT_S


PROGRAM = """
import sys
from bignas_tf.latency import user_command
user_command.milliseconds(sys.argv[1:2], sys.argv[2])
"""


def test_a_command_ends_with_the_process_that_is_killed(tmp_path: pathlib.Path) -> None:
    command = _script(tmp_path, 'sleep 60 & echo $$ $! > "$1/pids"; wait')
    os.mkfifo(tmp_path / "pids")  # its reader waits until somebody has written
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, command, str(tmp_path)], cwd=ROOT
    ) as search:
        pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
        assert len(pids) == 2
        assert all(map(_runs, pids))
        search.kill()
    began = time.monotonic()
    while any(map(_runs, pids)):
        assert time.monotonic() - began < LIMIT_S


def _runs(pid: int) -> bool:
    """Whether a process is there and no zombie, which only waits for its parent's interest."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_command_that_cannot_be_started_is_told(tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.RunError, match=r"exit status 127; it printed .*nowhere: not found"):
        user_command.milliseconds([str(tmp_path / "nowhere")], str(tmp_path), LIMIT_S)
