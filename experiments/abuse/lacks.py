"""What a machine may lack: room, permission, memory, a home, a network, a plain path."""

from __future__ import annotations

import contextlib
import os
import pathlib
import random
import subprocess
import tempfile
from collections.abc import Iterator

_MB = 1 << 20


class Lack:
    """Something that a machine lacks; this one lacks nothing.

    Attributes:
      name: of it.
      refusal: pattern of the line with which a tool may refuse to work; "" if it must work.
      aborts: whether a library may end the process, which no tool can prevent.
      warning: pattern of the line with which a tool says that it did without a part of its work;
        "" if it may not.
    """

    name = "nothing"
    refusal = ""
    aborts = False
    warning = ""

    def unavailable(self) -> str:
        """Why it cannot be tried here; empty if it can."""
        return ""

    def folder(self, case: pathlib.Path) -> pathlib.Path:
        """Where the tool works, which is in `case` or is that."""
        return case

    def argument(self, folder: pathlib.Path) -> str:
        """The folder as the command line spells it."""
        return str(folder)

    def environment(self, folder: pathlib.Path) -> dict[str, str]:
        """Variables that the tool is started with."""
        del folder
        return {}

    def words(self, rng: random.Random) -> tuple[str, ...]:
        """How `starter` starts the tool."""
        del rng
        return ()

    @contextlib.contextmanager
    def prepared(self, case: pathlib.Path) -> Iterator[None]:
        """Context of the whole trial."""
        del case
        yield

    @contextlib.contextmanager
    def lacking(self, case: pathlib.Path, rng: random.Random, added: int) -> Iterator[None]:
        """Context in which it is lacking; mended at the end.

        Args:
          case: folder of the trial.
          rng: for how much is lacking.
          added: bytes that the tool adds to the folder where nothing is lacking.
        """
        del case, rng, added
        yield


class _OwnDisk(Lack):
    """A small disk in memory, which only root can mount."""

    def unavailable(self) -> str:
        with tempfile.TemporaryDirectory() as folder:
            try:
                with self.prepared(pathlib.Path(folder)):
                    return ""
            except (OSError, subprocess.CalledProcessError) as error:
                return f"no disk can be mounted here ({error})"

    @contextlib.contextmanager
    def prepared(self, case: pathlib.Path) -> Iterator[None]:
        case.mkdir(parents=True, exist_ok=True)
        _run("mount", "-t", "tmpfs", "none", str(case))
        try:
            yield
        finally:
            _run("umount", "--lazy", str(case))


class FullDisk(_OwnDisk):
    """Room for a part of what the tool writes, drawn anew for each trial."""

    name = "room on the disk"
    refusal = "No space left on device"

    @contextlib.contextmanager
    def lacking(self, case: pathlib.Path, rng: random.Random, added: int) -> Iterator[None]:
        disk = os.statvfs(case)
        used = (disk.f_blocks - disk.f_bfree) * disk.f_frsize
        _remount(case, f"size={used + int(rng.uniform(0, 1) * added)}")
        yield
        _remount(case, f"size={used + 100 * added + 100 * _MB}")


class ReadOnly(_OwnDisk):
    """A folder that nobody may write to, root included."""

    name = "permission to write"
    refusal = "Read-only file system"

    @contextlib.contextmanager
    def lacking(self, case: pathlib.Path, rng: random.Random, added: int) -> Iterator[None]:
        del rng, added
        _remount(case, "ro")
        yield
        _remount(case, "rw")


class Memory(Lack):
    """A limit on the process, from what a start takes to more than it needs."""

    name = "memory"
    refusal = (
        "memory (or disk )?ran out|out of memory|Cannot allocate memory|failed to map segment|"
        r"can't start new thread|Resource temporarily unavailable|pthread_create\(\) failed"
    )
    aborts = True
    warning = r"warning: \d+ of \d+ children failed"

    def words(self, rng: random.Random) -> tuple[str, ...]:
        return (f"memory={int(10 ** rng.uniform(0.5, 3.3))}",)


class PlainName(Lack):
    """A folder with spaces, an apostrophe, an ampersand and letters of several scripts."""

    name = "a plain name"

    def folder(self, case: pathlib.Path) -> pathlib.Path:
        return case / "Ünï çødé & l'été 目录 😀"


class ShortPath(Lack):
    """A folder whose path has a thousand characters."""

    name = "a short path"

    def folder(self, case: pathlib.Path) -> pathlib.Path:
        return case.joinpath(*[f"{number}{'long' * 30}" for number in range(8)])


class PossiblePath(Lack):
    """A folder with a name that is longer than any file system takes."""

    name = "a possible path"
    refusal = "."  # whatever is read first cannot be there

    def argument(self, folder: pathlib.Path) -> str:
        return str(folder / ("x" * 300))


class AbsolutePath(Lack):
    """A path from the folder in which the tool is started."""

    name = "an absolute path"

    def argument(self, folder: pathlib.Path) -> str:
        return os.path.relpath(folder)


class Home(Lack):
    """No folder can be made in $HOME, not even by root: it is a file."""

    name = "a home"

    def environment(self, folder: pathlib.Path) -> dict[str, str]:
        return {"HOME": str(folder / "space.yaml")}


class Network(Lack):
    """No network interface at all."""

    name = "a network"

    def unavailable(self) -> str:
        try:
            _run("unshare", "--net", "true")
        except (OSError, subprocess.CalledProcessError) as error:
            return f"the network cannot be taken away here ({error})"
        return ""

    def words(self, rng: random.Random) -> tuple[str, ...]:
        return ("no_network",)


class Language(Lack):
    """LC_ALL=C, from the start of the interpreter."""

    name = "a language"

    def words(self, rng: random.Random) -> tuple[str, ...]:
        return ("locale_c",)


LACKS = (
    FullDisk(),
    ReadOnly(),
    Memory(),
    PlainName(),
    ShortPath(),
    PossiblePath(),
    AbsolutePath(),
    Home(),
    Network(),
    Language(),
)
BY_NAME = {lack.name: lack for lack in LACKS}


def _remount(case: pathlib.Path, option: str) -> None:
    _run("mount", "-o", f"remount,{option}", str(case))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
