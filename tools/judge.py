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
from typing import Any

from absl import flags

from .cli import launch, no_chatter

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
    from bignas_tf.selection import findings, judgement
    from bignas_tf.training import checkpoints

    from .reports import words

    run = checkpoints.load_run(_MODEL_DIR.value)
    output = _OUTPUT.value or os.path.join(_MODEL_DIR.value, findings.FILE)
    if os.path.isdir(output):
        raise errors.UsageError(f"--output={output} is a folder; name a file")
    files.make_folder(os.path.dirname(output) or ".")
    show = functools.partial(print, flush=True)
    result = judgement.judge(run, _CHILDREN.value, _SEED.value, _SPLIT.value, _IMAGES.value, show)
    files.write_json(output, result)
    for line in _table(result):
        print(line)
    for what, figure in words.judged(result):
        print(f"{what}: {figure}")
    for warning in result["warnings"]:
        print(f"warning: {warning}")


def _table(result: Mapping[str, Any]) -> Iterator[str]:
    """A line for each child, and for what they have in common at each resolution."""
    children, summary = result["children"], result["summary"]
    rows = [
        ("top-1 (%)", "multiply-adds (M)", [f"{side} px" for side in result["resolutions"]]),
        *((child["name"], _range(child["macs"]), _hundred(child["top1"])) for child in children),
        ("random, mean", "", _hundred(summary["random_mean_by_resolution"])),
        ("below the front", "", _hundred(summary["front_distance_by_resolution"])),
    ]
    width = max(len(name) for name, _, _ in rows)
    for name, macs, cells in rows:
        yield f"{name:<{width}}  {macs:>17}" + "".join(f"{cell:>8}" for cell in cells)


def _range(macs: Mapping[str, int]) -> str:
    """The least and the most multiply-adds of a child, in millions."""
    return f"{min(macs.values()) / 1e6:.4g} to {max(macs.values()) / 1e6:.4g}"


def _hundred(fractions: Mapping[str, float]) -> list[str]:
    return [f"{100 * value:.2f}" for value in fractions.values()]


if __name__ == "__main__":
    launch(main)
