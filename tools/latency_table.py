"""Measures how long the parts of a space's children take in LiteRT: a table for `table_ms`.

  python -m tools.latency_table --search_space=bignas_small --num_classes=10 \\
      --input_channels=1 --output=runs/latency/small.json

Stem, blocks and head are timed one by one. The table is saved as it grows; the same command goes
on where it was interrupted, and a table of the same device takes in other resolutions and spaces.
At the end a few whole children are measured, and the sums compared with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from absl import flags

from .cli import launch

_SEARCH_SPACE = flags.DEFINE_string(
    "search_space", "bignas_small", "A preset, or the YAML file of a search space."
)
_RESOLUTIONS = flags.DEFINE_list("resolutions", [], "Input sides; all of the space by default.")
_THREADS = flags.DEFINE_integer("threads", 1, "Threads of LiteRT.", lower_bound=1)
_NUM_CLASSES = flags.DEFINE_integer(
    "num_classes", 1000, "Outputs of the classifier.", lower_bound=1
)
_INPUT_CHANNELS = flags.DEFINE_integer(
    "input_channels", 3, "Channels of the images.", lower_bound=1
)
_CHILDREN = flags.DEFINE_integer(
    "children", 12, "Random children measured whole, to compare the sums with.", lower_bound=2
)
_OUTPUT = flags.DEFINE_string("output", None, "JSON file of the table.", required=True)

_SAVE_EVERY_S = 10.0
_CALLS = 200  # of a process that measures; parts are smaller than children


def main(argv: Sequence[str]) -> None:
    """Measures what is missing from the table."""
    del argv
    import os

    from bignas_tf import files
    from bignas_tf.export.disposable import Disposable
    from bignas_tf.search_space import presets
    from bignas_tf.search_space.parts import Family

    space = presets.get(_SEARCH_SPACE.value)
    family = Family(space, _NUM_CLASSES.value, _INPUT_CHANNELS.value)
    resolutions = _resolutions(space)
    files.ensure_writable(os.path.dirname(_OUTPUT.value) or ".")
    elsewhere = Disposable(_CALLS)
    table = _begun(family, elsewhere)
    _measure(table, family.all_parts(resolutions), elsewhere)
    _compare(table, family, resolutions, elsewhere)
    print(_OUTPUT.value)


def _resolutions(space: Any) -> list[int]:
    from bignas_tf import errors

    choices = {str(side): side for side in space.eval_resolutions}
    given = _RESOLUTIONS.value or list(choices)
    unknown = [side for side in given if side not in choices]
    if unknown:
        raise errors.UsageError(
            f"--resolutions: {space.name!r} has no {unknown}; choose from {list(choices.values())}"
        )
    return [choices[side] for side in dict.fromkeys(given)]


def _begun(family: Any, elsewhere: Any) -> Any:
    """The table that is there already, or a new one without entries."""
    from bignas_tf import errors, files
    from bignas_tf.export import parts
    from bignas_tf.search_space.latency_table import LatencyTable

    path, device = _OUTPUT.value, _device()
    if not files.is_file(path):
        side, threads = family.space.base_resolution, _THREADS.value
        call = elsewhere(parts.overhead, side, family.input_channels, threads)
        return LatencyTable(path, device, call.median, {})
    table = LatencyTable.load(path)
    if table.device != device:
        raise errors.UsageError(
            f"{path} is of {table.device!r}, this is {device!r}; give another --output"
        )
    return table


def _device() -> str:
    import importlib.metadata

    from .benchmarks import report

    machine, threads = report.machine(), _THREADS.value
    version = importlib.metadata.version("ai-edge-litert")
    return (
        f"LiteRT {version}, XNNPACK, float32, {threads} thread{'s' if threads > 1 else ''}; "
        f"{machine['processor']}, {machine['cores']} cores"
    )


def _measure(table: Any, wanted: Sequence[Any], elsewhere: Any) -> None:
    """Adds what is missing, and saves the table now and then."""
    import time

    from bignas_tf.export import parts

    missing = [part for part in wanted if part not in table.times]
    print(f"{len(wanted)} parts, {len(wanted) - len(missing)} measured before", flush=True)
    began = saved = time.monotonic()
    for done, part in enumerate(missing, 1):
        table.times[part] = elsewhere(parts.timing, part, _THREADS.value).median
        now = time.monotonic()
        if now - saved > _SAVE_EVERY_S or done == len(missing):
            table.save()
            saved = now
            left = (now - began) / done * (len(missing) - done)
            print(f"{done}/{len(missing)} parts, {left / 60:.1f} min left", flush=True)


def _compare(table: Any, family: Any, resolutions: Sequence[int], elsewhere: Any) -> None:
    """Prints how sums of the table and times of whole children agree."""
    import numpy as np

    from bignas_tf.export import latency

    rng, space = np.random.default_rng(0), family.space
    sums, times = [], []
    for _ in range(_CHILDREN.value):
        child = space.with_resolution(space.sample(rng), int(rng.choice(resolutions)))
        sums.append(table.milliseconds(family, child))
        times.append(elsewhere(latency.litert, family, child, _THREADS.value).median)
    ratios = np.divide(sums, times)
    low, middle, high = np.percentile(ratios, [0, 50, 100])
    print(
        f"{_CHILDREN.value} random children of {min(times):.3g} to {max(times):.3g} ms: "
        f"sum over measured {middle:.2f} (median; from {low:.2f} to {high:.2f}), "
        f"correlation {np.corrcoef(sums, times)[0, 1]:.3f}"
    )


if __name__ == "__main__":
    launch(main)
