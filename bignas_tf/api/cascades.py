"""The children of a search in one servable, which asks the bigger ones only where it must."""

from __future__ import annotations

import dataclasses
import itertools
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bignas_tf import console, errors, plain
from bignas_tf.accuracy import Accuracy, percent
from bignas_tf.api import answering, apart, arguments, cards, evaluators, exporting, task_images
from bignas_tf.api.answering import AnsweringChild
from bignas_tf.console import Show
from bignas_tf.data import decode
from bignas_tf.exports import cascade as cascade_lib
from bignas_tf.exports import saved_model, trials
from bignas_tf.exports.cascade import ServableCascade
from bignas_tf.selection import cascade_front, cascades
from bignas_tf.selection import result as result_lib
from bignas_tf.selection.cascades import Answers, Cascade
from bignas_tf.selection.result import SearchResult
from bignas_tf.selection.splits import Split
from bignas_tf.training.checkpoints import Run
from bignas_tf.training.configs import BigNASConfig

_OF_THE_WHOLE = ("params_m", "activation_mb")  # what a model has whichever child answers


@dataclasses.dataclass(frozen=True)
class _Chosen:
    """What was chosen, and from what.

    Attributes:
      run: that was searched.
      task: of the run, with the images of the search.
      found: by the search.
      objective: the cost that is saved.
      children: by the names of their exports, those of one architecture several times.
      front: the cascades that no cheaper one matches.
      cascade: the one that is exported.
      given: whether the user gave it.
    """

    run: Run
    task: BigNASConfig
    found: SearchResult
    objective: str
    children: Mapping[str, AnsweringChild]
    front: Sequence[Cascade]
    cascade: Cascade
    given: bool


