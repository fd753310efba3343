"""How the operations of a .tflite file run, so that no fallback is silent."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from bignas_tf.exports import probe

WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


@dataclasses.dataclass(frozen=True)
class Operations:
    """Numbers of operations.

    Attributes:
      counts: of all, by name.
      outside_xnnpack: those, by name, that LiteRT's default delegate for CPUs leaves to the
        reference kernels.
      weights: of the convolutions and products, by the type that their weights are stored in.
      floats: operations that give floats, by name.
    """

    counts: Mapping[str, int]
    outside_xnnpack: Mapping[str, int]
    weights: Mapping[str, int]
    floats: Mapping[str, int]


def read(model: bytes) -> Operations:
    """Loads a file with LiteRT and sorts its operations."""
    lite = probe.interpreter(model)
    # The public interface lists tensors, not operations.
    operations = lite._get_ops_details()
    delegates = [each for each in operations if each["op_name"] == "DELEGATE"]
    own = [each for each in operations if each["op_name"] != "DELEGATE"]
    types = {each["index"]: np.dtype(each["dtype"]).name for each in lite.get_tensor_details()}
    delegated = _delegated(own, delegates)
    outside = [each for each in own if each["index"] not in delegated]
    floats = [each for each in own if any("float" in types[t] for t in each["outputs"])]
    weighted = [each for each in own if each["op_name"] in WEIGHTED]
    stored = collections.Counter(_stored(each["inputs"][1], own, types) for each in weighted)
    return Operations(_by_name(own), _by_name(outside), dict(stored), _by_name(floats))


def _delegated(own: list[dict[str, Any]], delegates: list[dict[str, Any]]) -> set[int]:
    """The operations between the inputs and the outputs of delegates."""
    makers = {tensor: each for each in own for tensor in each["outputs"]}
    inside: set[int] = set()
    for delegate in delegates:
        given, tensors = set(delegate["inputs"]), list(delegate["outputs"])
        while tensors:
            tensor = tensors.pop()
            maker = makers.get(tensor)
            if tensor not in given and maker and maker["index"] not in inside:
                inside.add(maker["index"])
                tensors += list(maker["inputs"])
    return inside


def _stored(tensor: int, own: list[dict[str, Any]], types: Mapping[int, str]) -> str:
    """The type of a weight, before the operation that makes float32 of float16."""
    (source,) = [e["inputs"][0] for e in own if tensor in e["outputs"]] or [tensor]
    return types[source]


def _by_name(operations: list[dict[str, Any]]) -> Mapping[str, int]:
    return dict(collections.Counter(each["op_name"] for each in operations).most_common())
