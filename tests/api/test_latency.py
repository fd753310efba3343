"""A latency table is refused before anything is measured, where it could not be kept."""

from __future__ import annotations

import dataclasses
import pathlib
import re
import sys
from collections.abc import Callable
from typing import Any

import pytest

from bignas_tf import errors, locking
from bignas_tf.api import latency
from bignas_tf.exports import probe
from bignas_tf.latency.disposable import Disposable
from bignas_tf.latency.table import LatencyTable
from bignas_tf.search_space.architecture import Stage
from bignas_tf.search_space.parts import Head
from tests.search_space import spaces


def _measure(path: pathlib.Path | str) -> None:
    latency.latency_table(spaces.countable(), path, num_classes=3, input_channels=1, show=_fail)


@pytest.mark.slow
def test_a_space_of_one_child_is_compared_without_a_correlation(tmp_path: pathlib.Path) -> None:
    stages = (Stage((4,), (1,), (3,), expands=(2,)),)
    one = dataclasses.replace(
        spaces.countable(), stages=stages, head_widths=(8,), eval_resolutions=(8,)
    )
    lines: list[str] = []
    latency.latency_table(
        one, tmp_path / "table.json", num_classes=3, input_channels=1, children=2,
        show=lines.append,
    )  # fmt: skip
    assert re.fullmatch(r"2 random children .*: sum over measured \S+ \(median; .*\)", lines[-1])


@pytest.mark.slow
def test_a_part_that_the_converter_refuses_is_a_failed_run(tmp_path: pathlib.Path) -> None:
    table = LatencyTable(str(tmp_path / "table.json"), "this", 0.0, {})
    negative = Head(side=2, in_width=4, mid_width=-1, classes=3)
    elsewhere = Disposable()
    with pytest.raises(errors.RunError, match=r"^ValueError: .*-1"):
        latency._measure(table, [negative], 1, elsewhere, lambda _: None)
    elsewhere.close()
    assert not (tmp_path / "table.json").exists()


def test_what_was_measured_before_a_failure_is_kept(tmp_path: pathlib.Path) -> None:
    class Failing(Disposable):
        def __call__(self, function: Callable[..., Any], *arguments: Any) -> Any:
            if arguments[0] != parts[0]:
                raise errors.MachineError("its process died")
            return probe.Timing(0.5, 0.1)

    parts = [Head(side=2, in_width=4, mid_width=width, classes=3) for width in (8, 16)]
    table = LatencyTable(str(tmp_path / "table.json"), "this", 0.0, {})
    with pytest.raises(errors.MachineError):
        latency._measure(table, parts, 1, Failing(), lambda _: None)
    assert LatencyTable.load(str(tmp_path / "table.json")).times == {parts[0]: 0.5}


def _fail(line: str) -> None:
    """Takes a line that comes once measuring begins."""
    raise AssertionError(line)


def test_a_folder_is_not_a_table(tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.UsageError, match=f"^output={tmp_path} is a folder; name a file"):
        _measure(tmp_path)
    # It would not be found where it is written, and so begun anew each time.
    with pytest.raises(errors.UsageError, match=r"/table/ is a folder; name a file"):
        _measure(f"{tmp_path}/table/")
    with pytest.raises(errors.UsageError, match=r"^output= is a folder; name a file"):
        _measure("")


@pytest.mark.parametrize("path", ["gs://b/table.json", "gs://table.json"])
def test_a_table_in_a_bucket_is_refused(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(errors.UsageError, match=f"^{path} is remote; a local folder is needed"):
        _measure(path)
    assert list(tmp_path.iterdir()) == []


def test_two_measurements_never_share_a_table(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "table.json"
    with (
        locking.locked(path, "a test", "--flag"),
        pytest.raises(errors.UsageError, match=r"belongs to a measurement that is running; .*put$"),
    ):
        _measure(path)
    assert not path.exists()


def test_a_missing_package_is_named(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)  # as where it has no wheel
    with pytest.raises(
        errors.UsageError, match=r"a latency table needs ai_edge_litert, .*pip install ai-e"
    ):
        _measure(tmp_path / "table.json")