def export_cascade(
    run: Run,
    search_dir: str | os.PathLike[str],
    output_dir: str | os.PathLike[str],
    *,
    accuracy: float | None = None,
    mean_cost: float | None = None,
    objective: str = "mflops",
    cascade: Cascade | str | None = None,
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
      cascade: children and thresholds, to be taken as they are; may be text, such as
        "child_1:0.8,child_4".
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
    if isinstance(cascade, str):
        cascade = Cascade.parse(cascade)
    takes = "a Cascade, or its text"
    errors.require(isinstance(cascade, Cascade | None), "cascade", cascade, takes)
    accuracy = None if accuracy is None else plain.number("accuracy", accuracy)
    mean_cost = None if mean_cost is None else plain.number("mean_cost", mean_cost)
    arguments.check_run(run)
    arguments.text("licence", licence)
    output_dir = errors.require_path("output_dir", output_dir)
    found = result_lib.read(search_dir, run.space)
    task = task_images.of_search(run, found, search_dir)
    costs = _costs(found, objective, search_dir)
    names = exporting.class_names(task.train_data, labels)
    selection = task.selection
    apart.check_scored(run, task, selection.ranking_split, selection.reporting_split)
    _check_wanted(accuracy, mean_cost, cascade, costs, found)
    saved_model.ensure_base(output_dir)
    ranking, reporting = answering.images_of(task, found, show)
    children = answering.score(run, task, found, costs, ranking, reporting, show)
    answers = {name: child.ranking for name, child in children.items()}
    front = cascade_front.front({name: answers[name] for name in _first_names(found)})
    if cascade:
        cascade_front.check_used(cascade, answers)
    taken = cascade or cascade_front.chosen(front, answers, accuracy, mean_cost)
    chosen = _Chosen(run, task, found, objective, children, front, taken, cascade is not None)
    console.warn(show, _of_single_children(taken, answers))
    card = _card(chosen, ranking) | cards.provenance(run, task, licence)
    for line in _lines(card):
        show(line)
    servable = _servable(chosen, card, names, reporting)
    with trials.started() as through:
        version = cascade_lib.export(servable, output_dir, through)
    exporting.warn_of_pins([version], show)
    return version


def _of_single_children(taken: Cascade, answers: Mapping[str, Answers]) -> Iterator[str]:
    """Warns of a cascade that is one child, or that is no better than one."""
    if len(taken.children) == 1:
        yield (
            f"{taken.children[0]} alone is the best choice; a cascade of it only makes a larger "
            "file: export that child"
        )
    elif name := cascades.no_better_than(taken, answers):
        child, given = answers[name], cascades.outcome(taken, answers)
        yield (
            f"{name} alone has {child.accuracy} on the images that choose thresholds, for "
            f"{child.cost:.4g}; the cascade has {given.accuracy} for {given.cost:.4g}: export that "
            "child, or choose other thresholds"
        )


def _costs(found: SearchResult, objective: str, folder: str | os.PathLike[str]) -> dict[str, float]:
    """What the selected children cost, by the names of their exports, from the cheapest on."""
    if objective in _OF_THE_WHOLE:
        raise errors.UsageError(
            f"objective {objective!r}: a cascade holds all its children, so that images do not "
            "differ in it; choose multiply-adds or milliseconds"
        )
    errors.require_one_of("objective", objective, found.objectives)
    if len(_first_names(found)) < 2:
        raise errors.UsageError(
            f"{os.fspath(folder)} has one child for all its budgets, and a cascade needs two; "
            "select children for further budgets"
        )
    costs = {name: each.costs[objective] for name, each in found.children.items()}
    return dict(sorted(costs.items(), key=lambda item: item[1]))


def _first_names(found: SearchResult) -> list[str]:
    """A name for each different child: a child that is best for two budgets has two."""
    first = {each.architecture: name for name, each in reversed(found.children.items())}
    return list(first.values())


def _check_wanted(
    accuracy: float | None,
    mean_cost: float | None,
    cascade: Cascade | None,
    costs: Mapping[str, float],
    found: SearchResult,
) -> None:
    """Refuses what can be refused before the children are scored."""
    if sum(each is not None for each in (accuracy, mean_cost, cascade)) > 1:
        raise errors.UsageError("give an accuracy, a mean cost or a cascade, only one of them")
    if accuracy is not None and not 0 < accuracy <= 1:
        raise errors.UsageError(f"accuracy {accuracy:g}: give a fraction above 0, up to 1")
    if mean_cost is not None and not mean_cost >= min(costs.values()):
        raise errors.UsageError(
            f"mean cost {mean_cost:.12g}: the cheapest child alone takes {min(costs.values()):.12g}"
        )
    names = cascade.children if cascade else ()
    for name in names:
        if name not in costs:
            raise errors.UsageError(f"no child {name!r} in the search; it has {', '.join(costs)}")
    # The budgets that a child is best for give it several names.
    for one, other in itertools.combinations(names, 2):
        if found.children[one].architecture == found.children[other].architecture:
            raise errors.UsageError(f"{one} and {other} are the same child; leave one of them out")


def _servable(
    chosen: _Chosen, card: Mapping[str, Any], names: Sequence[str], reporting: Split
) -> ServableCascade:
    children, cascade = chosen.children, chosen.cascade
    answers = {name: child.reporting for name, child in children.items()}
    by = cascades.answered_by(cascade, answers)
    places = answering.verified_places(by, cascades.clearance(cascade, answers))
    patches, labels = answering.gathered(reporting, places)
    evaluator = evaluators.evaluator_of(chosen.run, chosen.task)
    logits = {}
    for name, child in children.items():
        ((logits[name], _),) = evaluator.logits(
            child.architecture, child.statistics, [(patches, labels)]
        )
    return ServableCascade(
        children={name: child.numbers for name, child in children.items()},
        asked=cascade.children,
        thresholds=cascade.thresholds,
        card=card,
        patches=patches.numpy(),
        logits=logits,
        answered_by=by[places],
        labels=names,
        centre=decode.evaluation_centre(chosen.task.train_data.crop),
    )


def _card(chosen: _Chosen, ranking: Split) -> dict[str, Any]:
    """What the cascade, its children and the other cascades gave, as plain data."""
    found, children = chosen.found, chosen.children
    ranked = {name: child.ranking for name, child in children.items()}
    reported = {name: child.reporting for name, child in children.items()}
    own = cascades.outcome(chosen.cascade, reported)
    split = chosen.task.selection.reporting_split
    return {
        "cascade": chosen.cascade.to_json(),
        "given": chosen.given,
        "objective": {"name": chosen.objective, **found.objectives[chosen.objective].to_json()},
        "accuracy": {"split": split, **own.accuracy.to_json()},
        "mean_cost": own.cost,
        "shares": list(own.shares),
        "chosen_on": {
            "split": ranking.config.tfds_split,
            **cascades.outcome(chosen.cascade, ranked).to_json(),
        },
        "calibration": cards.calibration(chosen.task),
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
                "ranking": cascades.outcome(each, ranked).to_json(),
                "reporting": cascades.outcome(each, reported).to_json(),
            }
            for each in chosen.front
        ],
    }


def _lines(card: Mapping[str, Any]) -> list[str]:
    """What was chosen, for people."""
    cascade, objective = Cascade.from_json(card["cascade"]), card["objective"]
    shares = zip(cascade.children, card["shares"], strict=True)
    answers = ", ".join(f"{name} answers {percent(share)}" for name, share in shares)
    return [
        f"cascade {cascade.text}: {answers}",
        f"top-1 {Accuracy.from_json(card['accuracy'])} on {card['accuracy']['split']}, "
        f"{card['mean_cost']:.4g} {objective['unit']} {objective['title']} on average; writing and "
        "verifying it",
    ]
