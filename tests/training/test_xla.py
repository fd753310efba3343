"""The whole replica step under XLA: compiled once for all children, equal to the plain graph."""

from __future__ import annotations

import json
import pathlib
import tempfile

import numpy as np
import pytest
import tensorflow as tf

from bignas_tf.training import children
from bignas_tf.training.configs import SandwichConfig
from tests.processes import Process
from tests.training import runs, xla_steps


@pytest.mark.slow
def test_steps_under_xla() -> None:
    with tempfile.TemporaryDirectory() as dump:
        # XLA writes a file for every program that it compiles, under the name of the function.
        flags = f"--xla_dump_to={dump} --xla_dump_hlo_module_re=.*replica_step.*"
        with Process("tests.training.xla_steps", environment={"XLA_FLAGS": flags}) as steps:
            code, stderr = steps.end()
        assert code == 0, stderr
        compiled = list(pathlib.Path(dump).glob("module_*.before_optimizations.txt"))
    found = json.loads("".join(steps.lines))
    assert (len(compiled), found["traces"]) == (1, 1)
    assert len(found["xla"]) == xla_steps.STEPS
    # XLA sums in other orders, and updates carry that on: 2e-7 and 1e-5 were seen.
    np.testing.assert_allclose(found["xla"], found["plain"], rtol=1e-5)
    assert found["difference"] < 1e-3


def test_its_steps_draw_different_children(tmp_path: pathlib.Path) -> None:
    space, sandwich = runs.space_of(tmp_path, stages=runs.ONE_STAGE), SandwichConfig()
    sandwich.override(xla_steps.SANDWICH)
    drawn = {
        tuple(child.choice.numpy())
        for step in range(xla_steps.STEPS)
        for child in children.children(space, sandwich, tf.constant(step), 0)
        if child.role.startswith("random")
    }
    assert len(drawn) == xla_steps.STEPS
