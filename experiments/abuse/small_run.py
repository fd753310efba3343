"""A run that is trained in seconds, and the tools that work on it."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import shutil
from collections.abc import Iterator, Mapping, Sequence

import yaml

from bignas_tf import errors
from experiments.abuse import local_dataset, strays
from tests.processes import Process
from tests.selection import digits

STEPS = 12  # of its training; a checkpoint after each


@dataclasses.dataclass(frozen=True)
class Command:
    """A tool and its command line.

    Attributes:
      tool: module below `tools`.
      begins_with: parts of the finished run that are there before it starts.
      command_line: `{folder}` is replaced.
      words: of `starter`, which then starts the tool; none to start it as it is.
    """

    tool: str
    begins_with: tuple[str, ...]
    command_line: str
    words: tuple[str, ...] = ()

    def arguments(self, folder: pathlib.Path | str) -> list[str]:
        """The tool's module, and its flags for a folder."""
        flags = [each.replace("{folder}", str(folder)) for each in self.command_line.split()]
        starter = ["experiments.abuse.starter", *self.words] if self.words else []
        return [*starter, f"tools.{self.tool}", *flags]


COMMANDS = (
    Command(
        "train",
        (),
        "--config_file={folder}/experiment.yaml --model_dir={folder}/run "
        '--params_override=task.model.search_space="{folder}/space.yaml"',
    ),
    Command(
        "search",
        ("run",),
        "--model_dir={folder}/run --budgets_mflops=0.02,0.08 --output_dir={folder}/run/search",
    ),
    Command("judge", ("run",), "--model_dir={folder}/run"),
    Command(
        "export",
        ("run", "run/search"),
        "--model_dir={folder}/run --search_dir={folder}/run/search --output_dir={folder}/export",
    ),
    Command(
        "convert",
        ("run", "export"),
        "--model_dir={folder}/run --export_dir={folder}/export/child_0.02/1 --formats=float32,int8",
    ),
    Command(
        "finetune",
        ("run",),
        "--config_file={folder}/experiment.yaml --params_override=trainer.train_steps=4 "
        "--model_dir={folder}/run --architecture=smallest --output_dir={folder}/finetuned",
    ),
    Command("report", ("run", "run/search"), "--model_dir={folder}/run"),
    Command(
        "latency_table",
        ("run",),
        "--search_space={folder}/space.yaml --resolutions=8 --children=2 "
        "--output={folder}/table.json",
    ),
    Command(
        "prepare_data",
        (),
        "--dataset=local_digits --data_dir={folder}/data --manual_dir={folder}/archive",
        ("local_data",),
    ),
)
BY_TOOL = {command.tool: command for command in COMMANDS}
# Which of them make what the others begin with, in this order.
_MAKERS = ("train", "search", "export")


class Place:
    """Where cases run, one after another.

    Args:
      folder: keeps the finished run beside the case.

    Attributes:
      base: folder of the finished run.
      case: folder of the case.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self.base, self.case = folder / "base", folder / "case"

    def make_base(self) -> None:
        """Makes the finished run, with a search and exports, unless it is there already."""
        if (self.base / "made").exists():
            return
        shutil.rmtree(self.base, ignore_errors=True)
        _begin(self.base)
        for tool in _MAKERS:
            end(BY_TOOL[tool], self.base)
        (self.base / "made").touch()

    @contextlib.contextmanager
    def begun(
        self, parts: Sequence[str], case: pathlib.Path | None = None
    ) -> Iterator[pathlib.Path]:
        """A folder with parts of the finished run, which is removed at the end.

        Args:
          parts: as in `Command.begins_with`.
          case: the folder; `self.case` if None. It may be there already, and empty.
        """
        folder = case or self.case
        shutil.rmtree(self.case, ignore_errors=True)
        _begin(folder)
        for part in parts:
            shutil.copytree(self.base / part, folder / part, ignore=self._later)
        yield folder
        shutil.rmtree(self.case, ignore_errors=True)

    def _later(self, folder: str, names: list[str]) -> list[str]:
        """What in the folder of a run comes after training, and is copied by its own name."""
        del names
        return ["search"] if pathlib.Path(folder) == self.base / "run" else []


def _begin(folder: pathlib.Path) -> None:
    (folder / "tmp").mkdir(parents=True)
    local_dataset.write_archive(folder / "archive")
    every_step = {"steps_per_loop": 1, "checkpoint_interval": 1, "summary_interval": 1}
    trainer = digits.EXPERIMENT["trainer"] | every_step | {"train_steps": STEPS}
    experiment = digits.EXPERIMENT | {"trainer": trainer}
    (folder / "space.yaml").write_text(yaml.safe_dump(digits.SPACE))
    (folder / "experiment.yaml").write_text(yaml.safe_dump(experiment))


def started(
    command: Command,
    folder: pathlib.Path,
    argument: pathlib.Path | str = "",
    environment: Mapping[str, str] | None = None,
) -> Process:
    """Starts a command.

    Args:
      command: the tool.
      folder: of the case; its temporary files are in there.
      argument: the folder as the command line spells it; as it is if empty.
      environment: variables beside those of this process.
    """
    variables = {**strays.variables(folder), **(environment or {})}
    return Process(*command.arguments(argument or folder), environment=variables)


def end(command: Command, folder: pathlib.Path) -> int:
    """Runs a command to its end.

    Returns:
      How many lines it printed.

    Raises:
      RunError: it failed.
    """
    with started(command, folder) as process:
        code, problem = process.end()
    if code:
        raise errors.RunError(f"exit code {code}: {problem[-300:]}")
    if "Traceback" in problem:
        raise errors.RunError(f"a traceback: {problem[-300:]}")
    return len(process.lines)
