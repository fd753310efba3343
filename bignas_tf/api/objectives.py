"""The objectives that searches may limit, by the names that budgets give them."""

from __future__ import annotations

import dataclasses
import functools
import re
import shlex
import shutil
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from bignas_tf import errors, machine, plain, scratch
from bignas_tf.api import arguments, counting, failures
from bignas_tf.latency import children, user_command
from bignas_tf.latency.disposable import Disposable
from bignas_tf.latency.table import LatencyTable
from bignas_tf.modeling import slicing
from bignas_tf.search_space import part
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.search_space.parts import ModelSpace
from bignas_tf.selection.objectives import Measurement, Objective
from bignas_tf.training.checkpoints import Run

_PLOT = "hypervolume"  # of every search, beside those of its objectives
_TAKEN = "_top1"  # the journal knows accuracies by it
_LEAST = 1e-6  # of a cost: records have six decimals
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")  # budgets and files have it


@dataclasses.dataclass(frozen=True)
class Options:
    """How latency is measured.

    Attributes:
      threads: of LiteRT.
      table: path of a latency table.
      command: a user's own, as typed; it is called with the folder of a child as its last
        argument and prints milliseconds.
      within: YAML file of the part of the space that is searched; "" for all of it.
    """

    threads: int = 1
    table: str | None = None
    command: str | None = None
    within: str = ""


def own(given: Sequence[Objective], limited: Collection[str]) -> dict[str, Objective]:
    """A user's own objectives by name, whose costs are checked as they come.

    Args:
      given: what the user made.
      limited: the objectives that budgets limit.

    Raises:
      UsageError: what is none, a name that is taken or cannot be part of a file's, or an objective
        that is measured for no budget.
    """
    found: dict[str, Objective] = {}
    for each in arguments.listed(given):
        errors.require(isinstance(each, Objective), "an objective", each, "a bignas.Objective")
        fits = isinstance(each.name, str) and _NAME.fullmatch(each.name) is not None
        fits = fits and not each.name.endswith(_TAKEN) and each.name != _PLOT
        takes = f"letters, digits and _, up to 40, a letter first, no {_TAKEN} at the end, and"
        takes += f" not {_PLOT}"
        errors.require(fits, "the name of an objective", each.name, takes)
        arguments.text(f"the title of {each.name}", each.title)
        arguments.text(f"the unit of {each.name}", each.unit)
        measure, counted = each.measure, each.counted
        errors.require(callable(measure), f"measure of {each.name}", measure, "a function")
        known = isinstance(counted, bool)
        errors.require(known, f"counted of {each.name}", counted, "True or False")
        if each.name in (*counting.COUNTED, *counting.LATENCIES, *found):
            raise errors.UsageError(
                f"there is an objective {each.name!r} already; name it otherwise"
            )
        if not (each.counted or each.name in limited):
            raise errors.UsageError(
                f"{each.name} would be measured for no budget; add a budget {each.name}=..., or "
                "leave the objective out"
            )
        found[each.name] = dataclasses.replace(each, measure=functools.partial(_checked, each))
    return found


def _checked(objective: Objective, architecture: Architecture) -> Measurement:
    """What a user's function says of a child."""
    try:
        figure = objective.measure(architecture)
        errors.require(isinstance(figure, Measurement), "what it gives", figure, "a Measurement")
        cost = plain.number("its value", figure.value, above=_LEAST)
        spread = None if figure.spread is None else plain.number("its spread", figure.spread)
        errors.require(spread is None or spread >= 0, "its spread", spread, "0 or more")
        return Measurement(cost, spread)
    except (errors.OutOfMemoryError, errors.MachineError):
        raise
    except (errors.UsageError, errors.RunError) as error:
        raise errors.RunError(f"{objective.name}: {error}") from error


