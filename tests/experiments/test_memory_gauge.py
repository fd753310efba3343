"""The gauge sees what a process takes and gives back."""

from __future__ import annotations

import gc
import io
import sys

import numpy as np
import pytest

from experiments import memory_gauge

MIB = 1024  # KiB


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
