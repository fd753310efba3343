"""Measures how long the parts of a space's children take in LiteRT: a table for `table_ms`.

  python -m tools.latency_table --model_dir=runs/fashion_mnist --output=runs/latency/small.json
  python -m tools.latency_table --search_space=bignas_small --num_classes=10 \\
      --input_channels=1 --output=runs/latency/small.json

Stem, blocks and head are timed one by one. The table is saved as it grows: the same command
continues an interrupted one, and adds other resolutions, and spaces of equal patches, to a table of
the same device.
At the end a few whole children are measured and compared with the sums.
"""

from __future__ import annotations

from absl import flags

import bignas_tf as bignas

from . import models
from .cli import launch

models.define_flags(search_space="bignas_small")
_RESOLUTIONS = flags.DEFINE_list("resolutions", [], "Input sides; all of the space by default.")
_THREADS = flags.DEFINE_integer("threads", 1, "Threads of LiteRT.", lower_bound=1)
_CHILDREN = flags.DEFINE_integer(
    "children", 12, "Random children measured whole, to compare the sums with.", lower_bound=2
)
_OUTPUT = flags.DEFINE_string("output", None, "JSON file of the table.", required=True)


def main() -> None:
    """Measures what is missing from the table."""
    space, classes, channels = models.of_flags()
    bignas.latency_table(
        space,
        _OUTPUT.value,
        num_classes=classes,
        input_channels=channels,
        resolutions=[_side(text) for text in _RESOLUTIONS.value],
        threads=_THREADS.value,
        children=_CHILDREN.value,
    )
    print(_OUTPUT.value)


def _side(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise bignas.UsageError(f"--resolutions: {text!r} is not a whole number") from None


if __name__ == "__main__":
    launch(main)
