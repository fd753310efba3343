"""All tests, again and again: in random order, while garbage is collected often."""

from __future__ import annotations

import pathlib
import subprocess
import sys
from xml.etree import ElementTree

from experiments.abuse import trials
from experiments.journal import Journal

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_NOT_PASSED = ("failure", "error")


def check(
    work_dir: pathlib.Path,
    count: int,
    seed: int,
    workers: int,
    journal: Journal,
    tests: pathlib.Path = _ROOT / "tests",
) -> list[trials.Result]:
    """Runs all tests.

    Args:
      work_dir: what each run printed is written there, as suite_<order>.txt.
      count: how often.
      seed: of the first order; the next one's is one more.
      workers: processes of a run, each with files of tests of its own.
      journal: keeps the results of each run.
      tests: folder of the tests.

    Returns:
      Of each run the seed of its order, how many tests passed and how many were skipped, its
      seconds, and in "problem" the names of tests that failed, or "".
    """
    return trials.do(
        {"part": "suite", "workers": workers},
        count,
        seed,
        lambda number: _run(work_dir.resolve(), tests, seed + number, workers),
        journal,
        lambda line: print(line, flush=True),
    )


def _run(work_dir: pathlib.Path, tests: pathlib.Path, order: int, workers: int) -> trials.Result:
    printed, report = work_dir / f"suite_{order}.txt", work_dir / f"suite_{order}.xml"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", str(tests)]
    command += ["-p", "experiments.abuse.disorder", f"--disorder={order}"]
    command += [f"--numprocesses={workers}", "--dist=loadfile", "--no-loadscope-reorder"]
    command += [f"--junitxml={report}"]
    with printed.open("w") as stream:
        done = subprocess.run(command, cwd=_ROOT, stdout=stream, stderr=subprocess.STDOUT)
    result = _read(report) if report.exists() else {"problem": ""}
    if done.returncode and not result["problem"]:
        result["problem"] = f"ended with exit code {done.returncode}; see {printed.name}"
    return {"order": order, **result}


def _read(report: pathlib.Path) -> trials.Result:
    suites = ElementTree.parse(report).getroot().findall("testsuite")
    cases = [case for suite in suites for case in suite.findall("testcase")]
    bad = [case for case in cases if any(case.find(kind) is not None for kind in _NOT_PASSED)]
    skipped = sum(case.find("skipped") is not None for case in cases)
    return {
        "passed": len(cases) - len(bad) - skipped,
        "skipped": skipped,
        "seconds": round(sum(float(suite.get("time", "0")) for suite in suites)),
        "problem": ", ".join(f"{case.get('classname')}::{case.get('name')}" for case in bad),
    }
