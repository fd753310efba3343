"""What a machine may lack: room, permission, memory, a home, a network, a plain path."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import random
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

_MB = 1 << 20


@dataclasses.dataclass(frozen=True)
class Lack:
    """Something that a machine lacks; by default nothing.

    Attributes:
      name: of it.
      refusal: pattern of the line with which a tool may refuse to work; "" if it must work.
      aborts: whether a library may end the process, which no tool can prevent.
      warning: pattern of the line with which a tool says that it did without a part of its work;
        "" if it may not.
      unavailable: gives why it cannot be tried here; "" if it can.
      folder: gives where the tool works, which is in the folder of the trial or is that.
      argument: gives that folder as the command line spells it.
      environment: gives variables that the tool is started with, for that folder.
      words: gives how `starter` starts the tool.
      prepared: context of the whole trial, in its folder.
      lacking: context in which it is lacking, mended at the end; of the trial's folder, of how much
        is lacking, and of the bytes that the tool adds where nothing is.
    """

    name: str
    refusal: str = ""
    aborts: bool = False
    warning: str = ""
    unavailable: Callable[[], str] = lambda: ""
    folder: Callable[[pathlib.Path], pathlib.Path] = lambda case: case
    argument: Callable[[pathlib.Path], str] = str
    environment: Callable[[pathlib.Path], dict[str, str]] = lambda folder: {}
    words: Callable[[random.Random], tuple[str, ...]] = lambda rng: ()
    prepared: Callable[[pathlib.Path], AbstractContextManager[None]] = lambda case: (
        contextlib.nullcontext()
    )
    lacking: Callable[[pathlib.Path, random.Random, int], AbstractContextManager[None]] = (
        lambda case, rng, added: contextlib.nullcontext()
    )


@contextlib.contextmanager
def _own_disk(case: pathlib.Path) -> Iterator[None]:
    """A small disk in memory, which only root can mount."""
    case.mkdir(parents=True, exist_ok=True)
    _run("mount", "-t", "tmpfs", "none", str(case))
    try:
        yield
    finally:
        _run("umount", "--lazy", str(case))


def _no_disk() -> str:
    with tempfile.TemporaryDirectory() as folder:
        try:
            with _own_disk(pathlib.Path(folder)):
                return ""
        except (OSError, subprocess.CalledProcessError) as error:
            return f"no disk can be mounted here ({error})"


@contextlib.contextmanager
def _little_room(case: pathlib.Path, rng: random.Random, added: int) -> Iterator[None]:
    """Room for a part of what the tool writes, drawn anew for each trial."""
    disk = os.statvfs(case)
    used = (disk.f_blocks - disk.f_bfree) * disk.f_frsize
    _remount(case, f"size={used + int(rng.uniform(0, 1) * added)}")
    yield
    _remount(case, f"size={used + 100 * added + 100 * _MB}")


@contextlib.contextmanager
def _read_only(case: pathlib.Path, rng: random.Random, added: int) -> Iterator[None]:
    """A folder that nobody may write to, root included."""
    _remount(case, "ro")
    yield
    _remount(case, "rw")


def _remount(case: pathlib.Path, option: str) -> None:
    _run("mount", "-o", f"remount,{option}", str(case))


def _no_unsharing() -> str:
    try:
        _run("unshare", "--net", "true")
    except (OSError, subprocess.CalledProcessError) as error:
        return f"the network cannot be taken away here ({error})"
    return ""


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


LACKS = (
    Lack(
        "room on the disk",
        refusal="No space left on device",
        unavailable=_no_disk,
        prepared=_own_disk,
        lacking=_little_room,
    ),
    Lack(
        "permission to write",
        refusal="Read-only file system",
        unavailable=_no_disk,
        prepared=_own_disk,
        lacking=_read_only,
    ),
    Lack(
        "memory",  # of the process, from what a start takes to more than it needs
        refusal=(
            "memory (or disk )?ran out|out of memory|Cannot allocate memory|failed to map segment|"
            r"can't start new thread|Resource temporarily unavailable|pthread_create\(\) failed"
        ),
        aborts=True,
        warning=r"warning: \d+ of \d+ children failed",
        words=lambda rng: (f"memory={int(10 ** rng.uniform(0.5, 3.3))}",),
    ),
    # Spaces, an apostrophe, an ampersand and letters of several scripts; a thousand characters; a
    # name that is longer than any file system takes, so that whatever is read first is not there.
    Lack("a plain name", folder=lambda case: case / "Ünï çødé & l'été 目录 😀"),
    Lack(
        "a short path", folder=lambda case: case.joinpath(*(f"{n}{'long' * 30}" for n in range(8)))
    ),
    Lack("a possible path", refusal=".", argument=lambda folder: str(folder / ("x" * 300))),
    Lack("an absolute path", argument=os.path.relpath),
    # A file, in which not even root can make a folder.
    Lack("a home", environment=lambda folder: {"HOME": str(folder / "space.yaml")}),
    Lack("a network", unavailable=_no_unsharing, words=lambda rng: ("no_network",)),
    Lack("a language", words=lambda rng: ("locale_c",)),
)
BY_NAME = {lack.name: lack for lack in LACKS}
