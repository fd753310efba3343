"""A supernet trained for a moment, and what follows from it; made once for all tests of tools."""

from __future__ import annotations

import pathlib
import shutil
from collections.abc import Iterator

import pytest
import tensorflow as tf
import yaml

from tests.selection import digits
from tests.selection.digits import STEPS
from tests.tools import commands
from tests.tools.commands import BUDGETS
from tests.tools.forks import Forks


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """Where commands run that are refused, or need no fresh process."""
    forks = Forks()
    yield forks
    forks.close()


@pytest.fixture(scope="session")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A supernet trained for a moment."""
    folder = tmp_path_factory.mktemp("digits")
    (folder / "space.yaml").write_text(yaml.safe_dump(digits.SPACE))
    (folder / "experiment.yaml").write_text(yaml.safe_dump(digits.EXPERIMENT))
    printed = commands.succeed(
        "train",
        experiment="bignas_small",
        config_file=folder / "experiment.yaml",
        params_override=f"task.model.search_space={folder / 'space.yaml'}",
        model_dir=folder / "run",
    )
    assert f"step {STEPS}/{STEPS}  loss: " in printed
    assert f"step {STEPS}/{STEPS}  top-1: smallest 0." in printed
    return folder / "run"


@pytest.fixture(scope="session")
def search_dir(run_dir: pathlib.Path) -> pathlib.Path:
    folder = run_dir / "search"
    budgets = ",".join(map(str, BUDGETS))
    flags = {"model_dir": run_dir, "budgets_mflops": budgets, "output_dir": folder}
    assert f"\n{BUDGETS[-1]}: " in commands.succeed("search", **flags)
    return folder


@pytest.fixture(scope="session")
def judged(run_dir: pathlib.Path) -> str:
    """What the judgement of the run printed; it lies in the run's folder."""
    return commands.succeed("judge", model_dir=run_dir)


@pytest.fixture(scope="session")
def version_dir(run_dir: pathlib.Path, search_dir: pathlib.Path) -> pathlib.Path:
    """An export of the child for the larger budget."""
    child = search_dir / f"child_{BUDGETS[-1]}.json"
    base = run_dir / "export"
    printed = commands.succeed("export", model_dir=run_dir, architecture=child, output_dir=base)
    assert printed == f"{base}/1\n"
    return base / "1"


@pytest.fixture
def copy_dir(run_dir: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    """The run without its searches, exports and judgement, for a test to break."""
    ignored = shutil.ignore_patterns("search", "export", "judgement.json")
    copy = shutil.copytree(run_dir, tmp_path / "copy", ignore=ignored)
    # The checkpoint file names its checkpoint by a path below the folder it lies in.
    assert tf.train.latest_checkpoint(str(copy)) == str(copy / f"ckpt-{STEPS}")
    return copy
