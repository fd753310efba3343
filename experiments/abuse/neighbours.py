"""Two tools at once on one run: each must end, or be refused, as if it had been alone.

Three trials of a meeting take turns: both run, the second from a line that the first prints; the
first stands still (SIGSTOP) at a random moment until the second has ended; and the other way
around. Then commands run alone, and all that is left must be what the same commands leave one
after another.
"""

from __future__ import annotations

import dataclasses
import pathlib
import random
import re
import shutil
import signal
import threading
from collections.abc import Sequence
from typing import Any

from bignas_tf import errors
from bignas_tf.selection import result
from experiments.abuse import small_run, trials, undisturbed
from experiments.abuse.small_run import BY_TOOL, Command, Place
from experiments.abuse.undisturbed import Undisturbed
from experiments.journal import Journal
from tests.processes import Process

End = tuple[int, str]  # exit code, and what was written to stderr
_RUNNING = r"belongs to a (training run|search) that is running"
_NOT_YET = "holds no checkpoint|is not the folder of a training run"


@dataclasses.dataclass(frozen=True)
class Meeting:
    """Two commands that run at once.

    Attributes:
      name: of the meeting.
      begins_with: parts of the finished run that are there before.
      first: it starts first.
      second: the other one.
      last: run alone afterwards.
      refusal: pattern of a line with which one of the two may be refused; "" if none may.
      again: whether the second is started again and again while the first runs.
      searched: folder of a search of whatever checkpoint there was; it is compared with a lone
        search of the same one, and removed before the last commands.
    """

    name: str
    begins_with: tuple[str, ...]
    first: Command
    second: Command
    last: tuple[Command, ...] = ()
    refusal: str = ""
    again: bool = False
    searched: str = ""


def _with(tool: str, flags: str) -> Command:
    """A tool with flags beside its own; of a flag that is given twice the last counts."""
    command = BY_TOOL[tool]
    return dataclasses.replace(command, command_line=f"{command.command_line} {flags}")


_SPACE = 'task.model.search_space="{folder}/space.yaml"'
_TRAIN, _SEARCH, _EXPORT, _REPORT = (
    BY_TOOL[tool] for tool in ("train", "search", "export", "report")
)
_KEEP_ONE = _with("train", f"--params_override={_SPACE},trainer.max_to_keep=1")
_KEEP_ALL = _with("train", f"--params_override={_SPACE},trainer.max_to_keep={small_run.STEPS}")
MEETINGS = (
    Meeting("two trainings", (), _TRAIN, _TRAIN, (_TRAIN,), _RUNNING),
    Meeting("two searches in a folder", ("run",), _SEARCH, _SEARCH, (_SEARCH,), _RUNNING),
    Meeting(
        "two searches of a run",
        ("run",),
        _SEARCH,
        _with("search", "--output_dir={folder}/run/other"),
    ),
    Meeting("two exports", ("run", "run/search"), _EXPORT, _EXPORT),
    Meeting(
        "a search while training replaces the checkpoint",
        (),
        _KEEP_ONE,
        _SEARCH,
        (_KEEP_ONE, _SEARCH),
        _NOT_YET,
        searched="run/search",
    ),
    Meeting(
        "a report while training writes", (), _TRAIN, _REPORT, (_REPORT,), _NOT_YET, again=True
    ),
    Meeting("a report while a search writes", ("run",), _SEARCH, _REPORT, (_REPORT,), again=True),
)
BY_NAME = {meeting.name: meeting for meeting in MEETINGS}


def check(
    meeting: Meeting,
    place: Place,
    count: int,
    seed: int,
    journal: Journal,
    show: trials.Show = print,
) -> dict[str, Any]:
    """Lets two commands meet.

    Args:
      meeting: of which commands.
      place: of the trials, with its base.
      count: how many trials.
      seed: of the moments at which they meet.
      journal: keeps each trial; those that it has are not run again.
      show: is called with a line for each trial.

    Returns:
      How many trials there were, how often a command was refused, and the problem of each trial
      that failed.
    """

    def trial(number: int) -> trials.Result:
        return _trial(meeting, place, number, seed)

    key = {"part": "neighbours", "meeting": meeting.name}
    results = trials.do(key, count, seed, trial, journal, show)
    return {
        "meeting": meeting.name,
        "cases": count,
        "refused": sum(each["refused"] for each in results),
        "problems": trials.problems(results),
    }


