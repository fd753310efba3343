"""A table of how long the parts of a space's children take in LiteRT, measured here."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

import numpy as np

from bignas_tf import console, errors, files, locking, machine, plain
from bignas_tf.api import arguments, counting, failures
from bignas_tf.console import Show
from bignas_tf.latency import children as children_lib
from bignas_tf.latency import parts
from bignas_tf.latency.disposable import Disposable
from bignas_tf.latency.table import LatencyTable
from bignas_tf.search_space.parts import ModelSpace, Part
from bignas_tf.search_space.space import SearchSpace
from bignas_tf.training.checkpoints import Run

_SAVE_EVERY_S = 10.0
_CALLS = 200  # of a process that measures; parts are smaller than children


def latency_table(
    space: SearchSpace | str | os.PathLike[str] | Run,
    path: str | os.PathLike[str],
    *,
    num_classes: int | None = None,
    input_channels: int | None = None,
    resolutions: Sequence[int] = (),
    threads: int = 1,
    children: int = 12,
    show: Show | None = console.print_line,
) -> LatencyTable:
    """Times stem, blocks and head one by one, and compares sums with a few whole children.

    The table is saved as it grows. Called again it continues where it was interrupted, and a
    table of the same device takes in other resolutions and spaces, if their patches have the same
    size: a call's overhead depends on it, and a table has one overhead. It starts processes that
    import the caller's script, so a script calls this below `if __name__ == "__main__":`.

    Args:
      space: a search space, its preset's name or YAML file, or a run.
      path: JSON file of the table.
      num_classes: outputs of the classifier; the run's, or 1000, if None.
      input_channels: of the images; the run's, or 3, if None.
      resolutions: input sides; all of the space if empty.
      threads: of LiteRT.
      children: random ones that are measured whole, at least 2.
      show: takes lines of progress and of the comparison; None for silence.

    Raises:
      UsageError: a number out of range, no such space or resolution, a path that cannot be written,
        a table of another device or of patches of another size, one that another process is
        measuring, or LiteRT is not installed.
      RunError: a part cannot be measured.
    """
    children, threads = (
        plain.whole("children", children, 2),
        plain.whole("threads", threads, 1),
    )
    path, show = errors.require_path("path", path), console.or_silent(show)
    models = counting.model_space_of(space, num_classes, input_channels)
    sides = _resolutions(models.space, arguments.listed(resolutions))
    files.refuse_folder(path, "output")
    device = _device(threads)
    with Disposable(_CALLS) as elsewhere:
        # Who saves it writes all of it, and would undo what another process has added.
        with locking.locked(path, "a measurement", "output"):
            table = _begun(path, models, threads, device, elsewhere)
            _measure(table, models.all_parts(sides), threads, elsewhere, show)
        show(_comparison(table, models, sides, threads, children, elsewhere))
    return table


def _resolutions(space: SearchSpace, given: Sequence[int]) -> Sequence[int]:
    for side in given:
        errors.require_one_of(f"a resolution of {space.name!r}", side, space.eval_resolutions)
    return list(dict.fromkeys(given or space.eval_resolutions))


def _begun(
    path: str, models: ModelSpace, threads: int, device: str, elsewhere: Disposable
) -> LatencyTable:
    """The table that is there already, or a new one without entries."""
    if not files.is_file(path):
        side = models.space.base_resolution
        call = failures.of_child(elsewhere, parts.overhead, side, models.input_channels, threads)
        return LatencyTable(path, device, call.median, {})
    table = LatencyTable.load(path)
    if table.device != device:
        raise errors.UsageError(
            f"{path} is of {table.device!r}, this is {device!r}; give another output file"
        )
    table.check_images(models, "give another output file")
    return table


def _device(threads: int) -> str:
    version = children_lib.litert_version("a latency table")
    return (
        f"LiteRT {version}, XNNPACK, float32, {threads} thread{'s' if threads > 1 else ''}; "
        f"{machine.title()}"
    )


def _measure(
    table: LatencyTable, wanted: Sequence[Part], threads: int, elsewhere: Disposable, show: Show
) -> None:
    """Adds what is missing, and saves the table now and then."""
    missing = [part for part in wanted if part not in table.times]
    show(f"{len(wanted)} parts, {len(wanted) - len(missing)} measured before")
    began = saved = time.monotonic()
    try:
        for done, part in enumerate(missing, 1):
            table.times[part] = failures.of_child(elsewhere, parts.timing, part, threads).median
            now = time.monotonic()
            if now - saved > _SAVE_EVERY_S or done == len(missing):
                table.save()
                saved = now
                left = (now - began) / done * (len(missing) - done)
                show(f"{done}/{len(missing)} parts, {console.duration(left)} left")
    except (KeyboardInterrupt, errors.RunError):
        if table.times:
            table.save()
        raise


def _comparison(
    table: LatencyTable,
    models: ModelSpace,
    resolutions: Sequence[int],
    threads: int,
    children: int,
    elsewhere: Disposable,
) -> str:
    """How sums of the table and times of whole children agree."""
    rng, space = np.random.default_rng(0), models.space
    sums, times = [], []
    for _ in range(children):
        child = space.with_resolution(space.sample(rng), int(rng.choice(resolutions)))
        sums.append(table.milliseconds(models, child))
        timing = failures.of_child(elsewhere, children_lib.litert, models, child, threads)
        times.append(timing.median)
    ratios = np.divide(sums, times)
    low, middle, high = np.percentile(ratios, [0, 50, 100])
    return (
        f"{children} random children of {min(times):.3g} to {max(times):.3g} ms: "
        f"sum over measured {middle:.2f} (median; from {low:.2f} to {high:.2f})"
        f"{_correlation(sums, times)}"
    )


def _correlation(sums: Sequence[float], times: Sequence[float]) -> str:
    """Pearson's; nothing where either is always the same, as in a space of one child."""
    if not (np.ptp(sums) and np.ptp(times)):
        return ""
    return f", correlation {np.corrcoef(sums, times)[0, 1]:.3f}"
