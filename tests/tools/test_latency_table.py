"""The builder of latency tables, as a user types it: a table, its completion, and mistakes."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import re

import pytest

from bignas_tf import errors
from bignas_tf.api import latency
from bignas_tf.latency.table import LatencyTable
from bignas_tf.search_space import presets
from bignas_tf.search_space.architecture import Stage
from bignas_tf.search_space.parts import ModelSpace
from tests.forks import Forks
from tests.search_space import spaces
from tests.tools import commands

pytestmark = pytest.mark.slow

# Two blocks and two heads on each of two sides, and a stem.
SPACE = dataclasses.replace(
    spaces.countable(), stages=(Stage((4, 8), (1,), (3,), expands=(2,)),), head_widths=(8,)
)
MODELS = ModelSpace(SPACE, num_classes=3, input_channels=1)


def test_a_table_is_measured_completed_and_kept(forks: Forks, tmp_path: pathlib.Path) -> None:
    path, yaml = tmp_path / "latency" / "table.json", tmp_path / "space.yaml"
    yaml.write_text(presets.to_yaml(SPACE))
    flags = commands.arguments(
        {
            "search_space": yaml,
            "num_classes": 3,
            "input_channels": 1,
            "output": path,
            "children": 2,
            "resolutions": 8,
        }
    )
    done = forks.run("tools.latency_table", *flags)
    assert done.returncode == 0, done.stderr
    # On a slow machine lines of progress come in between.
    started = r"5 parts, 0 measured before\n(\d/5 parts, .*\n)*5/5 parts, 0 s left\n"
    assert re.match(started, done.stdout)
    compared = r"^2 random children .* sum over measured \d.*\)"  # a correlation if they differ
    assert re.search(compared, done.stdout, re.MULTILINE)
    table = LatencyTable.load(path)
    assert set(table.times) == set(MODELS.all_parts([8]))
    assert re.match(r"LiteRT \d.*, XNNPACK, float32, 1 thread; ", table.device)
    # Existing entries are not measured again.
    value = json.loads(path.read_text())
    value["entries"] = [value["entries"][0] | {"ms": 123.0}, *value["entries"][2:]]
    path.write_text(json.dumps(value))
    done = forks.run("tools.latency_table", *flags)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("5 parts, 4 measured before\n1/1 parts, 0 s left\n")
    completed = LatencyTable.load(path)
    assert completed.overhead_ms == table.overhead_ms
    assert set(completed.times) == set(table.times)
    assert [time for time in completed.times.values() if time > 100] == [123.0]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"resolutions": "8,9"}, "a resolution of 'countable' is 9; choose from [8, 10]"),
        ({"search_space": "nowhere"}, "search space 'nowhere' is neither a preset nor a file"),
        ({"output": "/proc/nowhere/table.json"}, "/proc/nowhere is not a writable folder"),
        ({"threads": 2}, "is of 'another device', this is 'LiteRT "),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    forks: Forks, tmp_path: pathlib.Path, change: dict[str, object], problem: str
) -> None:
    path, yaml = tmp_path / "table.json", tmp_path / "space.yaml"
    yaml.write_text(presets.to_yaml(SPACE))
    LatencyTable(str(path), "another device", 0.0, {}).save()
    given = {"search_space": yaml, "output": path} | change
    assert problem in commands.refuse(forks, "latency_table", **given)


def test_a_table_has_the_overhead_of_patches_of_one_size(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latency, "_device", lambda threads: "this device")
    path = str(tmp_path / "table.json")
    LatencyTable(path, "this device", 0.01, dict.fromkeys(MODELS.all_parts([8]), 1.0)).save()
    side = SPACE.base_resolution
    expected = rf"is for patches of {side} px with 1 channels, .* take {side} px with 3, whose over"
    with pytest.raises(errors.UsageError, match=expected):
        latency.latency_table(SPACE, path, num_classes=3, input_channels=3)
