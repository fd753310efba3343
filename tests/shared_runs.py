"""A supernet trained for a moment, and what follows from it, made once for the whole session.

Whichever worker of pytest-xdist needs something first makes it, and the others wait for it. Tests
only read it; `copy_dir` is for those that change a run.
"""

from __future__ import annotations

import fcntl
import json
import pathlib
import re
from collections.abc import Callable

import pytest
import yaml

from tests.forks import Forks
from tests.forks import shared as shared_forks
from tests.tools import commands
from tests.tools.commands import BUDGETS

# Names are data, whatever is in them.
LABELS = ["../up", "tab\t", *"23456789"]
LICENCE = "CC0-1.0"


class SharedFolder:
    """What all workers of a session see.

    Args:
      folder: theirs.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder

    def once(self, name: str, make: Callable[[], str]) -> str:
        """Returns what `make` returned to the first worker that asked for this name."""
        made = self.folder / f"{name}.json"
        with open(self.folder / f"{name}.lock", "w") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)  # waits for the worker that makes it
            if not made.exists():
                made.write_text(json.dumps(make()))
            return json.loads(made.read_text())


@pytest.fixture(scope="session")
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> SharedFolder:
    # Each worker has its own folder in that of the session.
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if hasattr(request.config, "workerinput") else base) / "shared"
    folder.mkdir(exist_ok=True)
    return SharedFolder(folder)


@pytest.fixture(scope="session")
def forks() -> Forks:
    """Where commands run whose start as `python -m` is not what is tested."""
    return shared_forks()


@pytest.fixture(scope="session")
def run_dir(shared: SharedFolder, forks: Forks) -> pathlib.Path:
    """A supernet trained for a moment."""
    folder = shared.folder / "digits"
    printed = shared.once("train", lambda: _train(forks, folder))
    lines = [line for line in printed.splitlines() if line.startswith("step ")]
    assert "  loss: " in lines[-2]
    assert re.search(r"  top-1: smallest \d+\.\d\d%  ", lines[-1])
    return folder / "run"


def _train(forks: Forks, folder: pathlib.Path) -> str:
    from tests.selection import digits  # slow import, of TensorFlow

    folder.mkdir(exist_ok=True)
    (folder / "space.yaml").write_text(yaml.safe_dump(digits.SPACE))
    (folder / "experiment.yaml").write_text(yaml.safe_dump(digits.EXPERIMENT))
    return commands.run(
        forks,
        "train",
        experiment="bignas_small",
        config_file=folder / "experiment.yaml",
        params_override=f"task.model.search_space={folder / 'space.yaml'}",
        model_dir=folder / "run",
    )


@pytest.fixture(scope="session")
def search_dir(shared: SharedFolder, forks: Forks, run_dir: pathlib.Path) -> pathlib.Path:
    folder = run_dir / "search"
    budgets = ",".join(map(str, BUDGETS))
    flags = {"model_dir": run_dir, "budgets_mflops": budgets, "output_dir": folder}
    printed = shared.once("search", lambda: commands.run(forks, "search", **flags))
    assert f"\n{BUDGETS[-1]}: " in printed
    assert "got the same child" not in printed
    return folder


@pytest.fixture(scope="session")
def judged(shared: SharedFolder, forks: Forks, run_dir: pathlib.Path) -> str:
    """What the judgement of the run printed; it is in the run's folder."""
    return shared.once("judge", lambda: commands.run(forks, "judge", model_dir=run_dir))


@pytest.fixture(scope="session")
def family_dir(
    shared: SharedFolder, forks: Forks, run_dir: pathlib.Path, search_dir: pathlib.Path
) -> pathlib.Path:
    """An export of the child for each budget."""
    base, names = run_dir / "export", run_dir.parent / "names.json"
    flags = {"search_dir": search_dir, "output_dir": base, "labels": names, "licence": LICENCE}

    def export() -> str:
        names.write_text(json.dumps(LABELS))
        return commands.run(forks, "export", model_dir=run_dir, **flags)

    printed = shared.once("export", export)
    assert printed == "".join(f"{base}/child_{budget}/1\n" for budget in BUDGETS)
    return base


@pytest.fixture(scope="session")
def version_dir(family_dir: pathlib.Path) -> pathlib.Path:
    """The export of the child for the larger budget."""
    return family_dir / f"child_{BUDGETS[-1]}" / "1"
