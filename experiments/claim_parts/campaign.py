"""A campaign: units of work, each done once whatever interrupts it, and what they share."""

from __future__ import annotations

import collections
import dataclasses
import functools
import itertools
import pathlib
import re
import shutil
import statistics
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import bignas_tf as bignas
from bignas_tf import errors
from bignas_tf.search_space import cost, presets
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.search_space.space import SearchSpace
from experiments.claim_parts import worker
from experiments.claim_parts.recipes import Recipe
from experiments.journal import Journal, digest

# The units that are needed: the kind of each first. One that several parts need is there once.
Plan = set[tuple[Any, ...]]


def units(kind: str, *choices: Iterable[Any]) -> Plan:
    """A unit for each combination of choices; one if there are none."""
    return set(itertools.product([kind], *choices))


@dataclasses.dataclass(frozen=True)
class Settings:
    """The settings of a campaign.

    Attributes:
      base: how the supernet of seed 0 is trained; all other runs differ from it.
      seeds: training runs of everything that is compared over seeds.
      budgets_mflops: of the searches, in millions of multiply-adds, ascending.
      ranking_children: of the part `ranking`.
      ranking_steps: of each of them trained alone; 0 for as many as the supernet.
      ablations: names, each a file of experiments/ablations/small.
      adaptation_steps: lengths that the part `adaptation` compares.
    """

    base: Recipe
    seeds: int
    budgets_mflops: tuple[float, ...]
    ranking_children: int
    ranking_steps: int
    ablations: tuple[str, ...]
    adaptation_steps: tuple[int, ...] = ()


class Campaign:
    """Does units, or takes them from the journal of an earlier, interrupted campaign.

    Args:
      settings: see there.
      work_dir: where units keep what they need to continue.
      journal: results of finished units.
      description: of the base configuration; see `runs.describe`.
      plan: how many units are asked for, for progress lines.
      report_only: refuse to do a unit that has not finished.
    """

    def __init__(
        self,
        settings: Settings,
        work_dir: pathlib.Path,
        journal: Journal,
        description: Mapping[str, Any],
        plan: Plan,
        report_only: bool = False,
    ) -> None:
        self.settings = settings
        self.description = description
        self._work_dir = work_dir
        self._journal = journal
        self._progress = _Progress(plan)
        self._finished: set[pathlib.Path] = set()  # by their folders; several parts share some
        self._report_only = report_only

    @property
    def left(self) -> int:
        """How many planned units have not finished."""
        return self._progress.left

    @property
    def steps(self) -> int:
        """Of a supernet's training."""
        return int(self.description["trainer"]["train_steps"])

    @functools.cached_property
    def space(self) -> SearchSpace:
        """That of all supernets."""
        return presets.get(self.description["task"]["model"]["search_space"])

    def mflops(self, child: Architecture) -> float:
        """Millions of multiply-adds."""
        data = self.description["task"]["train_data"]
        return cost.count(self.space, child, data["num_classes"], data["channels"]).macs / 1e6

    def check_budgets(self) -> None:
        """Refuses budgets that no child keeps, or every child, before anything is trained.

        Raises:
          UsageError: names the feasible range.
        """
        data = self.description["task"]["train_data"]
        budgets = [f"mflops={limit}" for limit in self.settings.budgets_mflops]
        bignas.check_budgets(self.space, budgets, data["num_classes"], data["channels"])

    def folder(self, kind: str, what: Mapping[str, Any]) -> pathlib.Path:
        """Where a unit keeps its checkpoints; no two units share one."""
        name = re.sub(r"\W", "_", kind)
        return self._work_dir / f"{name}_{digest({'kind': kind, **what})}"

    def unit(
        self,
        kind: str,
        what: Mapping[str, Any],
        label: str,
        function: Callable[..., Any],
        *arguments: Any,
        keep: bool = False,
    ) -> Any:
        """Returns the result of a unit, which is done now unless the journal has it.

        Args:
          kind: as in the plan.
          what: all that the result depends on besides the campaign's origin, plain.
          label: of the unit, for people.
          function: takes the unit's folder and `arguments`; it runs in its own process.
          *arguments: pickled.
          keep: whether the folder outlives the unit.

        Raises:
          UsageError: it has not finished, and only reports were asked for.
        """
        folder = self.folder(kind, what)

        def do() -> Any:
            if self._report_only:
                raise errors.UsageError(
                    f"--report_only: {kind} ({label}) has not finished; run without it first"
                )
            print(self._progress.line(f"{kind}, {label}"), flush=True)
            return worker.call(function, str(folder), *arguments)

        entry = self._journal.once({"kind": kind, **what}, do)
        if folder not in self._finished:
            self._finished.add(folder)
            self._progress.finished(kind, entry.seconds)
        if not keep and not self._report_only:
            shutil.rmtree(folder, ignore_errors=True)
        return entry.result


class _Progress:
    """Which unit of how many, and the time left by the mean time of each kind so far."""

    def __init__(self, plan: Plan) -> None:
        self._left = collections.Counter(kind for kind, *_ in plan)
        self._total = len(plan)
        self._seconds: dict[str, list[float]] = collections.defaultdict(list)

    @property
    def left(self) -> int:
        return self._left.total()

    def line(self, label: str) -> str:
        number = self._total - self.left + 1
        return f"unit {number}/{self._total}: {label}{self._time_left()}"

    def finished(self, kind: str, seconds: float) -> None:
        self._left[kind] -= 1
        self._seconds[kind].append(seconds)

    def _time_left(self) -> str:
        known = [each for kind in self._seconds.values() for each in kind]
        if not known:
            return ""
        seconds = sum(
            count * statistics.fmean(self._seconds.get(kind, known))
            for kind, count in self._left.items()
        )
        return f" ({seconds / 60:.0f} min left)"
