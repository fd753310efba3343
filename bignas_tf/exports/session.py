"""Runs a SavedModel through TensorFlow's C API, the way that servers load it.

Only NumPy and ctypes: Python's TensorFlow is never imported, so nothing it registers can make
a model work here that would not work in a server. `verify` starts this file by its path, in a
separate process, so that this package is not imported either:

  python -P session.py EXPORT_DIR REQUESTS ANSWERS

Both files are pickles. REQUESTS holds a list of (feeds, fetches): arrays by the names of tensors
such as 'serving_default_images:0', and a list of such names. ANSWERS gets for each a list of
arrays, or the error that it ended with, in one line. String tensors are arrays of bytes.

`saved_model_cli run` cannot take its place: of the broken exports of the gate's tests it lets those
pass whose inputs have another dtype than clients send, because Python's session casts what it is
fed, and a server refuses it. It also imports TensorFlow for each signature: 13 s for one, on two
cores (TensorFlow 2.20), where this takes 1 s.
"""

from __future__ import annotations

import ctypes
import importlib.util
import pathlib
import pickle
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

# Values of TF_DataType in tensorflow/c/tf_datatype.h.
_DATA_TYPES = {
    np.dtype(name): number
    for name, number in [
        ("float32", 1),
        ("float64", 2),
        ("int32", 3),
        ("uint8", 4),
        ("int16", 5),
        ("int8", 6),
        ("int64", 9),
        ("bool", 10),
        ("float16", 19),
    ]
}
_NUMPY_TYPES = {number: dtype for dtype, number in _DATA_TYPES.items()}
_STRING, _STRING_BYTES = 7, 24  # TF_STRING, and the size of a TF_TString


class _Output(ctypes.Structure):
    """TF_Output: one output of one operation."""

    _fields_ = (("operation", ctypes.c_void_p), ("index", ctypes.c_int))


_POINTER, _INT, _TEXT = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p
_OUTPUTS, _POINTERS = ctypes.POINTER(_Output), ctypes.POINTER(ctypes.c_void_p)
_DIMENSIONS = ctypes.POINTER(ctypes.c_int64)

# Name: (result, arguments), as tensorflow/c/c_api.h, tf_status.h and tf_tensor.h declare them.
_FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "TF_NewStatus": (_POINTER, []),
    "TF_GetCode": (_INT, [_POINTER]),
    "TF_Message": (_TEXT, [_POINTER]),
    "TF_NewGraph": (_POINTER, []),
    "TF_NewSessionOptions": (_POINTER, []),
    "TF_LoadSessionFromSavedModel": (
        _POINTER,
        [
            _POINTER,
            _POINTER,
            _TEXT,
            ctypes.POINTER(_TEXT),
            _INT,
            _POINTER,
            _POINTER,
            _POINTER,
        ],
    ),
    "TF_GraphOperationByName": (_POINTER, [_POINTER, _TEXT]),
    "TF_AllocateTensor": (_POINTER, [_INT, _DIMENSIONS, _INT, ctypes.c_size_t]),
    "TF_TensorData": (_POINTER, [_POINTER]),
    "TF_TensorType": (_INT, [_POINTER]),
    "TF_TensorByteSize": (ctypes.c_size_t, [_POINTER]),
    "TF_NumDims": (_INT, [_POINTER]),
    "TF_Dim": (ctypes.c_int64, [_POINTER, _INT]),
    "TF_StringInit": (None, [_POINTER]),
    "TF_StringCopy": (None, [_POINTER, _TEXT, ctypes.c_size_t]),
    "TF_StringGetDataPointer": (_POINTER, [_POINTER]),
    "TF_StringGetSize": (ctypes.c_size_t, [_POINTER]),
    "TF_StringDealloc": (None, [_POINTER]),
    "TF_DeleteTensor": (None, [_POINTER]),
    "TF_SessionRun": (
        None,
        [_POINTER, _POINTER]
        + [_OUTPUTS, _POINTERS, _INT] * 2
        + [_POINTERS, _INT, _POINTER, _POINTER],
    ),
}


def library() -> ctypes.CDLL:
    """TensorFlow's C API, from the installed package, without importing that."""
    spec = importlib.util.find_spec("tensorflow")
    folders = spec.submodule_search_locations if spec else None
    if not folders:
        raise RuntimeError("the package tensorflow is not installed; run `make env`")
    found = sorted(pathlib.Path(folders[0]).glob("libtensorflow_cc.*"))
    if not found:
        raise RuntimeError(f"{folders[0]} has no libtensorflow_cc; the C API is in there")
    api = ctypes.CDLL(str(found[0]))
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(api, name)
        function.restype, function.argtypes = result, arguments
    return api


