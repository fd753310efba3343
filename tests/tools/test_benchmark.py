"""The arithmetic of the benchmark on its own clock, and its measures on tiny settings."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import subprocess
from typing import Any

import pytest
import tensorflow as tf

from bignas_tf.search_space import presets
from bignas_tf.search_space.architecture import Stage
from bignas_tf.selection.evaluator import Evaluator
from tests.interpreter import python
from tests.search_space import spaces
from tools.benchmarks import MEASURES, candidate, cases, harness, report, step

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).resolve().parents[2]
Row = harness.Row


class Clock:
    """Time that passes only when a run says so."""

    def __init__(self) -> None:
        self.now = 0.0
        self.runs: list[str] = []

    def __call__(self) -> float:
        return self.now

    def run(self, name: str, *seconds: float) -> Any:
        """A run that takes one of `seconds` after the other."""
        left = list(seconds)

        def run() -> None:
            self.runs.append(name)
            self.now += left.pop(0)

        return run


def test_sides_alternate_after_a_warm_up_that_is_not_counted() -> None:
    clock = Clock()
    sides = [clock.run("a", 100, 1, 2, 3), clock.run("b", 100, 10, 20, 30)]
    samples = harness.alternate(sides, repeats=3, clock=clock)
    assert "".join(clock.runs) == "abababab"
    assert samples == [[1, 2, 3], [10, 20, 30]]


def test_a_sample_of_several_calls_is_their_mean() -> None:
    clock = Clock()
    samples = harness.alternate([clock.run("a", 100, 1, 3, 5, 9)], 2, calls=2, clock=clock)
    assert samples == [[2, 7]]


def test_once_counts_the_first_run() -> None:
    clock = Clock()
    assert harness.once(clock.run("a", 5), clock) == 5


@pytest.mark.parametrize(
    ("row", "ratio"),
    [
        (Row("time", "s", [[1, 2, 9], [4, 6, 8]]), 3.0),  # 6 s against our 2 s
        (Row("rate", "images/s", [[10, 30, 90], [20, 20, 20]]), 1.5),
        (
            Row("more work", "ms", [[4], [2]], work=1.5),
            0.75,
        ),  # twice the time, 1.5 times the work
        (Row("alone", "s", [[1]]), None),
        (Row("nothing", "s", skipped="not installed"), None),
    ],
)
def test_the_ratio_is_above_1_where_we_are_faster(row: Row, ratio: float | None) -> None:
    assert row.ratio == ratio


def test_units_and_spread() -> None:
    assert harness.milliseconds([[0.5], [2.0]]) == [[500], [2000]]
    assert harness.rates(100, [[0.5, 2.0]]) == [[200, 50]]
    assert harness.spread([1, 2, 3, 4, 5]) == pytest.approx(100 * (4 - 2) / 3)
    assert harness.spread([7]) == 0


@pytest.mark.parametrize(
    ("row", "target", "reached"),
    [
        (Row("a", "s", [[1], [2]], least_ratio=2.0), "ratio >= 2.00", True),
        (Row("a", "s", [[1], [1.9]], least_ratio=2.0), "ratio >= 2.00", False),
        (Row("a", "s", [[1]], least_ratio=2.0), "ratio >= 2.00", None),
        (Row("a", "s", [[3]], bound=3), "<= 3 s", True),
        (Row("a", "children/s", [[3]], bound=1e6), ">= 1,000,000 children/s", False),
        (Row("a", "s", [[3], [9]], bound=2, least_ratio=2.0), "ratio >= 2.00, <= 2 s", False),
        (Row("a", "s", [[3]]), "", None),
        (Row("a", "s", skipped="why", bound=3), "<= 3 s", None),
    ],
)
def test_targets(row: Row, target: str, reached: bool | None) -> None:
    assert (row.target, row.reached) == (target, reached)


def test_what_was_skipped_is_named_in_table_and_json() -> None:
    row = Row("lite", "ms", [[1.0]], "peer", skipped="no module named peer", note="a note")
    assert "skipped: no module named peer" in report.table([row])
    assert report.table([row, row]).count("a note") == 1
    assert row.to_json()["skipped"] == "no module named peer"
    assert row.to_json()["reference"] is None


def _benchmark(*arguments: str) -> subprocess.CompletedProcess[str]:
    return python("-m", "tools.benchmark", *arguments, timeout_s=120)


@pytest.mark.parametrize(
    ("measure", "expected"),
    [("cost", set(presets.PRESETS)), ("startup", {"import bignas_tf", "tools.benchmark --help"})],
)
def test_a_measure_prints_a_table_and_writes_json(
    tmp_path: pathlib.Path, measure: str, expected: set[str]
) -> None:
    output = tmp_path / "new" / "figures.json"
    done = _benchmark(measure, "--repeats=1", f"--output={output}")
    assert (done.returncode, done.stderr) == (0, "")
    written = json.loads(output.read_text())
    assert written["machine"].keys() >= {"processor", "cores", "memory_bytes", "packages", "date"}
    assert written["settings"]["repeats"] == 1
    rows = written["measures"][measure]
    for part in expected:
        assert any(part in row["name"] for row in rows)
        assert part in done.stdout
    assert all(len(row["ours"]["samples"]) == 1 for row in rows)


def test_an_unknown_measure_exits_2_and_names_the_known_ones() -> None:
    done = _benchmark("speed")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: measure is 'speed'; choose from ")
    assert done.stderr.count("\n") == 1
    assert all(name in done.stderr for name in (*MEASURES, "all"))


def test_a_bucket_is_refused_before_anything_is_measured(tmp_path: pathlib.Path) -> None:
    done = _benchmark("cost", "--repeats=1", "--output=gs://bucket/figures.json")
    refused = "error: gs://bucket is remote; a local folder is needed\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", refused)


def test_a_folder_is_refused_before_anything_is_measured(tmp_path: pathlib.Path) -> None:
    done = _benchmark("cost", "--repeats=1", f"--output={tmp_path}")
    refused = f"error: --output={tmp_path} is a folder; name a file\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", refused)


@pytest.mark.parametrize(
    ("measure", "flag", "readers"),
    [
        ("cost", "search_space=nonsense", "step and candidate"),
        ("candidate", "batch_size=3", "step"),
        ("step", "images=2", "candidate and input"),
    ],
)
def test_a_flag_that_the_measure_does_not_read_is_refused(
    measure: str, flag: str, readers: str
) -> None:
    done = _benchmark(measure, f"--{flag}")
    refused = f"error: --{flag.split('=')[0]} has no effect on {measure}; it is for {readers}\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", refused)


def test_a_second_measure_exits_2() -> None:
    done = _benchmark("cost", "startup")
    assert done.returncode == 2
    assert "startup" in done.stderr


def test_every_measure_is_a_module() -> None:
    shared = {"__init__", "harness", "report", "cases"}
    modules = {path.stem for path in (ROOT / "tools" / "benchmarks").glob("*.py")}
    assert modules - shared == set(MEASURES)


@pytest.fixture
def tiny(tmp_path: pathlib.Path) -> harness.Settings:
    path = tmp_path / "space.yaml"
    stages = (Stage((4, 8), (1,), (3,), expands=(2,), se_ratio=0.0),)
    path.write_text(presets.to_yaml(dataclasses.replace(spaces.countable(), stages=stages)))
    return harness.Settings(repeats=1, search_space=str(path), batch_size=2, images=24)


def test_a_step_is_compared_twice_and_traced_once(
    tiny: harness.Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each child takes its time to trace, in each of five steps.
    for name in ("PAPER", "SMALL"):
        case = dataclasses.replace(getattr(cases, name), num_random=1)
        monkeypatch.setattr(cases, name, case)
    rows = step.measure(tiny)
    static, masks = ["static Keras children"] * 2, ["masks for random children", "masks for all"]
    assert [row.reference_name for row in rows] == [*static, "", *masks]
    assert [len(row.samples) for row in rows] == [2, 2, 1, 2, 2]
    assert all(seconds > 0 for row in rows for samples in row.samples for seconds in samples)
    assert rows[2].reached


def test_both_sides_of_a_candidate_give_the_same_accuracy(tiny: harness.Settings) -> None:
    case = cases.SMALL.given(tiny)
    supernet = case.supernet()
    for weight in supernet.trainable_variables:  # gammas of 0 would hide the residuals
        weight.assign(tf.random.stateless_normal(weight.shape, [weight.shape.num_elements(), 1]))
    architecture = supernet.space.biggest()
    calibration, scored = [case.images(case.calibrated)], [case.images(case.scored)]
    ours = candidate.evaluate(Evaluator(supernet, calibration), architecture, scored)
    assert ours == candidate.evaluate_static(supernet, architecture, calibration, scored)
    assert 0 < ours < 1


def test_a_candidate_is_compared(tiny: harness.Settings) -> None:
    compared, traced = candidate.measure(tiny)
    assert compared.ratio is not None
    assert len(traced.ours) == 1
