"""What a killed process leaves is removed by the next, and nothing else is."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator

import pytest

from bignas_tf import files, scratch
from tests import kills

WRITE = "from bignas_tf import files; files.write_text(folder / 'a.json', 'new')"
FILL = """
from bignas_tf import scratch
with scratch.folder(folder) as made:
    (made / "part").write_text("half")
    made.rename(folder / "never")
"""


def _names(folder: pathlib.Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_threads_do_not_get_each_other_s_temporary_folder() -> None:
    inside, leave, places = threading.Event(), threading.Event(), []

    def first() -> None:
        with scratch.of_others():
            inside.set()
            leave.wait()

    def second() -> None:
        with scratch.temporary() as path, scratch.of_others():
            places.append(path.parent)

    before = tempfile.gettempdir()
    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    inside.wait()
    threads[1].start()
    leave.set()
    for thread in threads:
        thread.join()
    assert places == [pathlib.Path(before)]
    assert tempfile.gettempdir() == before


@pytest.mark.parametrize(
    ("statements", "prefix"), [(WRITE, ".unfinished-a.json-"), (FILL, ".unverified-")]
)
def test_the_next_that_writes_removes_what_a_kill_has_left(
    tmp_path: pathlib.Path, statements: str, prefix: str
) -> None:
    (tmp_path / "a.json").write_text("old")
    assert kills.before_rename(0, statements, tmp_path)
    left, kept = _names(tmp_path)
    assert left.startswith(prefix)
    assert (kept, (tmp_path / kept).read_text()) == ("a.json", "old")
    files.write_text(tmp_path / "b.json", "")
    assert _names(tmp_path) == ["a.json", "b.json"]


def test_the_next_temporary_folder_removes_what_a_kill_has_left(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left = tmp_path / ".unverified-abcd1234"
    left.mkdir()
    trap = tmp_path / ".unverified-abcd1235"
    trap.symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir()
    with scratch.temporary() as first, scratch.temporary() as second:
        assert first.parent == second.parent == tmp_path
        assert first.is_dir()
        assert not left.exists()
    assert _names(tmp_path) == [trap.name, "elsewhere"]
    assert _names(tmp_path / "elsewhere") == []


def test_traps_in_a_shared_folder_are_left_alone(tmp_path: pathlib.Path) -> None:
    pipe, link = (tmp_path / f".unverified-{letter * 8}" / ".lock" for letter in "ab")
    for trap in (pipe, link):
        trap.parent.mkdir()
    os.mkfifo(pipe)
    link.symlink_to(tmp_path / "made")
    os.mkfifo(tmp_path / ".unfinished-abcd1234")
    before = sorted(tmp_path.rglob("*"))
    with _in_time():
        scratch.sweep(tmp_path)
    assert sorted(tmp_path.rglob("*")) == before


@contextlib.contextmanager
def _in_time() -> Iterator[None]:
    """Fails what waits for ever inside."""
    before = signal.signal(signal.SIGALRM, lambda *_: pytest.fail("it waits"))
    signal.alarm(60)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def test_what_another_user_has_left_is_not_touched(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".unverified-abcd1234").mkdir()
    (tmp_path / ".unfinished-abcd1234").touch()
    before = sorted(tmp_path.rglob("*"))
    with monkeypatch.context() as as_another:
        as_another.setattr(os, "geteuid", lambda: os.getuid() + 1)
        scratch.sweep(tmp_path)
    assert sorted(tmp_path.rglob("*")) == before
    scratch.sweep(tmp_path)
    assert _names(tmp_path) == []


def test_what_is_in_use_is_not_swept(tmp_path: pathlib.Path) -> None:
    with scratch.folder(tmp_path) as made, scratch.file(tmp_path / "a") as stream:
        (made / "part").write_text("half")
        stream.write(b"half")
        before = _names(tmp_path)
        scratch.sweep(tmp_path)
        assert list(scratch.abandoned(tmp_path, ".un")) == []
        assert _names(tmp_path) == before
        committed = scratch.renamed(made, ".whole-")
        assert list(scratch.abandoned(tmp_path, ".whole-")) == []
    assert list(scratch.abandoned(tmp_path, ".whole-")) == [committed]
    assert _names(committed) == [".lock", "part"]
    assert (tmp_path / "a").read_text() == "half"


@pytest.mark.parametrize("make", [pathlib.Path.mkdir, pathlib.Path.touch])
def test_what_has_vanished_since_it_was_listed_is_not_made_again(
    tmp_path: pathlib.Path, make: Callable[[pathlib.Path], None]
) -> None:
    first, second = (tmp_path / f".whole-{letter * 8}" for letter in "ab")
    for path in (first, second):
        make(path)
    found = scratch.abandoned(tmp_path, ".whole-")
    assert next(found) == first
    second.rename(tmp_path / "finished")
    assert list(found) == []
    assert _names(tmp_path) == [first.name, "finished"]


def test_a_file_that_is_interrupted_leaves_the_old_one_alone(tmp_path: pathlib.Path) -> None:
    def write() -> None:
        with scratch.file(tmp_path / "a") as stream:
            stream.write(b"half")
            raise KeyboardInterrupt

    (tmp_path / "a").write_text("old")
    with pytest.raises(KeyboardInterrupt):
        write()
    assert (_names(tmp_path), (tmp_path / "a").read_text()) == (["a"], "old")


def test_files_of_other_names_are_left(tmp_path: pathlib.Path) -> None:
    others = [".unfinished", ".unfinished-notes", ".unverified-Ab345678", "unverified-abcd1234"]
    for name in others:
        (tmp_path / name).write_text("")
    scratch.sweep(tmp_path)
    assert _names(tmp_path) == sorted(others)
