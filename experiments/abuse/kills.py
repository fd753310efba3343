"""Tools killed at random moments: the next run must end as if nobody had killed anything.

Each tool is killed by SIGKILL at a moment drawn from its whole time, and started again; every
third time the second run is killed as well. What the last, undisturbed run leaves is compared
with what undisturbed runs leave: the same files, none beside them, and the same bytes wherever
two undisturbed runs agree.
"""

from __future__ import annotations

import pathlib
import random
import signal
import threading
from typing import Any

from bignas_tf import errors
from experiments.abuse import small_run, trials, undisturbed
from experiments.abuse.small_run import Command, Place
from experiments.journal import Journal

_PAIRS = 3  # one case in this many kills twice


def check(
    victim: Command,
    place: Place,
    kills: int,
    seed: int,
    journal: Journal,
    show: trials.Show = print,
) -> dict[str, Any]:
    """Kills a tool at random moments, and starts it again.

    Args:
      victim: the tool.
      place: of the cases; its base is made if the tool begins with parts of it.
      kills: how many cases, each of one kill or two.
      seed: of their moments.
      journal: keeps each case; those that it has are not run again.
      show: is called with a line for each case.

    Returns:
      How many cases and kills there were, and the problem of each case that failed.
    """

    def case(number: int) -> trials.Result:
        return _case(victim, place, number, seed)

    key = {"part": "kills", "tool": victim.tool}
    results = trials.do(key, kills, seed, case, journal, show)
    return {
        "tool": victim.tool,
        "cases": kills,
        "killed": sum(sum(result["killed"]) for result in results),
        "problems": trials.problems(results),
    }


def _case(victim: Command, place: Place, number: int, seed: int) -> trials.Result:
    """One kill, or two, and the run that follows."""
    rng = random.Random(f"{seed} {victim.tool} {number}")
    alone = undisturbed.once_or_twice(victim, place)
    moments = [rng.uniform(0, alone.seconds[0]) for _ in range(1 + (number % _PAIRS == 0))]
    with place.begun(victim.begins_with) as folder:
        # One that ended before its moment is not run for the next one: only what is done twice is
        # known to be right.
        killed: list[bool] = []
        try:
            for moment in moments:
                if all(killed):
                    killed.append(kill(victim, folder, moment))
            small_run.end(victim, folder)
            problem = alone.difference(folder)
        except errors.RunError as error:
            problem = str(error)
    tried = [round(each, 2) for each in moments[: len(killed)]]
    return {"moments_s": tried, "killed": killed, "problem": problem}


def kill(victim: Command, folder: pathlib.Path, moment: float) -> bool:
    """Whether the tool still ran at that moment, in seconds from its start.

    Raises:
      RunError: it had failed before.
    """
    with small_run.started(victim, folder) as process:
        timer = threading.Timer(moment, process.send, [signal.SIGKILL])
        timer.start()
        code, said = process.end()
        timer.cancel()
    if code not in (0, -signal.SIGKILL):
        raise errors.RunError(f"exit code {code} before it was killed: {errors.cut(said, 300)}")
    return code == -signal.SIGKILL
