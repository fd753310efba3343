"""Writes what became of a run: one page that opens offline, and its plots as PNG.

  python -m tools.report --model_dir=runs/fashion_mnist

The page, report.html, has the learning curves, every candidate of each search with
its architecture, the selected children side by side, the exports with their times,
and the commands and versions that made them. The plots lie in report/.
"""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

from absl import flags

from .cli import launch, no_chatter

_MODEL_DIR = flags.DEFINE_string("model_dir", None, "Folder of the training run.", required=True)
_SEARCH_DIRS = flags.DEFINE_multi_string(
    "search_dir", [], "Folder of a search; all that lie in --model_dir if unset."
)
_OUTPUT_DIR = flags.DEFINE_string(
    "output_dir", None, "Folder of report.html and report/; --model_dir if unset."
)


def main(argv: Sequence[str]) -> None:
    del argv
    no_chatter()
    from bignas_tf import files

    from .reports import inputs, page, render

    run = inputs.read(_MODEL_DIR.value, _SEARCH_DIRS.value)
    folder = pathlib.Path(_OUTPUT_DIR.value or _MODEL_DIR.value)
    files.ensure_writable(folder)
    report, plots = page.compose(run), folder / inputs.PLOTS_DIR
    for figure in report.figures:
        render.to_png(figure, plots / f"{figure.name}.png")
    for name, drawing in report.drawings.items():
        files.write_text(plots / f"{name}.svg", drawing)
    files.write_text(folder / inputs.PAGE_FILE, report.text)
    print(f"{folder / inputs.PAGE_FILE}, and {len(report.figures)} plots in {plots}")


if __name__ == "__main__":
    launch(main)
