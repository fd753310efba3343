"""The children of a search in one servable, which asks the bigger ones only where it must."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tf_keras

from bignas_tf import console, errors
from bignas_tf.accuracy import Accuracy
from bignas_tf.api import cards, evaluators, exporting
from bignas_tf.console import Show
from bignas_tf.data import decode
from bignas_tf.exports import cascade as cascade_lib
from bignas_tf.exports import runtimes, saved_model
from bignas_tf.exports.cascade import ServableCascade
from bignas_tf.modeling import slicing
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.selection import cascading, splits
from bignas_tf.selection import result as result_lib
from bignas_tf.selection.cascading import Answers, Cascade
from bignas_tf.selection.result import SearchResult
from bignas_tf.selection.splits import Batch, Split
from bignas_tf.training.checkpoints import Run

# The graph's confidences differ from the supernet's by float32 rounding, about 1e-6.
_CLEAR = 1e-4


@dataclasses.dataclass(frozen=True)
class _Child:
    """A child of the search, ready to be asked.

    Attributes:
      architecture: its choices.
      model: with calibrated batch norms.
      ranking: its answers to the images that choose thresholds.
      reporting: its answers to those that the cascade is reported on.
      logits: float32 [N, classes], for the images that the export is verified on.
    """

    architecture: Architecture
    model: tf_keras.Model
    ranking: Answers
    reporting: Answers
    logits: np.ndarray


@dataclasses.dataclass(frozen=True)
class _Chosen:
    """What was chosen, and from what.

    Attributes:
      run: that was searched.
      found: by the search.
      objective: the cost that is saved.
      children: by name, the cheapest first.
      front: the cascades that no cheaper one matches.
      cascade: the one that is exported.
    """

    run: Run
    found: SearchResult
    objective: str
    children: Mapping[str, _Child]
    front: Sequence[Cascade]
    cascade: Cascade


def export_cascade(
    run: Run,
    search_dir: str | os.PathLike[str],
    output_dir: str | os.PathLike[str],
    *,
    accuracy: float | None = None,
    mean_cost: float | None = None,
    objective: str = "mflops",
    cascade: Cascade | None = None,
    labels: Sequence[str] | str | os.PathLike[str] | None = None,
    licence: str = "",
    show: Show | None = console.print_line,
) -> pathlib.Path:
    """Exports the selected children of a search as one model, with a cascade of up to three.

    The smallest child of the cascade answers where the probability of its best class reaches a
    threshold; the others see only the images of which those before them are not sure. The
    cheapest cascade of the wanted accuracy is taken, on the images that ranked the search; its
    accuracy is reported on others. Cascades are not part of the paper.

    Args:
      run: that was searched.
      search_dir: folder of the search; may be remote.
      output_dir: base folder of the model's versions; local.
      accuracy: wanted of the cascade, 0 to 1; that of the best child alone if nothing is given.
      mean_cost: the most that an image may take on average, in the unit of `objective`; the most
        accurate such cascade is taken.
      objective: which cost of the search is to be saved.
      cascade: children and thresholds, to be taken as they are.
      labels: see `export`.
      licence: see `export`.
      show: takes a line for each child, and those of the cascade; None for silence.

    Returns:
      The folder of the version, which appears only once it is verified; `cascade.json` in it
      holds the figures, and those of all other cascades that no cheaper one matches.

    Raises:
      UsageError: no search of this checkpoint in the folder, fewer than two different children,
        an accuracy or a cost that no cascade reaches, a threshold that no image or every image
        meets, labels that do not fit, or a folder that cannot be written.
      RunError: the written model does not load or gives other logits.
    """
    show = console.or_silent(show)
    found = result_lib.read(search_dir, run.space)
    costs = _costs(run, found, objective, search_dir)
    names = exporting.class_names(run.config.task.train_data, labels)
    _check_wanted(accuracy, mean_cost, cascade, costs)
    saved_model.ensure_base(output_dir)
    reporting = cards.reporting_images(run.config.task)
    children = _children(run, found, costs, reporting, show)
    ranking = {name: child.ranking for name, child in children.items()}
    front = cascading.front(ranking)
    taken = cascade or cascading.chosen(front, ranking, accuracy, mean_cost)
    cascading.check_used(taken, cascading.outcome(taken, ranking))
    chosen = _Chosen(run, found, objective, children, front, taken)
    card = _card(chosen) | cards.provenance(run, run.config.task, licence)
    for line in _lines(card):
        show(line)
    servable = _servable(chosen, card, names, cards.verified_images(reporting))
    return cascade_lib.export(servable, os.fspath(output_dir), runtimes.MANDATORY)


def _costs(
    run: Run, found: SearchResult, objective: str, folder: str | os.PathLike[str]
) -> dict[str, float]:
    """What each different child of a search costs, by the names of their exports."""
    if found.source.index_sha256 != run.index_sha256:
        raise errors.UsageError(
            f"{os.fspath(folder)} searched {found.source.checkpoint}; {run.model_dir} now holds "
            "another checkpoint: search again"
        )
    if objective not in found.objectives:
        raise errors.UsageError(
            f"objective {objective!r}: the search knows {', '.join(found.objectives)}"
        )
    # A child that is best for two budgets is there once, by the smaller one's name.
    first = {each.architecture: each for each in reversed(found.selected)}
    ordered = sorted(first.values(), key=lambda each: each.costs[objective])
    if len(ordered) < 2:
        raise errors.UsageError(
            f"{os.fspath(folder)} has one child for all its budgets, and a cascade needs two; "
            "select children for further budgets (--select of tools.search)"
        )
    return {result_lib.child_name(each): each.costs[objective] for each in ordered}


def _check_wanted(
    accuracy: float | None,
    mean_cost: float | None,
    cascade: Cascade | None,
    costs: Mapping[str, float],
) -> None:
    """Refuses what can be refused before the children are scored."""
    if sum(each is not None for each in (accuracy, mean_cost, cascade)) > 1:
        raise errors.UsageError("give an accuracy, a mean cost or a cascade, only one of them")
    if accuracy is not None and not 0 < accuracy <= 1:
        raise errors.UsageError(f"accuracy {accuracy:g}: give a fraction above 0, up to 1")
    for name in cascade.children if cascade else ():
        if name not in costs:
            raise errors.UsageError(f"no child {name!r} in the search; it has {', '.join(costs)}")


def _children(
    run: Run, found: SearchResult, costs: Mapping[str, float], reporting: Split, show: Show
) -> dict[str, _Child]:
    """Calibrates and slices the children, and asks each all images."""
    task, evaluator = run.config.task, evaluators.evaluator_of(run)
    ranking = splits.open_split(task.train_data, found.ranking.split, task.selection.batch_size)
    verified = cards.verified_images(reporting)
    architectures = {result_lib.child_name(each): each.architecture for each in found.selected}
    children = {}
    for name, cost in costs.items():
        architecture = architectures[name]
        statistics = evaluator.statistics(architecture)
        ranked, reported = (
            Answers.together(
                Answers.of(cost, *batch)
                for batch in evaluator.logits(architecture, statistics, images)
            )
            for images in (ranking, reporting)
        )
        ((logits, _),) = evaluator.logits(architecture, statistics, [verified])
        model = slicing.sliced_child(run.supernet, architecture, statistics)
        children[name] = _Child(architecture, model, ranked, reported, logits)
        split = task.selection.reporting_split
        show(f"{name}: calibrated, top-1 {reported.accuracy.top1:.4f} on {split}")
    return children


def _servable(
    chosen: _Chosen, card: Mapping[str, Any], names: Sequence[str], verified: Batch
) -> ServableCascade:
    cascade, patches, labels = chosen.cascade, *(each.numpy() for each in verified)
    logits = {name: child.logits for name, child in chosen.children.items()}
    answers = {name: Answers.of(0, values, labels) for name, values in logits.items()}
    clearance = cascading.clearance(cascade, answers)
    # Of images near a threshold, rounding might ask another child.
    clear = clearance >= min(_CLEAR, clearance.max())
    return ServableCascade(
        children={name: child.model for name, child in chosen.children.items()},
        asked=cascade.children,
        thresholds=cascade.thresholds,
        card=card,
        patches=patches[clear],
        logits={name: values[clear] for name, values in logits.items()},
        answered_by=cascading.answered_by(cascade, answers)[clear],
        labels=names,
        centre=decode.evaluation_centre(chosen.run.config.task.train_data.crop),
    )


def _card(chosen: _Chosen) -> dict[str, Any]:
    """What the cascade, its children and the other cascades gave, as plain data."""
    found, children = chosen.found, chosen.children
    ranking = {name: child.ranking for name, child in children.items()}
    reporting = {name: child.reporting for name, child in children.items()}
    own = cascading.outcome(chosen.cascade, reporting)
    split = chosen.run.config.task.selection.reporting_split
    return {
        "cascade": chosen.cascade.to_json(),
        "objective": {"name": chosen.objective, **found.objectives[chosen.objective].to_json()},
        "accuracy": {"split": split, **own.accuracy.to_json()},
        "mean_cost": own.cost,
        "shares": list(own.shares),
        "chosen_on": {
            "split": found.ranking.split,
            **cascading.outcome(chosen.cascade, ranking).to_json(),
        },
        "children": {
            name: {
                "architecture": child.architecture.to_json(),
                "cost": child.reporting.cost,
                "accuracy": {"split": split, **child.reporting.accuracy.to_json()},
            }
            for name, child in children.items()
        },
        "front": [
            {
                **each.to_json(),
                "ranking": cascading.outcome(each, ranking).to_json(),
                "reporting": cascading.outcome(each, reporting).to_json(),
            }
            for each in chosen.front
        ],
    }


def _lines(card: Mapping[str, Any]) -> list[str]:
    """What was chosen, for people."""
    cascade, unit = card["cascade"], card["objective"]["unit"]
    steps = [
        f"{name} answers {100 * share:.1f}%"
        + (f", from a probability of {threshold:.4f} on" if threshold is not None else "")
        for name, share, threshold in zip(
            cascade["children"], card["shares"], [*cascade["thresholds"], None], strict=True
        )
    ]
    accuracy = Accuracy.from_json(card["accuracy"])
    alone = ["no cascade of several children does better"] if len(steps) == 1 else []
    return [
        *steps,
        *alone,
        f"cascade: top-1 {accuracy.top1:.4f} ± {accuracy.error:.4f} on "
        f"{card['accuracy']['split']}, {card['mean_cost']:.4g} {unit} "
        f"{card['objective']['title']} on average; writing and verifying it",
    ]