def build(
    names: Sequence[str], run: Run, options: Options, elsewhere: Disposable
) -> tuple[Objective, ...]:
    """Makes objectives of a run's children.

    Args:
      names: which, in the order wanted.
      run: whose supernet gives the children.
      options: what they need.
      elsewhere: what latency is measured in; open while it is.

    Raises:
      UsageError: an unknown name, or an option that is missing, wrong or of no use.
    """
    counting.check_names(names)
    _check_used(names, options)
    counted = [name for name in names if name in counting.COUNTED]
    made = {name: counting.objective(name, run.supernet.cost_of) for name in counted}
    if timed := [name for name in names if name not in made]:
        setting = _Setting(run, options, counting.model_space_of(run), elsewhere)
        made |= {name: _LATENCIES[name](setting) for name in timed}
    return tuple(made[name] for name in names)


def _check_used(names: Sequence[str], options: Options) -> None:
    """Refuses options of objectives that no budget limits: they would change nothing."""
    given = {
        ("latency_table", "table_ms"): options.table is not None,
        ("latency_command", "command_ms"): options.command is not None,
        ("threads", "litert_ms"): options.threads != 1,
    }
    for (flag, name), is_given in given.items():
        if is_given and name not in names:
            raise errors.UsageError(
                f"{flag} is for {name}, which no budget limits; add a budget {name}=..., or leave "
                f"{flag} out"
            )


class _Setting(NamedTuple):
    """What latency is measured with; `elsewhere` does it in its own process."""

    run: Run
    options: Options
    models: ModelSpace
    elsewhere: Disposable


def _table(setting: _Setting) -> Objective:
    run, options, models, _ = setting
    if not options.table:
        raise errors.UsageError(
            "table_ms needs latency_table, a file that the tool and the function of that name "
            "write; docs/searching.md describes it"
        )
    table = LatencyTable.load(options.table)
    searched = part.read(run.space, options.within) if options.within else run.space
    # At every resolution: mutation reaches those outside the coarse grid.
    table.require(models, searched, run.model_dir)

    def measure(architecture: Architecture) -> Measurement:
        return Measurement(table.milliseconds(models, architecture))

    return Objective("table_ms", "latency by table", "ms", measure)


def _saved_model(setting: _Setting) -> Objective:
    elsewhere, models = setting.elsewhere, setting.models

    def measure(architecture: Architecture) -> Measurement:
        timing = failures.of_child(elsewhere, children.saved_model, models, architecture)
        return Measurement(*timing)

    # A search that continues after an update would compare the times of two runtimes.
    title = f"latency in TensorFlow {machine.versions()['tensorflow']}, CPU"
    return Objective("saved_model_ms", title, "ms", measure, counted=False)


def _litert(setting: _Setting) -> Objective:
    version = children.litert_version("litert_ms")
    elsewhere, models, threads = setting.elsewhere, setting.models, setting.options.threads

    def measure(architecture: Architecture) -> Measurement:
        timing = failures.of_child(elsewhere, children.litert, models, architecture, threads)
        return Measurement(*timing)

    title = f"latency in LiteRT {version}, {threads} thread{'s' if threads > 1 else ''}"
    return Objective("litert_ms", title, "ms", measure, counted=False)


def _command(setting: _Setting) -> Objective:
    words = _words(setting.options.command)
    elsewhere, models, net = setting.elsewhere, setting.models, setting.run.supernet

    def measure(architecture: Architecture) -> Measurement:
        weights = list(slicing.slices(net, architecture, slicing.uncalibrated(net)))
        with scratch.temporary() as temporary:
            folder = str(temporary / "child")
            failures.of_child(elsewhere, children.write, models, architecture, weights, folder)
            return Measurement(user_command.milliseconds(words, folder))

    title = f"latency by `{setting.options.command}`"
    return Objective("command_ms", title, "ms", measure, counted=False)


def _words(command: str | None) -> list[str]:
    """Returns the words of a command, after checking that it can be started."""
    text = arguments.text("latency_command", command or "")
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise errors.UsageError(f"latency_command {command!r}: {error}") from error
    if not words:
        raise errors.UsageError(
            "command_ms needs latency_command: it gets the folder of a child as its last "
            "argument and prints milliseconds"
        )
    if not shutil.which(words[0]):
        raise errors.UsageError(f"latency_command: {words[0]!r} is not an executable on the PATH")
    return words


_LATENCIES: dict[str, Callable[[_Setting], Objective]] = {
    "saved_model_ms": _saved_model,
    "litert_ms": _litert,
    "table_ms": _table,
    "command_ms": _command,
}
