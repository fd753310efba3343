"""Objectives by their names: what they count and measure, and what they refuse."""

from __future__ import annotations

import importlib.metadata
import math
import pathlib
import re
import stat

import pytest
import tensorflow as tf

from bignas_tf import errors
from bignas_tf.api import counting, objectives
from bignas_tf.api.objectives import Options
from bignas_tf.latency.disposable import Disposable
from bignas_tf.latency.table import LatencyTable
from bignas_tf.search_space.parts import ModelSpace
from bignas_tf.training import checkpoints
from tests.selection import digits

ELSEWHERE = Disposable()  # starts no process before something is measured


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> checkpoints.Run:
    """A run as it is loaded, with random weights."""
    folder = tmp_path_factory.mktemp("run")
    config = digits.parse(folder)
    return checkpoints.Run(str(folder), config, digits.space(), digits.supernet(), "", 0, "")


def _table(run: checkpoints.Run, path: pathlib.Path, sides: tuple[int, ...]) -> str:
    """A file in which every part takes a quarter of a millisecond, and the call one."""
    parts = ModelSpace(run.space, digits.CLASSES, 1).all_parts(sides)
    LatencyTable(str(path), "a device", 1.0, dict.fromkeys(parts, 0.25)).save()
    return str(path)


def test_counted_objectives_are_millions_of_what_a_child_costs(run: checkpoints.Run) -> None:
    child = run.space.biggest()
    cost = run.supernet.cost_of(child)
    built = objectives.build(list(counting.COUNTED), run, Options(), ELSEWHERE)
    assert all(objective.counted for objective in built)
    measured = {o.name: (o.measure(child), o.unit) for o in built}
    assert measured == {
        "mflops": ((cost.macs / 1e6, None), "M"),
        "params_m": ((cost.params / 1e6, None), "M"),
        "activation_mb": ((cost.peak_activation_bytes / 1e6, None), "MB"),
    }


def test_what_is_known_without_tensorflow_is_what_can_be_measured() -> None:
    assert set(objectives._LATENCIES) == set(counting.LATENCIES)


def test_a_table_is_looked_up(run: checkpoints.Run, tmp_path: pathlib.Path) -> None:
    path = _table(run, tmp_path / "table.json", run.space.eval_resolutions)
    (objective,) = objectives.build(["table_ms"], run, Options(table=path), ELSEWHERE)
    assert objective.counted
    # Stem, three blocks and head; the smallest child has one block less.
    assert objective.measure(run.space.biggest()) == (1 + 5 * 0.25, None)
    assert objective.measure(run.space.smallest()) == (1 + 4 * 0.25, None)


@pytest.mark.slow
def test_both_runtimes_measure_a_child(run: checkpoints.Run) -> None:
    built = objectives.build(["litert_ms", "saved_model_ms"], run, Options(threads=2), ELSEWHERE)
    assert [objective.counted for objective in built] == [False, False]
    # With their versions: a search that continues compares no times of two runtimes.
    versions = importlib.metadata.version("ai-edge-litert"), tf.__version__
    assert [objective.title for objective in built] == [
        f"latency in LiteRT {versions[0]}, 2 threads",
        f"latency in TensorFlow {versions[1]}, CPU",
    ]
    for objective in built:
        value, spread = objective.measure(run.space.smallest())
        assert 0 < value < math.inf
        assert spread is not None
        assert 0 <= spread < math.inf


@pytest.mark.slow
def test_a_command_measures_the_files_of_a_child(
    run: checkpoints.Run, tmp_path: pathlib.Path
) -> None:
    script = tmp_path / "size in bytes"
    script.write_text('#!/bin/sh\nls "$2/saved_model" >&2\nwc -c < "$2/$1"\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    command = f"'{script}' child_float32.tflite"
    (objective,) = objectives.build(["command_ms"], run, Options(command=command), ELSEWHERE)
    assert not objective.counted
    ends = run.space.smallest(), run.space.biggest()
    (small, spread), (large, _) = (objective.measure(end) for end in ends)
    assert spread is None
    # Four bytes a parameter, and the graph.
    assert 4 * run.supernet.cost_of(ends[0]).params < small < large


@pytest.mark.parametrize(
    ("name", "options", "problem"),
    [
        ("mflop", Options(), "a budget's objective is 'mflop'; choose from"),
        ("mflops", Options(threads=2), "threads is for litert_ms, which no budget limits"),
        ("mflops", Options(table="nowhere.json"), "latency_table is for table_ms, which no"),
        ("litert_ms", Options(command="true"), "latency_command is for command_ms, which no"),
        ("table_ms", Options(), "table_ms needs latency_table"),
        ("table_ms", Options(table="nowhere.json"), "nowhere.json cannot be read"),
        ("command_ms", Options(), "command_ms needs latency_command"),
        ("command_ms", Options(command=" "), "command_ms needs latency_command"),
        ("command_ms", Options(command=5), "latency_command is 5; it takes text"),  # type: ignore[arg-type]
        ("command_ms", Options(command="time '"), 'latency_command "time \'": No closing'),
        ("command_ms", Options(command="./nowhere 1"), "'./nowhere' is not an executable"),
    ],
)
def test_mistakes_are_told_before_the_search(
    run: checkpoints.Run, name: str, options: Options, problem: str
) -> None:
    with pytest.raises(errors.UsageError, match=re.escape(problem)):
        objectives.build(["mflops", name], run, options, ELSEWHERE)


def test_a_table_must_hold_every_resolution(run: checkpoints.Run, tmp_path: pathlib.Path) -> None:
    path = _table(run, tmp_path / "table.json", run.space.eval_resolutions[:1])
    with pytest.raises(errors.UsageError, match=r"lacks \d+ entries .* --resolutions=8,9,10 "):
        objectives.build(["table_ms"], run, Options(table=path), ELSEWHERE)
