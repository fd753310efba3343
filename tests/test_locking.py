"""One process at a time, and what happens where no file can be locked."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys

import pytest

from bignas_tf import errors, locking
from tests import limits


def test_a_lock_keeps_others_out_and_a_kill_leaves_none(tmp_path: pathlib.Path) -> None:
    hold = (
        "import sys; from bignas_tf import locking; stream = open(sys.argv[1], 'a'); "
        "locking.lock(stream, 'x', '--y'); print('held', flush=True); sys.stdin.read()"
    )
    path = tmp_path / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=pathlib.Path(__file__).resolve().parents[1],
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with path.open("a") as stream:
            with pytest.raises(errors.UsageError, match=r"lock belongs to a job that .* --dir$"):
                locking.lock(stream, "a job", "--dir")
            holder.kill()
            holder.wait()
            locking.lock(stream, "a job", "--dir")


def test_only_one_can_be_inside_a_lock(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "new" / "file"
    with (
        locking.locked(path, "a job", "--dir"),
        locking.locked(path.with_name("other"), "a", "--b"),
    ):
        expected = r"/new/\.file\.lock belongs to a job that is running; .* another --dir$"
        with (
            pytest.raises(errors.UsageError, match=expected),
            locking.locked(path, "a job", "--dir"),
        ):
            pass
    with locking.locked(path, "a job", "--dir"):
        assert not path.exists()
    path.with_name(".dir.lock").mkdir()
    with (
        pytest.raises(errors.UsageError, match=r"\.dir\.lock cannot be written \(Is a dir"),
        locking.locked(path.with_name("dir"), "a job", "--dir"),
    ):
        pass
    with (
        pytest.raises(errors.UsageError, match=r"^ram://a/file is remote; a local folder"),
        locking.locked("ram://a/file", "a job", "--dir"),
    ):
        pass


def test_a_file_system_without_locks_is_refused_unless_none_is_required(
    tmp_path: pathlib.Path,
) -> None:
    path, reason = tmp_path / "file", r"/\.file\.lock cannot be locked \(No locks available\)"
    with limits.no_locks():
        with (
            pytest.raises(errors.UsageError, match=f"{reason}; choose another --dir, on a file sy"),
            locking.locked(path, "a job", "--dir"),
        ):
            pass
        with locking.locked(path, "a job", "--dir", required=False) as unlocked:
            assert re.search(f"{reason}$", unlocked)
    with locking.locked(path, "a job", "--dir", required=False) as unlocked:
        assert unlocked == ""
        with (
            pytest.raises(errors.UsageError, match="belongs to a job"),
            locking.locked(path, "a job", "--dir", required=False),
        ):
            pass
