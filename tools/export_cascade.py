"""Exports the children of a search as one model, which asks bigger ones only where it must.

  python -m tools.export_cascade --model_dir=runs/fashion_mnist \\
      --search_dir=runs/fashion_mnist/search --output_dir=runs/fashion_mnist/cascade

A small child answers where the probability of its best class reaches a threshold; the others see
only the images of which those before them are not sure. Of all cascades of up to three children,
the cheapest is taken that is as accurate as the best child alone, or as --accuracy says, or the
most accurate one within --mean_cost. Thresholds are chosen on the images that ranked the search,
and the accuracy is reported on others. Each child answers to its own name as well.
"""

from __future__ import annotations

from absl import flags

import bignas_tf as bignas

from . import runs
from .cli import launch, to_stderr

runs.define_flags()
_SEARCH_DIR = flags.DEFINE_string("search_dir", None, "Folder of a search of it.", required=True)
_OUTPUT_DIR, _LICENCE = runs.define_version()
_ACCURACY = flags.DEFINE_float(
    "accuracy", None, "Least accuracy on the images that rank, such as 0.92."
)
_MEAN_COST = flags.DEFINE_float(
    "mean_cost", None, "Largest mean cost of an image, in the unit of --objective."
)
_OBJECTIVE = flags.DEFINE_string("objective", "mflops", "Which cost of the search is to be saved.")
_CASCADE = flags.DEFINE_string(
    "cascade",
    None,
    "Children and thresholds to be taken as they are: child_1:0.8,child_4.",
)
_LABELS = runs.define_labels()
flags.mark_flags_as_mutual_exclusive(["accuracy", "mean_cost", "cascade"])


def main() -> None:
    version = bignas.export_cascade(
        runs.load(),
        _SEARCH_DIR.value,
        _OUTPUT_DIR.value,
        accuracy=_ACCURACY.value,
        mean_cost=_MEAN_COST.value,
        objective=_OBJECTIVE.value,
        cascade=_CASCADE.value,
        labels=_LABELS.value,
        licence=_LICENCE.value,
        show=to_stderr,
    )
    print(version)


if __name__ == "__main__":
    launch(main)
