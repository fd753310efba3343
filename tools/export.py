"""Slices, calibrates and exports children as verified SavedModels for TensorFlow Serving.

  python -m tools.export --model_dir=runs/fashion_mnist \\
      --architecture=runs/fashion_mnist/search/child_2.json --output_dir=runs/fashion_mnist/export
  python -m tools.export --model_dir=runs/fashion_mnist \\
      --search_dir=runs/fashion_mnist/search --output_dir=runs/fashion_mnist/family

One child becomes <output_dir>/<version>/; the selected children of a search become
<output_dir>/child_<budget>/<version>/ each. models.config lists them all.
"""

from __future__ import annotations

from absl import flags

import bignas_tf as bignas

from . import runs
from .cli import launch, to_stderr

runs.define_flags()
_ARCHITECTURE = runs.define_architecture()
_SEARCH_DIR = flags.DEFINE_string(
    "search_dir", None, "Folder of a search whose selected children are all exported."
)
_OUTPUT_DIR, _LICENCE = runs.define_version()
_LABELS = runs.define_labels()
flags.mark_flags_as_mutual_exclusive(["architecture", "search_dir"], required=True)


def main() -> None:
    run = runs.load()
    named = {"labels": _LABELS.value, "licence": _LICENCE.value, "show": to_stderr}
    if _SEARCH_DIR.value is None:
        print(bignas.export(run, _ARCHITECTURE.value, _OUTPUT_DIR.value, **named))
        return
    for version in bignas.export_family(run, _SEARCH_DIR.value, _OUTPUT_DIR.value, **named):
        print(version)


if __name__ == "__main__":
    launch(main)
