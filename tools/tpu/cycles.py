"""What the TPU compiler expects a compiled program to take, by kind of layer.

libtpu writes into its HLO text how many cycles it expects each operation to take. Their sum is an
estimate, not a measurement: waiting for other cores and for the host is not in it.
"""

from __future__ import annotations

import collections
import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

# Of a core. v2 and v3: Norrie et al. 2020 (doi:10.1145/3360307); v4: Jouppi et al. 2023
# (arXiv:2304.01433). The others follow from Google's peaks in bfloat16: v5e 197 TFLOP/s with four
# 128 x 128 matrix units, v5p 459 with eight, v6e 918 with units of 256 x 256, taken as four.
CLOCKS_MHZ = {
    "TPU v2": 700,
    "TPU v3": 940,
    "TPU v4": 1050,
    "TPU v5 lite": 1500,
    "TPU v5": 1750,
    "TPU v5p": 1750,
    "TPU v6 lite": 1750,
}
# The first that fits names an operation's kind. The compiler fuses layers: an operation counts
# wholly for the one that gave it its name.
_KINDS = {
    "optimizer": re.compile(r"(^|/)(RMSprop|SGD|Adam|ExponentialMovingAverage)", re.IGNORECASE),
    "norm": re.compile(r"_norm(/|$)"),
    # The layer's own gradient has no name of a layer.
    "depthwise": re.compile(r"/depthwise_conv(/|$)|(^|/)DepthwiseConv2dNative"),
    "1x1": re.compile(r"/(expand|project|skip|head)_conv(/|$)"),
    "skip_pool": re.compile(r"/AvgPool"),
    "stem": re.compile(r"/stem_conv(/|$)"),
    "squeeze_excite": re.compile(r"/squeeze_excite(/|$)"),
    "classifier": re.compile(r"/classifier(/|$)"),
    "resize": re.compile(r"^(?!.*supernet/).*einsum"),
}
OTHER = "other"
_DEAREST = 10

_HEADER = re.compile(r"^(ENTRY )?%?([^\s(]+) \(.*\{$")
_CYCLES = re.compile(r'"estimated_cycles":"(\d+)"')
_OP_NAME = re.compile(r'op_name="([^"]*)"')
_NAME = re.compile(r"%?([^\s=]+) = ")
_KNOWN_TRIPS = re.compile(r'"known_trip_count":\{"n":"(\d+)"\}')
_CONSTANT = re.compile(r"s32\[\]\S* constant\((\d+)\)")
_NAMED = r"=%?([^\s,}]+)"
_BRANCHES = re.compile(r"branch_computations=\{([^}]*)\}")

Computations = Mapping[str, Sequence[str]]


@dataclasses.dataclass(frozen=True)
class Operation:
    """An operation of the program that the compiler knows the time of.

    Attributes:
      name: of what it was in TensorFlow, or its own if the compiler made it.
      cycles: of all its executions in a step.
    """

    name: str
    cycles: int

    @property
    def kind(self) -> str:
        """The kind of layer it belongs to."""
        return next((kind for kind, named in _KINDS.items() if named.search(self.name)), OTHER)


def describe(hlo: str, device: str) -> dict[str, Any]:
    """Sums the cycles of a compiled program.

    Args:
      hlo: the text of the compiled module.
      device: kind of the TPU, as JAX names it.

    Returns:
      "estimated_cycles" of a step; "clock_mhz" and "estimated_ms", None for an unknown device;
      "cycles_by_kind", the dearest kind first; "dearest_operations", name and cycles of ten.
    """
    found = sorted(operations(hlo), key=lambda each: -each.cycles)
    kinds: collections.Counter[str] = collections.Counter()
    for each in found:
        kinds[each.kind] += each.cycles
    cycles, clock = sum(kinds.values()), CLOCKS_MHZ.get(device)
    return {
        "estimated_cycles": cycles,
        "clock_mhz": clock,
        "estimated_ms": cycles / clock / 1e3 if clock else None,
        "cycles_by_kind": dict(kinds.most_common()),
        "dearest_operations": [dataclasses.asdict(each) for each in found[:_DEAREST]],
    }


def operations(hlo: str) -> list[Operation]:
    """Returns the operations of a step; those of a loop count as often as it runs."""
    computations, entry = _computations(hlo)
    return list(_walk(computations, entry, 1))


def _computations(hlo: str) -> tuple[Computations, str]:
    """The lines of each computation by its name, and the name of the entry."""
    found: dict[str, list[str]] = {}
    entry, lines = "", None
    for line in hlo.splitlines():
        if header := _HEADER.match(line):
            lines = found[header[2]] = []
            entry = header[2] if header[1] else entry
        elif line.startswith("}"):
            lines = None
        elif lines is not None:
            lines.append(line)
    return found, entry


def _walk(computations: Computations, name: str, times: int) -> Iterator[Operation]:
    for line in computations.get(name, ()):
        if " while(" in line:
            trips = _trips(computations, line, _named("condition", line))
            yield from _walk(computations, _named("body", line), times * trips)
        elif " conditional(" in line:
            # A step runs one branch; which one, no compiler knows.
            branches = [list(_walk(computations, each, times)) for each in _branches(line)]
            yield from max(branches, key=lambda branch: sum(each.cycles for each in branch))
        elif " call(" in line or " async-start(" in line:
            called = _named("to_apply", line) or _named("calls", line)
            yield from _walk(computations, called, times)
        elif cycles := _CYCLES.search(line):
            named = _OP_NAME.search(line) or _NAME.search(line)
            yield Operation(named[1] if named else "", int(cycles[1]) * times)


def _named(attribute: str, line: str) -> str:
    """The computation that an attribute of an instruction names; "" if there is none."""
    found = re.search(rf"\b{attribute}{_NAMED}", line)
    return found[1] if found else ""


def _branches(line: str) -> list[str]:
    listed = _BRANCHES.search(line)
    if listed:
        return [each.strip().lstrip("%") for each in listed[1].split(",")]
    return [_named("true_computation", line), _named("false_computation", line)]


def _trips(computations: Computations, loop: str, condition: str) -> int:
    """How often a loop that counts from 0 runs: what it compares its number with; else 1."""
    known = _KNOWN_TRIPS.search(loop)
    if known:
        return int(known[1])
    lines = list(computations.get(condition, ()))
    lines += [inner for line in lines for inner in computations.get(_named("calls", line), ())]
    constants = [int(found[1]) for line in lines if (found := _CONSTANT.search(line))]
    return min((each for each in constants if each > 0), default=1)
