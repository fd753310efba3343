"""Writes a report of a run: one page that opens offline, and its plots as PNG.

  python -m tools.report --model_dir=runs/fashion_mnist

The page, report.html, has the learning curves, every candidate of each search with
its architecture, the selected children side by side, the exports with their times,
and the commands and versions that made them. The plots are in report/.
"""

from __future__ import annotations

from absl import flags

import bignas_tf as bignas

from .cli import launch

_MODEL_DIR = flags.DEFINE_string("model_dir", None, "Folder of the training run.", required=True)
_SEARCH_DIRS = flags.DEFINE_multi_string(
    "search_dir", [], "Folder of a search; all directly in --model_dir if unset."
)
_OUTPUT_DIR = flags.DEFINE_string(
    "output_dir", None, "Folder of report.html and report/; --model_dir if unset."
)


def main() -> None:
    bignas.report(_MODEL_DIR.value, search_dirs=_SEARCH_DIRS.value, output_dir=_OUTPUT_DIR.value)


if __name__ == "__main__":
    launch(main)