class Session:
    """A SavedModel in a C++ session. It lives as long as its process; its tensors do not."""

    def __init__(self, export_dir: str) -> None:
        """Loads the graph tagged 'serve' and restores its variables.

        Raises:
          RuntimeError: the C++ loader refused it; the message is the loader's.
        """
        self._api = library()
        self._status = self._api.TF_NewStatus()
        self._graph = self._api.TF_NewGraph()
        tags = (ctypes.c_char_p * 1)(b"serve")
        options = self._api.TF_NewSessionOptions()
        self._session = self._api.TF_LoadSessionFromSavedModel(
            options, None, export_dir.encode(), tags, 1, self._graph, None, self._status
        )
        self._check()

    def run(self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str]) -> list[np.ndarray]:
        """Feeds and fetches tensors by name ('StatefulPartitionedCall:0').

        Raises:
          RuntimeError: the session could not run; the message is TensorFlow's.
        """
        inputs = (_Output * len(feeds))(*map(self._output, feeds))
        outputs = (_Output * len(fetches))(*map(self._output, fetches))
        values = (ctypes.c_void_p * len(feeds))(*map(self._to_tensor, feeds.values()))
        results = (ctypes.c_void_p * len(fetches))()
        try:
            self._api.TF_SessionRun(
                self._session,
                None,
                *(inputs, values, len(feeds)),
                *(outputs, results, len(fetches)),
                *(None, 0, None, self._status),
            )
            self._check()
            return [self._to_array(result) for result in results if result is not None]
        finally:
            for value, array in zip(values, feeds.values(), strict=True):
                self._free(value, array)
            for result in filter(None, results):
                self._api.TF_DeleteTensor(result)

    def _free(self, tensor: int, array: np.ndarray) -> None:
        """Frees a tensor that `_to_tensor` made; the strings of one are its maker's."""
        if array.dtype.kind in "SO":
            for address in self._strings(tensor, array.size):
                self._api.TF_StringDealloc(address)
        self._api.TF_DeleteTensor(tensor)

    def _check(self) -> None:
        if self._api.TF_GetCode(self._status):
            raise RuntimeError(self._api.TF_Message(self._status).decode(errors="replace"))

    def _output(self, name: str) -> _Output:
        operation, _, index = name.partition(":")
        pointer = self._api.TF_GraphOperationByName(self._graph, operation.encode())
        if not pointer:
            raise RuntimeError(f"the graph has no operation {operation!r}")
        return _Output(pointer, int(index or 0))

    def _to_tensor(self, array: np.ndarray) -> int:
        strings = array.dtype.kind in "SO"
        if not strings and array.dtype not in _DATA_TYPES:
            raise RuntimeError(f"dtype {array.dtype} cannot be fed; {list(map(str, _DATA_TYPES))}")
        array = np.asarray(array, order="C")
        shape = (ctypes.c_int64 * array.ndim)(*array.shape)
        number = _STRING if strings else _DATA_TYPES[array.dtype]
        size = array.size * _STRING_BYTES if strings else array.nbytes
        tensor = self._api.TF_AllocateTensor(number, shape, array.ndim, size)
        if strings:
            for address, value in zip(self._strings(tensor, array.size), array.flat, strict=True):
                self._api.TF_StringInit(address)
                self._api.TF_StringCopy(address, value, len(value))
        elif size:
            ctypes.memmove(self._api.TF_TensorData(tensor), array.ctypes.data, size)
        return tensor

    def _to_array(self, tensor: int) -> np.ndarray:
        number = self._api.TF_TensorType(tensor)
        dimensions = range(self._api.TF_NumDims(tensor))
        shape = [self._api.TF_Dim(tensor, dimension) for dimension in dimensions]
        if number == _STRING:
            array = np.empty(shape, object)
            array.flat[:] = [self._to_bytes(each) for each in self._strings(tensor, array.size)]
            return array
        if number not in _NUMPY_TYPES:
            raise RuntimeError(f"an output has the TF_DataType {number}, which cannot be read")
        size = self._api.TF_TensorByteSize(tensor)
        data = ctypes.string_at(self._api.TF_TensorData(tensor), size) if size else b""
        return np.frombuffer(data, _NUMPY_TYPES[number]).reshape(shape)

    def _strings(self, tensor: int, count: int) -> list[int]:
        """The addresses of a string tensor's elements."""
        first = self._api.TF_TensorData(tensor) or 0
        return [first + _STRING_BYTES * index for index in range(count)]

    def _to_bytes(self, address: int) -> bytes:
        size = self._api.TF_StringGetSize(address)
        return ctypes.string_at(self._api.TF_StringGetDataPointer(address), size)


def main(arguments: Sequence[str]) -> None:
    """See the module's docstring for the arguments."""
    export_dir, requests_path, answers_path = arguments
    requests = pickle.loads(pathlib.Path(requests_path).read_bytes())
    answers: list[list[np.ndarray] | str] = []
    try:
        session = Session(export_dir)
    except RuntimeError as error:
        sys.exit(f"error: {error}".replace("\n", " "))
    for feeds, fetches in requests:
        try:
            answers.append(session.run(feeds, fetches))
        except RuntimeError as error:
            answers.append(" ".join(str(error).split()))
    pathlib.Path(answers_path).write_bytes(pickle.dumps(answers))


if __name__ == "__main__":
    main(sys.argv[1:])
