"""The result of a search as types, and its files: search.json and a file for each child."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

from bignas_tf import console, errors, files
from bignas_tf.console import Show
from bignas_tf.plain import Value
from bignas_tf.search_space.space import SearchSpace
from bignas_tf.selection import budgets as budgets_lib
from bignas_tf.selection import candidates as candidates_lib
from bignas_tf.selection import hypervolume, reranking
from bignas_tf.selection.budgets import AnyBudget, Budget
from bignas_tf.selection.candidates import Candidate
from bignas_tf.selection.objectives import Quantity
from bignas_tf.selection.provenance import ImageSet, Source
from bignas_tf.selection.reranking import Reranking
from bignas_tf.selection.selected import Selected

FILE = "search.json"
_TOOL = "tools.search"
_PREFER, _TRUSTED_TAU = "prefer", "trusted_tau"
_TRAIN_DATA, _RERANK, _CAVEATS = "train_data", "rerank", "caveats"


@dataclasses.dataclass(frozen=True)
class SearchResult:
    """A finished search.

    Attributes:
      source: the weights that were searched.
      selection: the `SelectionConfig`, plain.
      objectives: title and unit of each cost, by its name.
      ranking: the images that ranked candidates.
      reporting: the images that selected children are reported on.
      candidates: every child that was tried, in order.
      selected: a child for each budget, each budget once, the smallest of an objective first.
      warnings: limits of the selection, in plain words.
      rerank: by which files children were selected; None if by their own accuracies.
      train_data: the fields of `task.train_data` that were not the run's own, with their values.
      caveats: those of the warnings that hold whatever is selected.
    """

    source: Source
    selection: Mapping[str, Any]
    objectives: Mapping[str, Quantity]
    ranking: ImageSet
    reporting: ImageSet
    candidates: tuple[Candidate, ...] = dataclasses.field(default=(), repr=False)  # hundreds
    selected: tuple[Selected, ...] = ()
    warnings: tuple[str, ...] = ()
    rerank: Reranking | None = None
    train_data: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    caveats: tuple[str, ...] = ()

    @property
    def budgets(self) -> list[Budget]:
        """What children were wanted for."""
        return [each.budget for each in self.selected]

    @property
    def children(self) -> dict[str, Selected]:
        """The selected children, by the names of their files and exports."""
        return {f"child_{each.name}": each for each in self.selected}

    def child(self, budget: AnyBudget) -> Selected:
        """The child selected for a budget.

        Args:
          budget: or its text, such as "mflops=4".

        Raises:
          UsageError: it was not asked for.
        """
        wanted = budgets_lib.read(budget)
        for each in self.selected:
            if each.budget == wanted:
                return each
        known = ", ".join(map(str, self.budgets))
        raise errors.UsageError(
            f"no child was selected for {wanted}; there are children for {known}"
        )

    @property
    def strategy(self) -> str:
        """How the candidates were found."""
        return str(self.selection["strategy"])

    @property
    def prefer(self) -> str:
        """Which of a budget's candidates it gets; see `candidates.chosen`."""
        return str(self.selection.get(_PREFER, candidates_lib.BEST))

    def preferring(self, prefer: str) -> SearchResult:
        """The same, of which a selection takes other candidates.

        Raises:
          UsageError: it is not one of `candidates.PREFERENCES`.
        """
        errors.require_one_of("prefer", prefer, candidates_lib.PREFERENCES)
        return dataclasses.replace(self, selection={**self.selection, _PREFER: prefer})

    def tied(self, budget: Budget) -> list[int]:
        """Indices of the candidates that may be the best for a budget; see `candidates.tied`."""
        index = {each.architecture: number for number, each in enumerate(self.candidates)}
        return [index[each.architecture] for each in candidates_lib.tied(self.candidates, budget)]

    def front(self, objective: str) -> list[int]:
        """The front of accuracy against an objective; see `candidates.front`."""
        return candidates_lib.front(self.candidates, objective)

    def hypervolumes(self) -> dict[str, list[float]]:
        """The hypervolume after each evaluation, for each objective that budgets limit.

        Up to the highest limit, above an accuracy of 0; see `hypervolume.by_evaluation`.
        """
        return {
            name: hypervolume.by_evaluation(self.candidates, name, highest)
            for name, highest in hypervolume.highest_costs(self.budgets).items()
        }

    def to_json(self) -> dict[str, Any]:
        """Plain form; `from_json` reads it back."""
        plain = {
            "settings": {
                "source": self.source.to_json(),
                "budgets": [dict(budget.limits) for budget in self.budgets],
                "objectives": list(self.objectives),
                "selection": dict(self.selection),
                **({_TRAIN_DATA: dict(self.train_data)} if self.train_data else {}),
                **({_RERANK: str(self.rerank)} if self.rerank else {}),
                **({_CAVEATS: list(self.caveats)} if self.caveats else {}),
            },
            "objectives": {name: each.to_json() for name, each in self.objectives.items()},
            "ranking": self.ranking.to_json(),
            "reporting": self.reporting.to_json(),
            "candidates": [each.to_json() for each in self.candidates],
            "fronts": {name: self.front(name) for name in self.objectives},
            "selected": [each.to_json() for each in self.selected],
            "warnings": list(self.warnings),
        }
        # Files from before these settings do not have what came with them.
        if _PREFER in self.selection:
            plain["tied"] = {budget.name: self.tied(budget) for budget in self.budgets}
        if _TRUSTED_TAU in self.selection:
            plain["hypervolumes"] = self.hypervolumes()
        return plain

    @classmethod
    def from_json(cls, value: object) -> SearchResult:
        """Reads `to_json`'s form.

        Raises:
          UsageError: it is something else, or it contradicts itself.
        """
        value = Value.of(value)
        settings = value["settings"]
        settings["selection"]["strategy"].text()
        if _PREFER in settings["selection"].fields():
            settings["selection"][_PREFER].one_of(candidates_lib.PREFERENCES)
        if _TRUSTED_TAU in settings["selection"].fields():
            settings["selection"][_TRUSTED_TAU].fraction()
        ranking, reporting = (ImageSet.from_json(value[name]) for name in ("ranking", "reporting"))
        images = ranking.images, reporting.images
        candidates = [Candidate.from_json(v, images[0]) for v in value["candidates"].elements()]
        selected = [Selected.from_json(each, *images) for each in value["selected"].elements()]
        result = cls(
            source=Source.from_json(settings["source"]),
            selection={name: v.content for name, v in settings["selection"].fields().items()},
            objectives=_objectives(value["objectives"]),
            ranking=ranking,
            reporting=reporting,
            candidates=tuple(candidates),
            selected=tuple(selected),
            warnings=tuple(value["warnings"].texts()),
            # Older searches have none of these, and most others neither.
            rerank=settings.added(_RERANK, lambda form: reranking.parse(form.text()), None),
            train_data=settings.added(_TRAIN_DATA, Value.settings, {}),
            caveats=tuple(settings.added(_CAVEATS, Value.texts, [])),
        )
        _check_costs(result, value)
        _check_derived(result, value)
        return result


