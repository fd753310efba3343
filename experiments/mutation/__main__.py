"""Which changes of the code do the tests notice?

  pip install cosmic-ray==8.7.0 pytest-cov==7.1.0
  python -m pytest --cov=bignas_tf --cov-context=test --cov-config=experiments/mutation/coverage.ini
      --junitxml=runs/mutation/times.xml
  python -m experiments.mutation [--count=400] [--seed=0]

A sample of places in bignas_tf is changed, one at a time, in a copy of the repository: another
operator or number, a condition turned round, a decorator or the turns of a loop left out. The tests
that run the changed line follow, the quickest first, until one fails. Annotations are left alone,
and so is what only a tool in a process of its own runs: there the tests of the file's other lines
must do.

Each mutant is in --work_dir/journal.jsonl at once: after a kill the same command continues.
Result: mutation.json in --results_dir.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import difflib
import pathlib
import queue
import shutil
import subprocess
from collections.abc import Callable, Sequence
from typing import Any

from absl import flags

from bignas_tf import errors, files
from experiments.journal import Entry, Journal
from experiments.mutation import code_mutants, sharing, trial
from experiments.mutation.code_mutants import CodeMutant
from experiments.mutation.covering import Covering
from tools.cli import launch

_FOLDERS = ("layers", "modeling", "search_space", "training", "selection")

_COUNT = flags.DEFINE_integer("count", 400, "Mutants.", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 0, "Of the places and changes.")
_SECONDS = flags.DEFINE_integer(
    "seconds", 120, "Of tests for each mutant, as long as they took when all ran.", lower_bound=1
)
_PROCESSES = flags.DEFINE_integer("processes", 1, "Mutants at once.", lower_bound=1)
_WORK_DIR = flags.DEFINE_string(
    "work_dir", "runs/mutation", "Folder of `coverage`, times.xml, the copies and the journal."
)
_RESULTS_DIR = flags.DEFINE_string("results_dir", "experiments/results", "Folder of mutation.json.")
_ROOT = pathlib.Path(__file__).resolve().parents[2]


def main() -> None:
    work_dir = files.ensure_writable(_WORK_DIR.value).resolve()
    extra = sharing.extra_seconds(work_dir / "fixtures.json")
    covering = Covering(work_dir / "coverage", work_dir / "times.xml", extra)
    folders = [f"bignas_tf/{folder}" for folder in _FOLDERS]
    mutants = code_mutants.sample(_ROOT, folders, _COUNT.value, _SEED.value)
    copies: queue.SimpleQueue[pathlib.Path] = queue.SimpleQueue()
    for number in range(_PROCESSES.value):
        copies.put(_copy(work_dir / f"copy{number}"))

    def outcome(mutant: CodeMutant) -> dict[str, Any]:
        copy = copies.get()
        try:
            return _try(mutant, covering, copy)
        finally:
            copies.put(copy)

    _check(mutants[0], covering, work_dir / "copy0")
    with Journal(work_dir / "journal.jsonl", {"campaign": "mutation", "commit": _commit()}) as done:
        outcomes = _all(mutants, outcome, done)
    path = pathlib.Path(_RESULTS_DIR.value, "mutation.json")
    files.write_json(path, _summary(mutants, outcomes))


def _check(mutant: CodeMutant, covering: Covering, copy: pathlib.Path) -> None:
    """Tests must pass as the code is: otherwise they would catch everything."""
    tests = covering.tests(mutant.path, mutant.line, _SECONDS.value)
    ended = trial.run(copy, tests, 60 + 5 * covering.seconds(tests))
    if ended.ended != trial.SURVIVED:
        raise errors.RunError(f"tests fail without a change: {ended.said}; see {copy}/trial.log")


def _copy(folder: pathlib.Path) -> pathlib.Path:
    """A new clone: of what is committed, without earlier changes."""
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run(["git", "clone", "--quiet", str(_ROOT), str(folder)], check=True)
    return folder


def _commit() -> str:
    command = ["git", "rev-parse", "HEAD"]
    return subprocess.run(
        command, cwd=_ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()


def _try(mutant: CodeMutant, covering: Covering, copy: pathlib.Path) -> dict[str, Any]:
    """Changes the copy, runs the tests of that line, and changes it back."""
    tests = covering.tests(mutant.path, mutant.line, _SECONDS.value)
    if not tests:
        return {"ended": trial.SURVIVED, "said": "no test runs this file", "tests": 0}
    path = copy / mutant.path
    source = path.read_text()
    changed = code_mutants.changed(source, mutant)
    path.write_text(changed)
    try:
        ended = trial.run(copy, tests, 60 + 5 * covering.seconds(tests))
    finally:
        path.write_text(source)
    return {**ended._asdict(), "tests": len(tests), "change": _difference(source, changed)}


def _difference(before: str, after: str) -> list[str]:
    """The lines that differ, as "- …" and "+ …"."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return [line for line in lines if not line.startswith(("---", "+++", "@@"))]


def _all(
    mutants: Sequence[CodeMutant], outcome: Callable[[CodeMutant], dict[str, Any]], journal: Journal
) -> list[dict[str, Any]]:
    """The outcome of each mutant, in order; new ones are journalled as they end."""
    keys = [dataclasses.asdict(mutant) for mutant in mutants]
    with concurrent.futures.ThreadPoolExecutor(_PROCESSES.value) as pool:
        waiting = {
            pool.submit(outcome, mutant): key
            for mutant, key in zip(mutants, keys, strict=True)
            if journal.get(key) is None
        }
        try:
            for future in concurrent.futures.as_completed(waiting):
                key, result = waiting[future], future.result()
                journal.add(key, Entry(result, 0.0))
                ended = f"{result['ended']}: {result['said']}"
                print(f"{key['path']}:{key['line']} {ended}", flush=True)
        finally:
            pool.shutdown(cancel_futures=True)  # or an error would be told hours later
    return [entry.result for entry in map(journal.get, keys) if entry]


def _summary(mutants: Sequence[CodeMutant], outcomes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    survivors = [
        {"path": mutant.path, "line": mutant.line, "change": outcome.get("change", [])}
        for mutant, outcome in zip(mutants, outcomes, strict=True)
        if outcome["ended"] == trial.SURVIVED
    ]
    return {
        "commit": _commit(),
        "seed": _SEED.value,
        "mutants": len(mutants),
        "caught": len(mutants) - len(survivors),
        "survivors": survivors,
    }


if __name__ == "__main__":
    launch(main)
