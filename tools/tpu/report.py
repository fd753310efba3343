"""A result of `tools.tpu_compile` as lines of text."""

from __future__ import annotations

from typing import Any

_GIB, _MIB = 2**30, 2**20


def table(result: dict[str, Any]) -> str:
    """The figures of the batch that was compiled; all are of one core and one step or round."""
    compiled, host = result["compiled"], result["host_bytes"]
    # The cycles of a loop are counted as often as it runs, the compiler's own figures once.
    counted = f", the loop of {result['parts']} parts counted once" if result["parts"] > 1 else ""
    title = (
        f"{result['experiment']} ({result['search_space']}, {result['compute_type']}) on "
        f"{result['topology']}, {result['cores']} cores, {result['largest_batch']} images a core"
    )
    if result["side"]:
        title += f", {result['graph']} at {result['side']} px"
    rows = {
        "arguments": f"{_size(compiled['arguments_bytes'])} of HBM",
        "temporaries": _size(compiled["temporaries_bytes"]),
        "peak": _size(compiled["peak_bytes"]),
        "FLOPs": f"{compiled['flops'] / 1e9:,.0f} G{counted}",
        "HBM accesses": f"{_size(compiled['bytes_accessed'])}{counted}",
        "all-reduces": f"{compiled['all_reduces']}, {_size(compiled['all_reduce_bytes'])}{counted}",
        "estimated time": _time(compiled),
        "of which": _shares(compiled["cycles_by_kind"]),
        "from the host": "; ".join(
            f"{_size(size)} {what.replace('_', ' ')}" for what, size in host.items()
        ),
        "compilation": f"{compiled['compile_s']:.0f} s",
    }
    return "\n".join([title, *(f"  {name:<16}{value}" for name, value in rows.items())])


def _time(compiled: dict[str, Any]) -> str:
    cycles = f"{compiled['estimated_cycles'] / 1e6:,.1f} M cycles"
    if compiled["estimated_ms"] is None:
        return f"{cycles}; the clock of {compiled['kind']} is not known"
    return (
        f"{compiled['estimated_ms']:,.1f} ms, an estimate: {cycles} of the compiler's at "
        f"{compiled['clock_mhz']} MHz, with no waiting for other cores or the host"
    )


def _shares(cycles: dict[str, int]) -> str:
    total = max(sum(cycles.values()), 1)
    return ", ".join(f"{kind} {count / total:.0%}" for kind, count in cycles.items())


def _size(count: int) -> str:
    return f"{count / _GIB:.2f} GiB" if count >= _GIB else f"{count / _MIB:.2f} MiB"
