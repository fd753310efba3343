"""The gauge sees what a process takes and gives back."""

from __future__ import annotations

import gc
import io
import sys

import numpy as np
import pytest

from bignas_tf.selection.budgets import Budget
from bignas_tf.selection.progress import SearchProgress
from experiments import memory_gauge
from tests.selection import countable

MIB = 1024  # KiB


def test_lines_of_a_search_count() -> None:
    stream, lines = io.StringIO(), []
    progress = SearchProgress(countable.objectives(), lines.append)
    countable.search("coarse_to_fine", [Budget({"mflops": 0.05})], watcher=progress)
    gauge = memory_gauge.Gauge(memory_gauge.PROGRESS["candidate"], stream)
    print(*lines, sep="\n", file=gauge)
    scored = [line for line in lines if "top-1" in line]
    assert [done for done, *_ in gauge.readings] == list(range(1, len(scored) + 1))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc and glibc's allocator")
def test_readings_follow_what_is_held_and_only_lines_of_progress_count() -> None:
    gc.collect()  # or what earlier tests have left may be collected between two lines
    stream = io.StringIO()
    gauge = memory_gauge.Gauge(r"step (\d+)/", stream)
    print("step 1/3", file=gauge)
    held = np.ones(256 * MIB * 1024, np.uint8)
    print("step 2/3", file=gauge)
    print("not a step 9/3", file=gauge)
    del held
    print("step 3/3", file=gauge)
    assert stream.getvalue() == "step 1/3\nstep 2/3\nnot a step 9/3\nstep 3/3\n"
    done, resident, allocated = np.array(gauge.readings).T
    assert done.tolist() == [1, 2, 3]
    # Other threads may allocate meanwhile, but not a tenth of it.
    for kib in (resident, allocated):
        assert np.diff(kib) == pytest.approx([256 * MIB, -256 * MIB], rel=0.1)
