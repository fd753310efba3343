"""Benchmarks: prints our speed against a reference, and writes every figure as JSON.

  python -m tools.benchmark [step|candidate|cost|child|input|startup|all] [--repeats=7]

Both sides of a comparison alternate in one process after a warm-up of each.
Without an argument every measure is run. A reference that is not installed is
reported as skipped.
"""

from __future__ import annotations

import dataclasses
import importlib
import os
from collections.abc import Sequence

from absl import flags

from bignas_tf import errors, files, machine

from .benchmarks import MEASURES, READ, harness, report
from .cli import launch

_REPEATS = flags.DEFINE_integer("repeats", 7, "Timed runs of each side.", lower_bound=1)
_OUTPUT = flags.DEFINE_string("output", None, "JSON file; runs/benchmark/<measure>.json if unset.")
_SEARCH_SPACE = flags.DEFINE_string(
    "search_space", None, "step, candidate: this space instead of the two presets."
)
_BATCH_SIZE = flags.DEFINE_integer("batch_size", None, "step: batch size.", lower_bound=1)
_IMAGES = flags.DEFINE_integer(
    "images", None, "candidate: images scored; input: images read for a sample.", lower_bound=1
)


def main(name: str = "all") -> None:
    """Runs a measure, or all."""
    errors.require_one_of("measure", name, (*MEASURES, "all"))
    chosen = list(MEASURES) if name == "all" else [name]
    _check_read(chosen)
    output = f"runs/benchmark/{name}.json" if _OUTPUT.value is None else _OUTPUT.value
    files.refuse_folder(output, "--output")
    files.ensure_writable(os.path.dirname(output) or ".")
    settings = harness.Settings(
        _REPEATS.value, _SEARCH_SPACE.value, _BATCH_SIZE.value, _IMAGES.value
    )
    result = {"machine": machine.describe(), "settings": dataclasses.asdict(settings)}
    measures: dict[str, list[dict[str, object]]] = {}
    print(report.LEGEND)
    for each in chosen:
        rows = importlib.import_module(f".benchmarks.{each}", __package__).measure(settings)
        print(f"\n{each}: {MEASURES[each]}\n{report.table(rows)}", flush=True)
        measures[each] = [row.to_json() for row in rows]
        # After each, so that a later failure loses nothing.
        files.write_json(output, result | {"measures": measures})
    print(f"\n{output}")


def _check_read(chosen: Sequence[str]) -> None:
    """Refuses a flag that none of the measures reads."""
    for flag in (_SEARCH_SPACE, _BATCH_SIZE, _IMAGES):
        readers = [each for each, read in READ.items() if flag.name in read]
        if flag.value is not None and not set(readers) & set(chosen):
            raise errors.UsageError(
                f"--{flag.name} has no effect on {chosen[0]}; it is for {' and '.join(readers)}"
            )


if __name__ == "__main__":
    launch(main, most_arguments=1)
