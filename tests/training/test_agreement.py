"""What the workers of a run must have alike, and what each may have for itself."""

from __future__ import annotations

import pathlib

import pytest

from bignas_tf.search_space import presets
from bignas_tf.training import agreement
from tests.training import runs


@pytest.mark.parametrize("field", ["init_checkpoint", "distillation.teacher"])
def test_a_worker_without_what_the_others_start_or_learn_from_differs(
    tmp_path: pathlib.Path, field: str
) -> None:
    """Each has it in a place of its own, but all have it or none."""
    space = presets.get("bignas_small")
    config = runs.parse(tmp_path)
    group, _, name = f"task.{field}".rpartition(".")
    holder = config.task if group == "task" else config.task.distillation

    def known(value: str) -> object:
        setattr(holder, name, value)
        return agreement._known(0, config, space)

    assert known("here/run") == known("/mnt/there/run")
    assert known("") != known("here/run")
