"""Judges a trained supernet: the same few children, scored at every resolution of its space.

  python -m tools.judge --model_dir=runs/fashion_mnist [--images=2000]

The smallest child, the biggest and some random ones are calibrated and scored at each
evaluation resolution. Prints their top-1 in percent, a summary and warnings, and writes all of
it to judgement.json in the run's folder, where tools.report finds it. No child is chosen by it,
so it uses the reporting split.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from absl import flags

from tools.cli import launch, no_chatter

if TYPE_CHECKING:
    from bignas_tf.selection.judged import JudgedChild, Judgement

_MODEL_DIR = flags.DEFINE_string("model_dir", None, "Folder of the training run.", required=True)
_CHILDREN = flags.DEFINE_integer("children", 5, "Random children.", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 0, "Of the random children.", lower_bound=0)
_SPLIT = flags.DEFINE_string("split", "", "Images to score on; the reporting split by default.")
_IMAGES = flags.DEFINE_integer(
    "images", 0, "How many of them, from the start; 0 for all.", lower_bound=0
)
_OUTPUT = flags.DEFINE_string(
    "output", None, "JSON file of the result; judgement.json in --model_dir if unset."
)


def main(argv: Sequence[str]) -> None:
    del argv
    no_chatter()
    from bignas_tf import errors, files
    from bignas_tf.reports import words
    from bignas_tf.selection import judged, judgement
    from bignas_tf.training import checkpoints

    run = checkpoints.load_run(_MODEL_DIR.value)
    output = _OUTPUT.value or os.path.join(_MODEL_DIR.value, judged.FILE)
    if os.path.isdir(output):
        raise errors.UsageError(f"--output={output} is a folder; name a file")
    files.make_folder(os.path.dirname(output) or ".")
    show = functools.partial(print, flush=True)
    result = judgement.judge(run, _CHILDREN.value, _SEED.value, _SPLIT.value, _IMAGES.value, show)
    judged.write(output, result)
    for line in _table(result):
        print(line)
    for what, figure in words.judged(result):
        print(f"{what}: {figure}")
    for warning in result.warnings:
        print(f"warning: {warning}")


def _table(result: Judgement) -> Iterator[str]:
    """A line for each child, and for what they have in common at each resolution."""
    summary = result.summary
    rows = [
        ("top-1 (%)", "multiply-adds (M)", [f"{side} px" for side in result.resolutions]),
        *((child.name, _range(child.macs), _top1(child)) for child in result.children),
        ("random, mean", "", _hundred(summary.random_mean_by_resolution)),
        ("below the front", "", _hundred(summary.front_distance_by_resolution)),
    ]
    width = max(len(name) for name, _, _ in rows)
    for name, macs, cells in rows:
        yield f"{name:<{width}}  {macs:>17}" + "".join(f"{cell:>8}" for cell in cells)


def _range(macs: Mapping[int, int]) -> str:
    """The least and the most multiply-adds of a child, in millions."""
    return f"{min(macs.values()) / 1e6:.4g} to {max(macs.values()) / 1e6:.4g}"


def _top1(child: JudgedChild) -> list[str]:
    return _hundred({side: accuracy.top1 for side, accuracy in child.accuracies.items()})


def _hundred(fractions: Mapping[int, float]) -> list[str]:
    return [f"{100 * value:.2f}" for value in fractions.values()]


if __name__ == "__main__":
    launch(main)
