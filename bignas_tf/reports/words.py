"""How a report writes limits, costs, accuracies, children and judgements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bignas_tf.selection import result as result_lib


def limits(budget: Mapping[str, float], objectives: Mapping[str, Any]) -> str:
    """A budget, such as "≤ 4 M multiply-adds"."""
    return ", ".join(
        f"≤ {limit:g} {objectives[name]['unit']} {objectives[name]['title']}"
        for name, limit in budget.items()
    )


def cost(child: Mapping[str, Any], name: str) -> str:
    """A cost of a candidate, and how far repeats lie apart where it was measured."""
    spread = child["spreads"].get(name)
    return f"{child['costs'][name]:.4g}" + (f" ± {spread:.2g}" if spread else "")


def accuracy(top1: float | None, error: float | None) -> str:
    """A fraction and its standard error, in percent."""
    if top1 is None:
        return "unknown"
    return f"{100 * top1:.2f}" + (f" ± {100 * error:.2f}%" if error is not None else "%")


def child(candidate: Mapping[str, Any], result: Mapping[str, Any]) -> list[str]:
    """A candidate of `result`, or a selected one, in a few lines."""
    objectives, top1 = result["objectives"], candidate["ranking_top1"]
    error = result_lib.standard_error(top1, result["ranking"]["images"])
    for_budget = limits(candidate["budget"], objectives) if "budget" in candidate else ""
    return [
        *([f"selected for {for_budget}"] if for_budget else []),
        f"top-1 {accuracy(top1, error)}",
        *(
            f"{objective['title']} {cost(candidate, name)} {objective['unit']}"
            for name, objective in objectives.items()
        ),
        *architecture(candidate["architecture"]),
    ]


def judged(judgement: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a judgement sums up, each with its figure."""
    settings, summary = judgement["settings"], judgement["summary"]
    yield "random children, mean of all resolutions", accuracy(summary["random_mean"], None)
    yield (
        f"random children, mean up to {summary['largest_trained']} px, the largest trained",
        accuracy(summary["random_mean_to_largest_trained"], None),
    )
    yield (
        "worst resolution of random children",
        f"{summary['worst_resolution']} px, {accuracy(summary['worst_mean'], None)} on average",
    )
    yield (
        "below the front of accuracy against multiply-adds, mean",
        f"{100 * summary['front_distance']:.2f} points",
    )
    yield (
        f"standard error of one accuracy, {settings['images']:,} images of {settings['split']}",
        f"{100 * summary['standard_error']:.2f} points",
    )


def cell(child: Mapping[str, Any], side: int, judgement: Mapping[str, Any]) -> list[str]:
    """A judged child at a resolution, in a few lines."""
    top1 = child["top1"][str(side)]
    error = result_lib.standard_error(top1, judgement["settings"]["images"])
    return [
        child["name"],
        f"top-1 {accuracy(top1, error)}",
        f"multiply-adds {child['macs'][str(side)] / 1e6:.4g} M",
        *architecture({**child["architecture"], "resolution": side}),
    ]


def architecture(plain: Mapping[str, Any]) -> Iterator[str]:
    """An architecture's JSON form: a line for what is chosen once, and one for each stage."""
    yield f"{plain['resolution']} px, stem {plain['stem_width']}, head {plain['head_width']}"
    stages = zip(plain["kernels"], plain["expands"], plain["widths"], strict=True)
    for number, layers in enumerate(stages, 1):
        yield f"stage {number}: {_stage(*layers)}"


def _stage(kernels: Sequence[int], expands: Sequence[int], widths: Sequence[int]) -> str:
    """Its blocks, such as "MB6 5x5 24, MB4 3x3 32": expansion, kernel, output channels."""
    layers = zip(kernels, expands, widths, strict=True)
    return ", ".join(f"MB{expand} {kernel}x{kernel} {width}" for kernel, expand, width in layers)
