"""What does the project survive? A campaign in parts.

  python -m experiments.abuse --model_dir=runs/quickstart [--parts=input,kills] [--seed=0]

Parts input and requests work on the run of --model_dir, kills, neighbours and machine on a small
one of their own.

input: damaged files, thousands of them, for every reader. The run of --model_dir gives the valid
       ones, so it must have been judged, searched and exported, as the quickstart's is. A damaged
       file may be read, or refused with a message of the project; a traceback, a hang, a message
       of pages or a changed file is a failure. Each failing form is kept in --work_dir.
kills: each tool is killed at random moments and started again. The last run must leave what a run
       that nobody kills leaves, and nothing else. prepare_data unpacks an archive that is there
       already: a download is not killed.
neighbours: two tools at once on one run: two trainings, searches or exports, a search while
       training replaces its checkpoint, a report of what is being written. Each does its work or
       is refused in a line, and what is left is as if they had come one after another.
machine: each tool where the disk is full (needs root, for a small one) or read-only, memory short,
       the path relative, long or not ASCII, the home a file, the network gone (needs root) or the
       locale C. It works, or says what is lacking in a line, keeps what was there, and works once
       that is mended.
requests: odd requests to the run's exported child by the C++ session, gRPC and REST. Each is
       answered or refused, the next good one has its right answer, and memory does not grow.

suite: all tests, again and again: files, and tests in a file, in random order, while garbage is
       collected often. A test that fails once is a failure.

Each finished unit is in --work_dir/journal.jsonl at once: after a kill the same command continues.
Tools and meetings take turns: each has its first trial before any has its second.
Result: abuse.json in --results_dir, and exit code 1 if anything failed.
"""

from __future__ import annotations

import json
import logging
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from absl import flags

from bignas_tf import errors, files
from experiments.journal import Journal
from tools.cli import launch

_Outcomes = list[dict[str, Any]]
T = TypeVar("T")
PARTS = ("input", "kills", "neighbours", "machine", "requests", "suite")

_PARTS = flags.DEFINE_list("parts", list(PARTS), f"Any of {', '.join(PARTS)}.")
_MODEL_DIR = flags.DEFINE_string("model_dir", None, "Folder of a finished quickstart.")
_CASES = flags.DEFINE_integer(
    "cases", 10_000, "Number of damaged files, over all readers.", lower_bound=1
)
_FILES = flags.DEFINE_list("files", [], "Files to damage; all if empty.")
_KILLS = flags.DEFINE_integer("kills", 50, "Kills of each tool.", lower_bound=1)
_TOOLS = flags.DEFINE_list("tools", [], "Tools of kills and machine; all if empty.")
_TRIALS = flags.DEFINE_integer(
    "trials",
    6,
    "Of each meeting of neighbours, and of each tool and lack of machine.",
    lower_bound=1,
)
_MEETINGS = flags.DEFINE_list("meetings", [], "Meetings of neighbours; all if empty.")
_LACKS = flags.DEFINE_list("lacks", [], "What the machine lacks; all if empty.")
_REQUESTS = flags.DEFINE_integer("requests", 10_000, "By all three ways.", lower_bound=3)
_RUNS = flags.DEFINE_integer("runs", 10, "Runs of suite.", lower_bound=1)
_WORKERS = flags.DEFINE_integer("workers", 2, "Processes of each run of suite.", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 0, "Seed of damage, moments and orders.")
_WORK_DIR = flags.DEFINE_string(
    "work_dir", "runs/abuse", "Folder of the journal and of what failed."
)
_RESULTS_DIR = flags.DEFINE_string("results_dir", "experiments/results", "Folder of abuse.json.")


def main() -> None:
    _chosen("--parts", _PARTS.value, _MEASURES)
    if {"input", "requests"} & set(_PARTS.value):
        _check_run()
    from experiments.abuse import undisturbed

    work_dir = files.ensure_writable(_WORK_DIR.value)
    origin = {"campaign": "abuse", "code": undisturbed.code()}
    with Journal(work_dir / "journal.jsonl", origin) as journal:
        found = {part: _MEASURES[part](work_dir, journal) for part in PARTS if part in _PARTS.value}
    path = _results()
    files.write_json(path, _earlier(path) | found)
    failures = {part: outcome["failures"] for part, outcome in found.items() if outcome["failures"]}
    if failures:
        raise errors.RunError(f"failures: {failures}; see {path} and {work_dir}")


def _check_run() -> None:
    """Checks that --model_dir is of a quickstart, before anything is made."""
    if not _MODEL_DIR.value:
        raise errors.UsageError("input and requests need --model_dir, the folder of a quickstart")
    from experiments.abuse import readers

    readers.check_run(pathlib.Path(_MODEL_DIR.value))


def _results() -> pathlib.Path:
    return pathlib.Path(_RESULTS_DIR.value, "abuse.json")


