"""What a .tflite file says about itself: labels, pixels, names.

The layout is the public one of TFLite's metadata (tflite-support's metadata_schema.fbs), which
MediaPipe, the Task Library, Android Studio and Netron read. The package that writes it has had no
release since 2023, so its few tables that an image classifier needs are written here.
"""

from __future__ import annotations

import dataclasses
import io
import zipfile
from collections.abc import Sequence

import flatbuffers
import numpy as np
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.tools import flatbuffer_utils

LABEL_FILE = "labels.txt"
_FIELD, _IDENTIFIER, _PARSER = "TFLITE_METADATA", b"M001", "1.0.0"
# Values of the schema's enumerations and unions.
_AXIS_LABELS = 2  # AssociatedFileType.TENSOR_AXIS_LABELS
_FEATURE, _IMAGE = 1, 2  # ContentProperties
_NORMALISATION = 1  # ProcessUnitOptions
_COLOUR_SPACES = {3: 1, 1: 2}  # channels: ColorSpaceType RGB, GRAYSCALE
_UNKNOWN = 0  # ColorSpaceType
_PATCHES = "patches"
_OFFSET = "UOffsetTRelative"
_Field = tuple[str, int]  # how flatbuffers writes it, and the value or its position
_EARLIEST = (1980, 1, 1, 0, 0, 0)  # as the zip has no other date, equal models are equal files


@dataclasses.dataclass(frozen=True)
class FileDescription:
    """What the metadata says about an image classifier.

    Attributes:
      name: of the model.
      description: a sentence or two for people.
      labels: of the classes, in their order.
      licence: of the model; "" if unknown.
    """

    name: str
    description: str
    labels: tuple[str, ...]
    licence: str = ""


def describe(model: bytes, description: FileDescription, outputs: Sequence[str]) -> bytes:
    """Names a model's tensors, and puts metadata and labels into it.

    Args:
      model: a .tflite file without a signature, whose one input is a uint8 image [1, S, S, C],
        and whose outputs are [1, classes].
      description: what the metadata says.
      outputs: their names, in their order.

    Returns:
      The file again; as a zip archive it holds labels.txt.
    """
    content = flatbuffer_utils.convert_bytearray_to_object(bytearray(model))
    (graph,) = content.subgraphs
    for number, tensor in enumerate(graph.tensors):
        # Not by Keras' and TensorFlow's names, which count what the process has made so far.
        tensor.name = f"tensor_{number}"
    signature = schema.SignatureDefT()
    signature.signatureKey = "serving_default"
    signature.inputs = _name(graph, graph.inputs, [_PATCHES])
    signature.outputs = _name(graph, graph.outputs, outputs)
    content.signatureDefs = [signature]
    (image,) = (graph.tensors[index] for index in graph.inputs)
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = np.frombuffer(_metadata(description, list(image.shape), outputs), np.uint8)
    entry.name, entry.buffer = _FIELD, len(content.buffers)
    content.buffers.append(buffer)
    content.metadata = [*(content.metadata or []), entry]
    stream = io.BytesIO(flatbuffer_utils.convert_object_to_bytearray(content))
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr(zipfile.ZipInfo(LABEL_FILE, _EARLIEST), label_lines(description.labels))
    return stream.getvalue()


def _name(
    graph: schema.SubGraphT, tensors: Sequence[int], names: Sequence[str]
) -> list[schema.TensorMapT]:
    """Names tensors of a graph; returns what a signature says of them."""
    maps = []
    for index, name in zip(tensors, names, strict=True):
        graph.tensors[index].name = name
        entry = schema.TensorMapT()
        entry.name, entry.tensorIndex = name, index
        maps.append(entry)
    return maps


def label_lines(labels: Sequence[str]) -> str:
    """The content of labels.txt: a line for each class, whatever is in its name."""
    text = "".join(f"{' '.join(label.splitlines())}\n" for label in labels)
    # Half a surrogate pair, which JSON and names of folders can hold, has no UTF-8.
    return text.encode("utf-8", "replace").decode("utf-8")


def _metadata(description: FileDescription, shape: Sequence[int], outputs: Sequence[str]) -> bytes:
    """The table ModelMetadata as a separate file."""
    writer = _Writer()
    inputs = writer.vector([_image(writer, shape)])
    answers = writer.vector([_scores(writer, name) for name in outputs])
    root = writer.table(
        writer.text(description.name),
        writer.text(description.description),
        None,
        writer.vector([writer.table(None, None, inputs, answers)]),
        None,
        writer.text(description.licence),
        None,
        writer.text(_PARSER),
    )
    return writer.finish(root)


def _image(writer: _Writer, shape: Sequence[int]) -> _Field:
    """TensorMetadata of the input: pixels are fed as they are, so mean 0 and deviation 1."""
    _, height, width, channels = shape
    size = writer.table(("Uint32", width), ("Uint32", height))
    properties = writer.table(("Int8", _COLOUR_SPACES.get(channels, _UNKNOWN)), size)
    options = writer.table(writer.floats([0.0]), writer.floats([1.0]))
    return writer.table(
        writer.text(_PATCHES),
        writer.text(f"uint8 pixels from 0 to 255, {height}x{width}x{channels}"),
        None,
        writer.table(("Uint8", _IMAGE), properties),
        writer.vector([writer.table(("Uint8", _NORMALISATION), options)]),
        writer.table(writer.floats([255.0]), writer.floats([0.0])),
    )


def _scores(writer: _Writer, name: str) -> _Field:
    """TensorMetadata of an output with a value for each label."""
    labels = writer.table(writer.text(LABEL_FILE), None, ("Int8", _AXIS_LABELS))
    return writer.table(
        writer.text(name),
        writer.text(f"{name} of the classes, in the order of {LABEL_FILE}"),
        None,
        writer.table(("Uint8", _FEATURE), writer.table()),
        None,
        None,
        writer.vector([labels]),
    )


class _Writer:
    """Writes tables; their fields are given in the order of the schema, None where left out."""

    def __init__(self) -> None:
        self._builder = flatbuffers.Builder(1024)

    def table(self, *fields: _Field | None) -> _Field:
        self._builder.StartObject(len(fields))
        for number, field in enumerate(fields):
            if field is not None:
                kind, value = field
                getattr(self._builder, f"Prepend{kind}Slot")(number, value, 0)
        return _OFFSET, self._builder.EndObject()

    def text(self, value: str) -> _Field | None:
        return (_OFFSET, self._builder.CreateString(value)) if value else None

    def floats(self, values: Sequence[float]) -> _Field:
        return _OFFSET, self._builder.CreateNumpyVector(np.array(values, np.float32))

    def vector(self, tables: Sequence[_Field]) -> _Field:
        self._builder.StartVector(4, len(tables), 4)
        for _, offset in reversed(tables):
            self._builder.PrependUOffsetTRelative(offset)
        return _OFFSET, self._builder.EndVector()

    def finish(self, root: _Field) -> bytes:
        self._builder.Finish(root[1], file_identifier=_IDENTIFIER)
        return bytes(self._builder.Output())
