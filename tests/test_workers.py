"""Processes of one run: what they share, and how they part."""

from __future__ import annotations

import os
import pathlib

import pytest

from tests.processes import Process, free_hosts


@pytest.mark.slow
def test_no_worker_leaves_before_all_are_done(tmp_path: pathlib.Path) -> None:
    """One that did now and then took along what the chief was still to get from it."""
    fifo, events = tmp_path / "fifo", tmp_path / "events"
    os.mkfifo(fifo)
    gate = os.open(fifo, os.O_RDWR)  # which never waits for the chief
    module, hosts = ("tests.leaving", str(fifo), str(events)), free_hosts(2)
    with (
        Process(*module, hosts=hosts, index=0) as chief,
        Process(*module, hosts=hosts, index=1) as other,
    ):
        for worker in (chief, other):
            worker.until("a word")
        os.write(gate, b"!")
        ends = [chief.end(), other.end()]
    os.close(gate)
    assert [code for code, _ in ends] == [0, 0], "\n".join(stderr for _, stderr in ends)
    assert events.read_text().splitlines() == ["the chief is done", "the other leaves"]