def _earlier(path: pathlib.Path) -> dict[str, Any]:
    """The results of parts that were not asked for."""
    return json.loads(path.read_text()) if path.exists() else {}


def _chosen(flag: str, given: Sequence[str], known: Mapping[str, T]) -> list[T]:
    """Those that are given, in their own order; all if none is."""
    for name in given:
        errors.require_one_of(flag, name, known)
    return [each for name, each in known.items() if name in (given or known)]


def _input(work_dir: pathlib.Path, journal: Journal) -> dict[str, Any]:
    from experiments.abuse import damaged, readers

    by_file = {reader.file: reader for reader in readers.READERS}
    chosen = _chosen("--files", _FILES.value, by_file)
    cases = -(-_CASES.value // len(chosen))
    folder = pathlib.Path(_MODEL_DIR.value)
    outcomes = damaged.check_all(chosen, folder, cases, _SEED.value, journal, work_dir)
    outcomes = _with_others(outcomes, list(by_file))
    return {
        "seed": _SEED.value,
        "cases": sum(outcome["cases"] for outcome in outcomes),
        "failures": sum(sum(outcome["failures"].values()) for outcome in outcomes),
        "peak_mb": max(outcome["peak_mb"] for outcome in outcomes),
        "files": outcomes,
    }


def _with_others(outcomes: _Outcomes, order: Sequence[str]) -> _Outcomes:
    """These outcomes, and earlier ones of the files that --files left out, if of this seed."""
    earlier = _earlier(_results()).get("input", {})
    kept = earlier.get("files", []) if earlier.get("seed") == _SEED.value else []
    by_file = {outcome["file"]: outcome for outcome in [*kept, *outcomes]}
    return [by_file[name] for name in order if name in by_file]


def _kills(work_dir: pathlib.Path, journal: Journal) -> dict[str, Any]:
    from experiments.abuse import kills, small_run

    tools, place = _chosen("--tools", _TOOLS.value, small_run.BY_TOOL), _place(work_dir)
    return _in_turn(
        "tools",
        _KILLS.value,
        lambda count: [kills.check(tool, place, count, _SEED.value, journal) for tool in tools],
    )


def _neighbours(work_dir: pathlib.Path, journal: Journal) -> dict[str, Any]:
    from experiments.abuse import neighbours

    meetings = _chosen("--meetings", _MEETINGS.value, neighbours.BY_NAME)
    place = _place(work_dir)
    return _in_turn(
        "meetings",
        _TRIALS.value,
        lambda count: [
            neighbours.check(each, place, count, _SEED.value, journal) for each in meetings
        ],
    )


def _machine(work_dir: pathlib.Path, journal: Journal) -> dict[str, Any]:
    from experiments.abuse import lacks, machine, small_run

    tools = _chosen("--tools", _TOOLS.value, small_run.BY_TOOL)
    lacking = _chosen("--lacks", _LACKS.value, lacks.BY_NAME)
    place = _place(work_dir)
    return _in_turn(
        "tools",
        _TRIALS.value,
        lambda count: [
            outcome
            for tool in tools
            for outcome in machine.check(tool, lacking, place, count, _SEED.value, journal)
        ],
    )


def _place(work_dir: pathlib.Path) -> Any:
    """Where the small run is, made if it is missing."""
    from experiments.abuse import small_run

    place = small_run.Place((work_dir / "small_run").resolve())
    place.make_base()
    return place


def _in_turn(of: str, most: int, check: Callable[[int], _Outcomes]) -> dict[str, Any]:
    """All once, then all twice, and so on: a campaign that is interrupted has tried everything."""
    for count in range(1, most + 1):
        outcomes = check(count)
    failures = sum(len(outcome["problems"]) for outcome in outcomes)
    return {"seed": _SEED.value, "failures": failures, of: outcomes}


def _requests(work_dir: pathlib.Path, journal: Journal) -> dict[str, Any]:
    from experiments.abuse import requests, ways

    del work_dir
    logging.getLogger("grpc").setLevel(logging.CRITICAL)  # a traceback for each message it refuses
    version = pathlib.Path(_MODEL_DIR.value, "export", "1")
    each = -(-_REQUESTS.value // len(ways.WAYS))
    outcomes = requests.check_all(version, each, _SEED.value, journal)
    return {
        "seed": _SEED.value,
        "failures": sum(len(outcome["failures"]) for outcome in outcomes.values()),
        "ways": outcomes,
    }


def _suite(work_dir: pathlib.Path, journal: Journal) -> dict[str, Any]:
    from experiments.abuse import suite

    runs = suite.check(work_dir, _RUNS.value, _SEED.value, _WORKERS.value, journal)
    failures = sum(bool(run["problem"]) for run in runs)
    return {"seed": _SEED.value, "failures": failures, "runs": runs}


_MEASURES = {
    "input": _input,
    "kills": _kills,
    "neighbours": _neighbours,
    "machine": _machine,
    "requests": _requests,
    "suite": _suite,
}

if __name__ == "__main__":
    launch(main)
