"""A result of `tools.tpu_compile` as lines of text."""

from __future__ import annotations

from typing import Any

_GIB, _MIB = 2**30, 2**20


def table(result: dict[str, Any]) -> str:
    """The figures of the batch that was compiled; all are of one core and one step."""
    compiled, host = result["compiled"], result["host_bytes"]
    title = (
        f"{result['experiment']} ({result['search_space']}, {result['compute_type']}) on "
        f"{result['topology']}, {result['cores']} cores, {result['largest_batch']} images a core"
    )
    rows = {
        "arguments": f"{_size(compiled['arguments_bytes'])} of HBM",
        "temporaries": _size(compiled["temporaries_bytes"]),
        "peak": _size(compiled["peak_bytes"]),
        "FLOPs": f"{compiled['flops'] / 1e9:,.0f} G",
        "all-reduces": f"{compiled['all_reduces']}, {_size(compiled['all_reduce_bytes'])} in all",
        "from the host": f"{_size(host['sent'])}; as float32 copies "
        f"{_size(host['float32_copies'])}",
        "compilation": f"{compiled['compile_s']:.0f} s",
    }
    return "\n".join([title, *(f"  {name:<14}{value}" for name, value in rows.items())])


def _size(count: int) -> str:
    return f"{count / _GIB:.2f} GiB" if count >= _GIB else f"{count / _MIB:.2f} MiB"
