"""What rounding to int8 costs a child, made less in the finished file (ours).

No operation, size or time changes: only the range that some features are stored in, and biases.

- Below -8 swish is 0 to within 0.003, and below -3 hard swish is 0. What reads nothing but these
  need not tell such values apart, so it is stored from there on, in finer steps.
- Rounding has a direction: most features behind a swish are a little below 0, and fall on the same
  side of their step. In the order of the operations each convolution's bias takes out by how much
  its channels are off on average ("bias correction": Nagel et al., Section 4.2,
  https://arxiv.org/abs/1906.04721).
"""

from __future__ import annotations

import collections
import copy
from collections.abc import Iterator, Sequence

import numpy as np
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

from bignas_tf import errors, spacing
from bignas_tf.conversion import operations
from bignas_tf.exports import probe

_OPERATION = schema.BuiltinOperator
_WEIGHTED = tuple(getattr(_OPERATION, name) for name in operations.WEIGHTED)
_SWISH_ENDS, _HARD_SWISH_ENDS = -8.0, -3.0
_LOWEST, _HIGHEST = -128, 127
# Their mean is that of all to within a part of a step; a file runs once for each convolution.
_IMAGES = 100
_TINY = np.finfo(np.float32).tiny
_LARGEST_BIAS = 2**30  # half of int32: products are added to it
_Limits = tuple[float, float]  # the least and the largest number that a tensor can hold


def lessen(model: bytes, exact: bytes, patches: np.ndarray) -> bytes:
    """Stores what a swish reads from where it begins, and corrects the biases.

    Args:
      model: a child in int8 throughout, without metadata.
      exact: the same in float32.
      patches: uint8 [N, S, S, C], real images; a hundred of them are used.

    Returns:
      The file again.

    Raises:
      RunError: the two do not have the same convolutions.
    """
    content, reference = _parsed(model), _parsed(exact)
    for tensor, end in _read_by_swish(content):
        _begin_at(tensor, end)
    # From all of them: a split may be sorted by class.
    patches = patches[spacing.evenly(len(patches), _IMAGES)]
    numbers, same = _biased(content), _biased(reference)
    if _shapes(content, numbers) != _shapes(reference, same):
        raise errors.RunError("LiteRT int8: its convolutions are not those of the child in float32")
    _part_biases(content, numbers)
    limits = [_limits(_output(content, number)) for number in numbers]
    meant = _means(reference, same, patches.astype(np.float32), limits)
    for number, limit, mean in zip(numbers, limits, meant, strict=True):
        # As far as this operation: the ones before it are corrected, which this one takes in.
        (found,) = _means(content, [number], patches, [limit])
        _lower_bias(content, number, found - mean)
    return _written(content)


def _parsed(model: bytes) -> schema.ModelT:
    return flatbuffer_utils.convert_bytearray_to_object(bytearray(model))


def _written(content: schema.ModelT) -> bytes:
    return bytes(flatbuffer_utils.convert_object_to_bytearray(content))


def _operations(content: schema.ModelT) -> Iterator[tuple[int, schema.OperatorT]]:
    """The kind of each operation, and the operation, in order."""
    (graph,) = content.subgraphs
    for operation in graph.operators:
        yield content.operatorCodes[operation.opcodeIndex].builtinCode, operation


def _output(content: schema.ModelT, number: int) -> schema.TensorT:
    (graph,) = content.subgraphs
    return graph.tensors[graph.operators[number].outputs[0]]


def _read_by_swish(content: schema.ModelT) -> Iterator[tuple[schema.TensorT, float]]:
    """The outputs of convolutions that nothing but a swish reads, and where it ends.

    Others stay: a reshape or a pool, say, has one range for its input and its output.
    """
    (graph,) = content.subgraphs
    made = {op.outputs[0] for kind, op in _operations(content) if kind in _WEIGHTED}
    readers = collections.defaultdict(list)
    for kind, operation in _operations(content):
        for tensor in operation.inputs:
            readers[tensor].append((kind, operation))
    for tensor in made - set(graph.outputs):
        reading = readers[tensor]
        kinds = sorted(kind for kind, _ in reading)
        if kinds == [_OPERATION.HARD_SWISH]:
            yield graph.tensors[tensor], _HARD_SWISH_ENDS
        elif kinds == sorted((_OPERATION.LOGISTIC, _OPERATION.MUL)):
            by_kind = dict(reading)
            (gate,) = by_kind[_OPERATION.LOGISTIC].outputs
            if gate in by_kind[_OPERATION.MUL].inputs:
                yield graph.tensors[tensor], _SWISH_ENDS


