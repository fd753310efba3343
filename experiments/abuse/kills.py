"""Tools killed at random moments: the next run must end as if nobody had killed anything.

Each tool is killed by SIGKILL at a moment drawn from its whole time, and started again; every
third time the second run is killed as well. What the last, undisturbed run leaves is compared
with what undisturbed runs leave: the same files, none beside them, and the same bytes wherever
two undisturbed runs agree.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import pathlib
import random
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import yaml

from bignas_tf import errors
from experiments.journal import Entry, Journal
from tests.processes import Process
from tests.selection import digits

_STEPS = 12  # of the training that is killed; a checkpoint after each
_PAIRS = 3  # one case in this many kills twice
# TensorBoard's files, one for each start of a run, and TensorFlow's temporary ones.
_NOT_OURS = ("events.out.tfevents.", "__autograph_generated_file")
Tree = dict[str, str]


@dataclasses.dataclass(frozen=True)
class Victim:
    """A tool that is killed.

    Attributes:
      tool: module below `tools`.
      begins_with: parts of the finished run that are there before it starts.
      command_line: `{folder}` is replaced.
    """

    tool: str
    begins_with: tuple[str, ...]
    command_line: str

    def arguments(self, folder: pathlib.Path) -> list[str]:
        """The tool's module, and its flags for a folder whose name has no space."""
        return [f"tools.{self.tool}", *self.command_line.format(folder=folder).split()]


VICTIMS = (
    Victim(
        "train",
        (),
        "--config_file={folder}/experiment.yaml --model_dir={folder}/run "
        "--params_override=task.model.search_space={folder}/space.yaml",
    ),
    Victim(
        "search",
        ("run",),
        "--model_dir={folder}/run --budgets_mflops=0.02,0.08 --output_dir={folder}/run/search",
    ),
    Victim("judge", ("run",), "--model_dir={folder}/run"),
    Victim(
        "export",
        ("run", "run/search"),
        "--model_dir={folder}/run --search_dir={folder}/run/search --output_dir={folder}/export",
    ),
    Victim(
        "convert",
        ("run", "export"),
        "--model_dir={folder}/run --export_dir={folder}/export/child_0.02/1 --formats=float32,int8",
    ),
    Victim(
        "finetune",
        ("run",),
        "--config_file={folder}/experiment.yaml --params_override=trainer.train_steps=4 "
        "--model_dir={folder}/run --architecture=smallest --output_dir={folder}/finetuned",
    ),
    Victim("report", ("run", "run/search"), "--model_dir={folder}/run"),
    Victim(
        "latency_table",
        ("run",),
        "--search_space={folder}/space.yaml --resolutions=8 --children=2 "
        "--output={folder}/table.json",
    ),
)
TOOLS = tuple(victim.tool for victim in VICTIMS)
# Which of them make what the others begin with, in this order.
_MAKERS = ("train", "search", "export")