def _trial(meeting: Meeting, place: Place, number: int, seed: int) -> trials.Result:
    commands = (meeting.first, meeting.second, *meeting.last)
    alone = undisturbed.find(place, meeting.begins_with, commands, right_from=len(commands) - 1)
    rng = random.Random(f"{seed} {meeting.name} {number}")
    way = (_both_run, _first_stands, _second_stands)[number % 3]
    with place.begun(meeting.begins_with) as folder:
        ends = way(meeting, folder, alone, rng)
        problem = problem_of(meeting, ends)
        searched = found_by(folder / meeting.searched) if meeting.searched else None
        try:
            problem = problem or _afterwards(meeting, folder, alone)
        except errors.RunError as error:
            problem = f"afterwards: {error}"
    if searched and not problem:
        problem = _searched_alone(meeting, place, *searched)
    refused = sum(code != 0 for code, _ in ends)
    return {"way": way.__name__[1:], "refused": refused, "problem": problem}


def _both_run(
    meeting: Meeting, folder: pathlib.Path, alone: Undisturbed, rng: random.Random
) -> list[End]:
    with small_run.started(meeting.first, folder) as first:
        first.printed(rng.randrange(max(1, alone.lines[0])))
        ends = [_end(meeting.second, folder)]
        while meeting.again and first.running:
            ends.append(_end(meeting.second, folder))
        return [first.end(), *ends]


def _first_stands(
    meeting: Meeting, folder: pathlib.Path, alone: Undisturbed, rng: random.Random
) -> list[End]:
    with small_run.started(meeting.first, folder) as first:
        _stop(first, rng.uniform(0, alone.seconds[0]))
        second = _end(meeting.second, folder)
        first.send(signal.SIGCONT)
        return [first.end(), second]


def _second_stands(
    meeting: Meeting, folder: pathlib.Path, alone: Undisturbed, rng: random.Random
) -> list[End]:
    with small_run.started(meeting.first, folder) as first:
        first.printed(rng.randrange(max(1, alone.lines[0])))
        with small_run.started(meeting.second, folder) as second:
            _stop(second, rng.uniform(0, alone.seconds[1]))
            end = first.end()
            second.send(signal.SIGCONT)
            return [end, second.end()]


def _stop(process: Process, moment: float) -> None:
    """Stops a process, in so many seconds."""
    timer = threading.Timer(moment, process.stand_still)
    timer.start()
    timer.join()


def _end(command: Command, folder: pathlib.Path) -> End:
    with small_run.started(command, folder) as process:
        return process.end()


def problem_of(meeting: Meeting, ends: Sequence[End]) -> str:
    """What must not happen, in a line; empty if each did its work or was clearly refused.

    Args:
      meeting: of the commands.
      ends: of each: exit code, and what it wrote to stderr.
    """
    for code, said in ends:
        if "Traceback" in said:
            return f"a traceback: {said[-300:]}"
        *_, last = said.splitlines() or [""]
        refused = code in (1, 2) and meeting.refusal and re.search(meeting.refusal, last)
        if code and not refused:
            return f"exit code {code}: {last[:300]}"
    return "" if any(code == 0 for code, _ in ends) else "none did its work"


def _afterwards(meeting: Meeting, folder: pathlib.Path, alone: Undisturbed) -> str:
    if meeting.searched:
        shutil.rmtree(folder / meeting.searched, ignore_errors=True)
    for command in meeting.last:
        small_run.end(command, folder)
    return alone.difference(folder)


def found_by(search: pathlib.Path) -> tuple[int, str] | None:
    """The step that a search took, and all that it found; None if it left no result."""
    path = search / "search.json"
    return (result.read(search).source.step, path.read_text()) if path.exists() else None


def _searched_alone(meeting: Meeting, place: Place, step: int, found: str) -> str:
    """How the result of a search differs from that of a lone one, of the same checkpoint."""
    with place.begun(meeting.begins_with) as folder:
        small_run.end(_KEEP_ALL, folder)
        (folder / "run" / "checkpoint").write_text(f'model_checkpoint_path: "ckpt-{step}"\n')
        small_run.end(meeting.second, folder)
        alone = found_by(folder / meeting.searched)
    return "" if alone == (step, found) else f"another result than a lone search of step {step}"
