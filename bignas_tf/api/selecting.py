"""Children selected again from a finished search, under other budgets; needs no TensorFlow."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence

from bignas_tf import console, errors, files, run_folder
from bignas_tf.api import arguments
from bignas_tf.console import Show
from bignas_tf.selection import budgets as budgets_lib
from bignas_tf.selection import journal, reranking, selecting
from bignas_tf.selection import result as result_lib
from bignas_tf.selection.budgets import AnyBudget, Budget
from bignas_tf.selection.objectives import Quantity
from bignas_tf.selection.result import SearchResult
from bignas_tf.selection.selected import Selected


def select(
    search_dir: str | os.PathLike[str],
    budgets: Sequence[AnyBudget] | AnyBudget,
    output_dir: str | os.PathLike[str],
    *,
    prefer: str | None = None,
    rerank: str | None = None,
    show: Show | None = console.print_line,
) -> SearchResult:
    """Selects from the candidates of a finished search under other budgets, in seconds.

    Args:
      search_dir: folder of the search.
      budgets: one for each child wanted; see `search`.
      output_dir: another folder, for the results.
      prefer: "best" or "cheapest", as `task.selection.prefer`; that of the search if None.
      rerank: such as "int8:4", to compare the files of each budget's 4 best candidates, which the
        search has made; None to compare their own accuracies.
      show: takes the lines of the selected children; None for silence.

    Raises:
      UsageError: a folder without a search, the output folder of a search, a run or a selection of
        other weights, a budget outside what was searched, or files that were not made.
    """
    limits, show = read_budgets(budgets), console.or_silent(show)
    which = None if rerank is None else reranking.parse(rerank)
    search_dir = errors.require_path("search_dir", search_dir)
    output_dir = errors.require_path("output_dir", output_dir)
    if os.path.realpath(search_dir) == os.path.realpath(output_dir):
        raise errors.UsageError(
            f"{output_dir} is the folder of the search itself; choose another output_dir"
        )
    found = result_lib.read(search_dir)
    if prefer is not None:
        found = found.preferring(prefer)
    selected = selecting.select_again(found, budgets_lib.ordered(limits), which)
    _check_replaced(output_dir, found)
    files.make_folder(output_dir)
    result_lib.write(output_dir, selected, show)
    show_selected(selected, show)
    return selected


def _check_replaced(output_dir: str | os.PathLike[str], found: SearchResult) -> None:
    """Refuses to replace a search, or what was found with other weights."""
    run_folder.refuse(output_dir)
    if files.is_file(os.path.join(output_dir, journal.FILE)):
        raise errors.UsageError(
            f"{os.fspath(output_dir)} holds a search, whose result a selection would replace; "
            "choose another output_dir"
        )
    if not files.is_file(os.path.join(output_dir, result_lib.FILE)):
        return
    there = result_lib.read(output_dir).source
    if there.index_sha256 != found.source.index_sha256:
        raise errors.UsageError(
            f"{os.fspath(output_dir)} holds children of other weights, {there.checkpoint}; choose "
            "another output_dir"
        )


def read_budgets(budgets: Sequence[AnyBudget] | AnyBudget) -> list[Budget]:
    """Reads budgets that may be text.

    Raises:
      UsageError: there is none, or one is malformed.
    """
    given = [budgets] if isinstance(budgets, Budget | Mapping) else arguments.listed(budgets)
    if not given:
        raise errors.UsageError(
            "no budget was given; write each as in 'mflops=4' or 'litert_ms=1,params_m=0.2'"
        )
    return [budgets_lib.read(each) for each in given]


def show_selected(result: SearchResult, show: Show, told: Collection[str] = ()) -> None:
    """Shows what was selected for each budget, and warnings but those that were told before."""
    for line in _lines(result, told):
        show(line)


def _lines(result: SearchResult, told: Collection[str]) -> Iterator[str]:
    for child in result.selected:
        yield _line(child, result.objectives)
    yield from (console.warning(each) for each in result.warnings if each not in told)


def _line(child: Selected, objectives: Mapping[str, Quantity]) -> str:
    costs = [
        f"{value:.4g} {objectives[name].unit} {objectives[name].title}"
        for name, value in child.costs.items()
    ]
    accuracies = [
        f"{split} {accuracy}"
        for split, accuracy in (("ranking", child.ranking), ("reporting", child.reporting))
        if accuracy is not None
    ]
    file = [f"its file on the ranking split {child.converted}"] if child.converted else []
    return f"{child.name}: {', '.join([*costs, *accuracies, *file])}"
