"""Tools on a machine that lacks something: each says so in a line, or works as ever.

A tool that refuses must leave what was there, and do its whole work once what was lacking is
there. A tool that works must leave what it leaves where nothing is lacking, unless it warns that it
did without a part.
"""

from __future__ import annotations

import collections
import dataclasses
import random
import re
from collections.abc import Sequence
from typing import Any

from bignas_tf import errors
from experiments.abuse import small_run, strays, trees, trials, undisturbed
from experiments.abuse.lacks import Lack
from experiments.abuse.small_run import Command, Place
from experiments.journal import Journal

_LONGEST = 2000  # characters of a message
_MISTAKE_OR_FAILURE = (errors.UsageError.exit_code, errors.RunError.exit_code)
_ERROR = "error: "
# The interpreter's, where it can print no more of an error in a destructor, nor end the line.
_CUT_SHORT = "Exception ignored in sys.unraisablehook: <built-in function unraisablehook>"
_WITHOUT = "did without a part"


def check(
    command: Command,
    lacks: Sequence[Lack],
    place: Place,
    count: int,
    seed: int,
    journal: Journal,
    show: trials.Show = print,
) -> list[dict[str, Any]]:
    """Starts a tool where something is lacking, and again where it is not.

    Args:
      command: the tool.
      lacks: what is lacking, one after another.
      place: of the trials, with its base.
      count: trials of each.
      seed: of what is drawn.
      journal: keeps each trial; those that it has are not run again.
      show: is called with a line for each trial.

    Returns:
      For each that is lacking how the trials ended, and the problem of each that failed; or why
      it could not be tried.
    """
    outcomes = []
    for lack in lacks:
        outcome: dict[str, Any] = {"tool": command.tool, "lack": lack.name}
        skipped = lack.unavailable()
        if skipped:
            outcomes.append(outcome | {"skipped": skipped, "problems": {}})
            continue

        def trial(number: int, lack: Lack = lack) -> trials.Result:
            return _trial(command, lack, place, number, seed)

        def named(line: str, lack: Lack = lack) -> None:
            show(f"{lack.name}: {line}")

        key = {"part": "machine", "lack": lack.name, "tool": command.tool}
        results = trials.do(key, count, seed, trial, journal, named)
        ended = collections.Counter(result["ended"] for result in results)
        outcomes.append(outcome | {"ended": dict(ended), "problems": trials.problems(results)})
    return outcomes


def _trial(
    command: Command,
    lack: Lack,
    place: Place,
    number: int,
    seed: int,
) -> trials.Result:
    alone = undisturbed.once_or_twice(command, place)
    rng = random.Random(f"{seed} {command.tool} {lack.name} {number}")
    limited = dataclasses.replace(command, words=(*lack.words(rng), *command.words))
    with (
        lack.prepared(place.case),
        place.begun(command.begins_with, lack.folder(place.case)) as folder,
    ):
        before = trees.tree(folder)
        with (
            lack.lacking(place.case, rng, alone.added),
            small_run.started(
                limited, folder, lack.argument(folder), lack.environment(folder)
            ) as process,
        ):
            code, said = process.end()
            after = trees.tree(folder)
        ended, problem = judge(code, process.lines, said, lack)
        problem = problem or trees.lost(before, after)
        try:
            if code:
                small_run.end(command, folder)
            without = ended == _WITHOUT
            problem = problem or (strays.left(folder) if without else alone.difference(folder))
        except errors.RunError as error:
            problem = problem or f"afterwards: {error}"
    return {"ended": ended, "said": _last(said)[:300] if code else "", "problem": problem}


def judge(code: int, printed: Sequence[str], said: str, lack: Lack) -> tuple[str, str]:
    """How a tool ended where something is lacking, and what is wrong with that.

    Args:
      code: its exit code; below 0 a signal.
      printed: its lines on stdout.
      said: what it wrote to stderr.
      lack: what was lacking.

    Returns:
      "worked", "did without a part", "refused", "aborted" or "failed", and the problem in a line,
      empty if there is none.
    """
    said = said.replace(_CUT_SHORT, f"{_CUT_SHORT}\n")
    last = _last(said)
    if "Traceback" in said:
        return "failed", f"a traceback: {said[-300:]}"
    if code == 0:
        warned = lack.warning and any(re.match(lack.warning, line) for line in printed)
        return (_WITHOUT if warned else "worked"), ""
    if code not in _MISTAKE_OR_FAILURE:
        return ("aborted", "") if lack.aborts else ("failed", f"exit code {code}: {last[:300]}")
    clear = [line for line in said.splitlines() if line.startswith(_ERROR)]
    if clear != [last] or len(last) > _LONGEST:
        return "failed", f"not one clear line: {said[-300:]}"
    if not lack.refusal or not re.search(lack.refusal, last):
        return "failed", f"refused: {last[:300]}"
    return "refused", ""


def _last(said: str) -> str:
    return (said.splitlines() or [""])[-1]