def _objectives(value: Value) -> dict[str, Quantity]:
    for name in value.fields():
        if not name.isidentifier():
            raise value.wrong(f"{name!r} is not a name of an objective")
    return {name: Quantity.from_json(each) for name, each in value.fields().items()}


def _check_costs(result: SearchResult, value: Value) -> None:
    """Refuses a scored child whose cost is not known, and limits on other costs."""
    children: list[tuple[Value, Candidate | Selected]] = [
        *zip(value["candidates"].elements(), result.candidates, strict=True),
        *zip(value["selected"].elements(), result.selected, strict=True),
    ]
    for place, child in children:
        for name in result.objectives:
            if child.ranking is not None:
                place["costs"][name].positive()
    for place, child in zip(value["selected"].elements(), result.selected, strict=True):
        if not child.budget.limits or not set(child.budget.limits) <= set(result.objectives):
            raise place["budget"].wrong(f"it limits some of {list(result.objectives)}")


def _check_derived(result: SearchResult, value: Value) -> None:
    """Refuses what does not follow from the rest, such as fronts of other candidates."""
    settings, fronts = value["settings"], value["fronts"]
    areas = [value["hypervolumes"]] if _TRUSTED_TAU in result.selection else []
    for place, expected in [
        (settings["budgets"], [dict(budget.limits) for budget in result.budgets]),
        (settings["objectives"], list(result.objectives)),
        *((fronts[name], result.front(name)) for name in result.objectives),
        *((place, result.hypervolumes()) for place in areas),
        *((value["tied"][each.name], result.tied(each)) for each in _choices(result)),
    ]:
        if place.content != expected:
            raise place.wrong(f"the rest of the file makes that {expected!r:.60}")


def _choices(result: SearchResult) -> list[Budget]:
    """The budgets for which a file says what was chosen from."""
    return result.budgets if _PREFER in result.selection else []


def write(
    folder: str | os.PathLike[str], result: SearchResult, show: Show = console.silent
) -> None:
    """Writes the selected children's files, then search.json.

    Children that an earlier result of the folder selected, and this one does not, are removed
    first: after a kill in between, the earlier search.json still names them.

    Args:
      folder: which exists.
      result: to write.
      show: takes a line if children are removed.
    """
    names = result.children
    gone = sorted(_names_in(folder) - set(names))
    for name in gone:
        files.remove(os.path.join(folder, f"{name}.json"))
    if gone:
        show(f"removed children of other budgets: {', '.join(f'{name}.json' for name in gone)}")
    for name, child in names.items():
        files.write_json(os.path.join(folder, f"{name}.json"), child.to_json())
    files.write_json(os.path.join(folder, FILE), result.to_json())


def _names_in(folder: str | os.PathLike[str]) -> set[str]:
    """The names of the children that the folder's result selected; none if it cannot be read."""
    try:
        return set(read(folder).children)
    except errors.UsageError:
        return set()


def read(folder: str | os.PathLike[str], space: SearchSpace | None = None) -> SearchResult:
    """Reads what `write` wrote.

    Args:
      folder: of the search.
      space: that its children must belong to, if it is known.

    Raises:
      UsageError: it is missing, damaged or something else, or of another space.
    """
    folder = errors.require_path("folder", folder)
    path, below = os.path.join(folder, FILE), os.path.join(folder, "search")
    if not files.is_file(path) and files.is_file(os.path.join(below, FILE)):
        raise errors.UsageError(f"{folder} is not the folder of a search; {below} is")
    with files.reading(path, _TOOL) as content:
        result = SearchResult.from_json(content)
        if space is not None:
            children: Sequence[Candidate | Selected] = [*result.candidates, *result.selected]
            for child in children:
                space.validate(child.architecture)
    return result