def _limits(tensor: schema.TensorT) -> _Limits:
    scale, zero = tensor.quantization.scale[0], tensor.quantization.zeroPoint[0]
    return float((_LOWEST - zero) * scale), float((_HIGHEST - zero) * scale)


def _begin_at(tensor: schema.TensorT, least: float) -> None:
    """Spreads the steps of a tensor from `least`, if it begins below, to where it ends."""
    low, high = _limits(tensor)
    if low < least < high:
        scale = (high - least) / (_HIGHEST - _LOWEST)
        tensor.quantization.scale = [scale]
        tensor.quantization.zeroPoint = [round(_LOWEST - least / scale)]


def _biased(content: schema.ModelT) -> list[int]:
    """The numbers of the operations with weights and a bias; a resize is one without."""
    return [
        number
        for number, (kind, operation) in enumerate(_operations(content))
        if kind in _WEIGHTED and len(operation.inputs) > 2 and operation.inputs[2] >= 0
    ]


def _shapes(content: schema.ModelT, numbers: Sequence[int]) -> list[tuple[int, ...]]:
    return [tuple(_output(content, number).shape) for number in numbers]


def _part_biases(content: schema.ModelT, numbers: Sequence[int]) -> None:
    """Gives each operation a bias of its own: the converter keeps equal constants once."""
    (graph,) = content.subgraphs
    uses = collections.Counter(
        graph.tensors[tensor].buffer
        for operation in graph.operators
        for tensor in operation.inputs
        if tensor >= 0
    )
    for number in numbers:
        operation = graph.operators[number]
        bias = graph.tensors[operation.inputs[2]]
        if uses[bias.buffer] > 1:
            uses[bias.buffer] -= 1
            bias, buffer = copy.copy(bias), copy.copy(content.buffers[bias.buffer])
            operation.inputs = [*operation.inputs[:2], len(graph.tensors), *operation.inputs[3:]]
            bias.buffer = len(content.buffers)
            graph.tensors.append(bias)
            content.buffers.append(buffer)


def _means(
    content: schema.ModelT,
    numbers: Sequence[int],
    patches: np.ndarray,
    limits: Sequence[_Limits],
) -> list[np.ndarray]:
    """The mean of each channel of what operations give, over images and pixels.

    Args:
      content: of a file.
      numbers: of the operations, ascending.
      patches: [N, S, S, C], in the type that the file takes.
      limits: for each operation: what is beyond them counts as they do.
    """
    (graph,) = content.subgraphs
    outputs, operators = graph.outputs, graph.operators
    graph.operators = operators[: numbers[-1] + 1]
    graph.outputs = [operators[number].outputs[0] for number in numbers]
    lite = probe.interpreter(_written(content))
    graph.outputs, graph.operators = outputs, operators
    (given,) = lite.get_input_details()
    found = lite.get_output_details()
    sums = [np.zeros(each["shape"][-1]) for each in found]
    for patch in patches:
        lite.set_tensor(given["index"], patch[np.newaxis])
        lite.invoke()
        for place, (each, limit) in enumerate(zip(found, limits, strict=True)):
            values = probe.dequantised(lite.get_tensor(each["index"]), each)
            sums[place] += np.clip(values, *limit).reshape(-1, values.shape[-1]).mean(0)
    return [total / len(patches) for total in sums]


def _lower_bias(content: schema.ModelT, number: int, by: np.ndarray) -> None:
    """Lowers the bias of an operation, [channels]."""
    (graph,) = content.subgraphs
    bias = graph.tensors[graph.operators[number].inputs[2]]
    buffer = content.buffers[bias.buffer]
    # A channel whose weights are all zero may have steps of nearly nothing.
    steps = np.round(by / np.maximum(bias.quantization.scale, _TINY))
    values = np.frombuffer(bytes(buffer.data), np.int32) - steps
    values = np.clip(values, -_LARGEST_BIAS, _LARGEST_BIAS).astype(np.int32)
    buffer.data = np.frombuffer(values.tobytes(), np.uint8)
