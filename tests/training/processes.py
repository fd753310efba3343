"""`python -m tools.train` in their own processes."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterator, Sequence

from tests.processes import Process, free_hosts


def training(
    folder: pathlib.Path,
    model_dir: pathlib.Path,
    overrides: str,
    hosts: Sequence[str] = (),
    index: int = 0,
) -> Process:
    """Starts a run.

    Args:
      folder: where `runs.parse` has written the experiment.
      model_dir: of the run.
      overrides: of the experiment.
      hosts: see `Process`.
      index: see `Process`.
    """
    return Process(
        "tools.train",
        f"--config_file={folder / 'experiment.yaml'}",
        f"--model_dir={model_dir}",
        f"--params_override={overrides}",
        hosts=hosts,
        index=index,
    )


@contextlib.contextmanager
def two_workers(
    folder: pathlib.Path, model_dir: pathlib.Path, overrides: str
) -> Iterator[tuple[Process, Process]]:
    """The chief and another worker of one run."""
    hosts = free_hosts(2)
    overrides = f"{overrides},runtime.distribution_strategy=multi_worker_mirrored"
    with (
        training(folder, model_dir, overrides, hosts, 0) as chief,
        training(folder, model_dir, overrides, hosts, 1) as other,
    ):
        yield chief, other