def check(
    victim: Victim,
    folder: pathlib.Path,
    kills: int,
    seed: int,
    journal: Journal,
    show: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Kills a tool at random moments, and starts it again.

    Args:
      victim: the tool.
      folder: where `make_base` has made what tools begin with; cases run beside that.
      kills: how many cases, each of one kill or two.
      seed: of their moments.
      journal: keeps each case; those that it has are not run again.
      show: is called with a line for each case.

    Returns:
      How many cases and kills there were, and the problem of each case that failed.
    """
    undisturbed: _Undisturbed | None = None
    results = []
    for number in range(kills):
        key = {"part": "kills", "tool": victim.tool, "number": number, "seed": seed}
        entry = journal.get(key)
        if entry is None:
            undisturbed = undisturbed or _Undisturbed(victim, folder)
            began = time.monotonic()
            entry = Entry(_case(undisturbed, number, seed), time.monotonic() - began)
            journal.add(key, entry)
            outcome = entry.result["problem"] or "as if never killed"
            show(f"{victim.tool} {number + 1}/{kills}: {outcome}")
        results.append(entry.result)
    return {
        "tool": victim.tool,
        "cases": kills,
        "killed": sum(sum(result["killed"]) for result in results),
        "problems": {
            number: result["problem"] for number, result in enumerate(results) if result["problem"]
        },
    }


def make_base(folder: pathlib.Path) -> None:
    """Makes a small run with a search and exports, unless it is there already."""
    base = folder / "base"
    if (base / "made").exists():
        return
    shutil.rmtree(base, ignore_errors=True)
    _begin(base)
    for victim in VICTIMS:
        if victim.tool in _MAKERS:
            _end(victim, base)
    (base / "made").touch()


def _begin(folder: pathlib.Path) -> None:
    (folder / "tmp").mkdir(parents=True)
    every_step = {"steps_per_loop": 1, "checkpoint_interval": 1, "summary_interval": 1}
    trainer = digits.EXPERIMENT["trainer"] | every_step | {"train_steps": _STEPS}
    experiment = digits.EXPERIMENT | {"trainer": trainer}
    (folder / "space.yaml").write_text(yaml.safe_dump(digits.SPACE))
    (folder / "experiment.yaml").write_text(yaml.safe_dump(experiment))


class _Undisturbed:
    """What a tool leaves where nobody kills it.

    A tool may be killed when its work is done already, and then does it once more. So the trees
    after one run and after two are both right.

    Args:
      victim: the tool.
      folder: see `check`.
    """

    def __init__(self, victim: Victim, folder: pathlib.Path) -> None:
        self.victim = victim
        self._base, self._place = folder / "base", folder / "case"
        first, self.seconds = self._twice()
        second, _ = self._twice()
        self._trees = [agreeing(*pair) for pair in zip(first, second, strict=True)]

    def _twice(self) -> tuple[list[Tree], float]:
        trees = []
        with self.begun() as folder:
            began = time.monotonic()
            _end(self.victim, folder)
            seconds = time.monotonic() - began
            trees.append(_tree(folder))
            _end(self.victim, folder)
            trees.append(_tree(folder))
        return trees, seconds

    @contextlib.contextmanager
    def begun(self) -> Iterator[pathlib.Path]:
        """A folder with all that the tool begins with."""
        shutil.rmtree(self._place, ignore_errors=True)
        _begin(self._place)
        for part in self.victim.begins_with:
            shutil.copytree(self._base / part, self._place / part, ignore=self._later)
        yield self._place
        shutil.rmtree(self._place)

    def _later(self, folder: str, names: list[str]) -> list[str]:
        """What in the folder of a run comes after training, and is copied by its own name."""
        del names
        return ["search"] if pathlib.Path(folder) == self._base / "run" else []

    def difference(self, tree: Tree) -> str:
        """How a tree differs from all that are right, in a line; empty if it is right."""
        found = [difference(right, tree) for right in self._trees]
        return "" if "" in found else found[0]


def agreeing(one: Tree, other: Tree) -> Tree:
    """Where two undisturbed runs differ, only that the file is there is asked."""
    if one.keys() != other.keys():
        raise errors.RunError(
            f"undisturbed runs leave different files: {one.keys() ^ other.keys()}"
        )
    return {path: digest if other[path] == digest else "" for path, digest in one.items()}


def difference(right: Tree, tree: Tree) -> str:
    """What a tree lacks, has beside what is right, or has with other bytes; empty if nothing."""
    for what, paths in (
        ("missing", right.keys() - tree.keys()),
        ("left", tree.keys() - right.keys()),
    ):
        if paths:
            return f"{what}: {', '.join(sorted(paths))[:200]}"
    changed = [path for path, digest in right.items() if digest and tree[path] != digest]
    return f"other bytes: {', '.join(sorted(changed))[:200]}" if changed else ""


def _case(undisturbed: _Undisturbed, number: int, seed: int) -> dict[str, object]:
    """One kill, or two, and the run that follows."""
    rng = random.Random(f"{seed} {undisturbed.victim.tool} {number}")
    moments = [rng.uniform(0, undisturbed.seconds) for _ in range(1 + (number % _PAIRS == 0))]
    with undisturbed.begun() as folder:
        killed = [_kill(undisturbed.victim, folder, moment) for moment in moments]
        try:
            _end(undisturbed.victim, folder)
            problem = undisturbed.difference(_tree(folder))
        except errors.RunError as error:
            problem = str(error)
    return {"moments_s": [round(each, 2) for each in moments], "killed": killed, "problem": problem}


def _kill(victim: Victim, folder: pathlib.Path, moment: float) -> bool:
    """Whether the tool still ran at that moment, in seconds from its start."""
    with _started(victim, folder) as process:
        timer = threading.Timer(moment, process.send, [signal.SIGKILL])
        timer.start()
        code, _ = process.end()
        timer.cancel()
    return code == -signal.SIGKILL


def _end(victim: Victim, folder: pathlib.Path) -> None:
    with _started(victim, folder) as process:
        code, problem = process.end()
    if code:
        raise errors.RunError(f"exit code {code}: {problem[-300:]}")
    if "Traceback" in problem:
        raise errors.RunError(f"a traceback: {problem[-300:]}")


def _started(victim: Victim, folder: pathlib.Path) -> Process:
    return Process(*victim.arguments(folder), environment={"TMPDIR": str(folder / "tmp")})


def _tree(folder: pathlib.Path) -> Tree:
    """The digest of each file by its path."""
    tree: Tree = {}
    for path in sorted(folder.rglob("*")):
        if not path.name.startswith(_NOT_OURS):
            content = b"" if path.is_dir() else path.read_bytes()
            tree[str(path.relative_to(folder))] = hashlib.sha256(content).hexdigest()
    return tree
