"""Calibrates and scores one child; prints one JSON line: macs, params, top1, images, error.

  python -m tools.evaluate --model_dir=runs/fashion_mnist --architecture=child_2.json

With --confusion=FILE.csv the classes that are recognised least are shown, too (on stderr), and the
file has how often each class was taken for which.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from absl import flags

import bignas_tf as bignas
from bignas_tf import files

from . import runs
from .cli import launch, to_stderr

runs.define_flags()
_ARCHITECTURE = flags.DEFINE_string(
    "architecture",
    None,
    "JSON file of the child, 'smallest', 'biggest', or a published child's name.",
    required=True,
)
_SPLIT = flags.DEFINE_string("split", "", "Images to score on; the reporting split by default.")
_CONFUSION = flags.DEFINE_string("confusion", "", "CSV file of true classes by answers.")
_TPU = flags.DEFINE_string("tpu", "", "TPU whose cores evaluate, by name or address.")


def main(argv: Sequence[str]) -> None:
    del argv
    table = _CONFUSION.value
    if table:
        files.make_place(table, "--confusion")
    run = runs.load(bignas.evaluation_strategy(tpu=_TPU.value))
    asked = run, _ARCHITECTURE.value, _SPLIT.value
    found = bignas.confusion(*asked, show=to_stderr) if table else None
    accuracy = found.accuracy if found else bignas.evaluate(*asked, show=to_stderr)
    cost = bignas.cost(run, _ARCHITECTURE.value)
    answer = {"macs": cost.macs, "params": cost.params, **accuracy.to_json()}
    print(json.dumps(answer | {"error": accuracy.error}), flush=True)
    if found:
        for line in found.lines():
            to_stderr(line)
        found.save(table)


if __name__ == "__main__":
    launch(main)
