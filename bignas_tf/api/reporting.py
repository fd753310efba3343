"""The report of a run: one page and its plots."""

from __future__ import annotations

import contextlib
import os
import pathlib
from collections.abc import Sequence

from bignas_tf import console, errors, files, full_disk
from bignas_tf.api import arguments
from bignas_tf.console import Show
from bignas_tf.plain import Value
from bignas_tf.reports import inputs, page, render

_WRITTEN = ".written.json"  # names of what the last report drew


def report(
    model_dir: str | os.PathLike[str],
    *,
    search_dirs: Sequence[str | os.PathLike[str]] = (),
    output_dir: str | os.PathLike[str] | None = None,
    show: Show | None = console.print_line,
) -> pathlib.Path:
    """Writes `report.html`, which opens offline, and its plots below `report/`.

    Args:
      model_dir: folder of the run; may be remote.
      search_dirs: of its searches; all that are in the run's folder if empty.
      output_dir: where to, a local folder; the run's folder if None.
      show: takes a line about what was written; None for silence.

    Returns:
      The page.

    Raises:
      UsageError: the folder is not of a run, cannot be written, or a file in it is damaged.
      RunError: there is no room.
    """
    model_dir = errors.require_path("model_dir", model_dir)
    folder = _output_folder(model_dir, output_dir)
    run = inputs.read(
        model_dir,
        [errors.require_path("search_dirs", each) for each in arguments.listed(search_dirs)],
    )
    files.ensure_writable(folder)
    written, plots = page.compose(run), folder / inputs.PLOTS_DIR
    path = folder / inputs.PAGE_FILE
    with full_disk.explained(folder):
        files.ensure_writable(plots)
        for figure in written.figures:
            render.to_png(figure, plots / f"{figure.name}.png")
        drawn = {f"{name}.svg": drawing for name, drawing in written.drawings.items()}
        for name, drawing in drawn.items():
            files.write_text(plots / name, drawing)
        _sweep(plots, [*(f"{each.name}.png" for each in written.figures), *drawn])
        files.write_text(path, written.text)
    count = len(written.figures)
    console.or_silent(show)(f"{path}, and {count} plot{'s' * (count != 1)} in {plots}")
    return path


def _sweep(plots: pathlib.Path, written: Sequence[str]) -> None:
    """Removes what the last report drew of searches that are gone; what a user put there stays."""
    known = plots / _WRITTEN
    before: list[str] = []
    with contextlib.suppress(errors.UsageError):  # there is none, or it is damaged
        before = Value(files.read_json(known), os.fspath(known)).texts()
    for name in set(before).difference(written):
        if os.path.basename(name) == name and name.endswith((".png", ".svg")):
            files.remove(plots / name)
    files.write_json(known, sorted(written))


def _output_folder(model_dir: str, output_dir: str | os.PathLike[str] | None) -> pathlib.Path:
    folder = model_dir if output_dir is None else errors.require_path("output_dir", output_dir)
    if files.is_remote(folder):
        raise errors.UsageError(
            f"{folder} is remote, and a report is written to a local folder; name one "
            "with output_dir"
        )
    return pathlib.Path(folder)
