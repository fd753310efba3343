"""Files that PyTorch saved, read without PyTorch and without running code from them.

`torch.save` writes a pickle, which may name any function, and the numbers of its tensors beside
it: since PyTorch 1.6 in a zip archive, before that behind the pickle. Here names are looked up in
a short list of what makes tensors; every other one stands for an object that does nothing.
"""

from __future__ import annotations

import dataclasses
import functools
import io
import math
import os
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np

from bignas_tf import errors

_LEGACY_MAGIC, _LEGACY_PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
# bfloat16, which NumPy lacks, is the upper half of a float32.
_DTYPES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "BFloat16Storage": "<u2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
    "BoolStorage": "?",
}


def read(path: str | os.PathLike[str]) -> Any:
    """Returns what `torch.save` wrote: dictionaries, lists, numbers, text, and tensors as arrays.

    Args:
      path: a local file.

    Raises:
      UsageError: there is no such file, or it is not one of PyTorch or damaged.
    """
    name = os.fspath(path)
    if not os.path.isfile(name):
        raise errors.UsageError(f"{name} is not a file; give the checkpoint that was downloaded")
    try:
        if zipfile.is_zipfile(name):
            return _read_zip(name)
        with open(name, "rb") as file:
            return _read_legacy(file)
    except PermissionError as error:
        raise errors.UsageError(f"{name} cannot be read: {errors.one_line(error)}") from error
    except Exception as error:  # whatever unpickling makes of what somebody else wrote
        raise errors.UsageError(
            f"{name} is not a file that PyTorch saved, or is damaged: {errors.one_line(error)}"
        ) from error


def _read_zip(path: str) -> Any:
    with zipfile.ZipFile(path) as archive:
        pickled = [each for each in archive.namelist() if each.endswith("/data.pkl")]
        if len(pickled) != 1:
            raise ValueError("a zip archive without one data.pkl")
        folder = pickled[0].removesuffix("data.pkl")
        if f"{folder}byteorder" in archive.namelist():
            _check_order(_member(archive, f"{folder}byteorder") == b"little")
        content = _Unpickler(io.BytesIO(_member(archive, pickled[0]))).load()

        @functools.cache
        def storage(key: str, dtype: str, number: int) -> np.ndarray:
            return _numbers(_member(archive, f"{folder}data/{key}"), dtype, number)

        return _mapped(content, lambda tensor: tensor.filled(storage(*tensor.storage)))


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    """A file of an archive. PyTorch compresses none, so none is larger than the archive."""
    if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{errors.shown(name)} is compressed, which PyTorch does not do")
    return archive.read(name)


def _numbers(content: bytes, dtype: str, number: int) -> np.ndarray:
    numbers = np.frombuffer(content, dtype)
    if len(numbers) != number:
        raise ValueError(f"a storage has {len(numbers)} numbers instead of {number}")
    return numbers


def _check_order(little: bool) -> None:
    if not little:
        raise ValueError("its numbers are big-endian")


def _read_legacy(file: BinaryIO) -> Any:
    if _Unpickler(file).load() != _LEGACY_MAGIC or _Unpickler(file).load() != _LEGACY_PROTOCOL:
        raise ValueError("it does not begin as one")
    _check_order(_Unpickler(file).load()["little_endian"])
    content = _Unpickler(file).load()
    sizes: dict[str, tuple[str, int]] = {}
    _mapped(content, lambda tensor: sizes.setdefault(tensor.storage[0], tensor.storage[1:]))
    storages = {}
    for key in _Unpickler(file).load():
        dtype, number = sizes[key]
        if int.from_bytes(file.read(8), "little") != number:
            raise ValueError(f"storage {key} has another size than its tensors say")
        # No larger than the file, whatever it claims.
        storages[key] = _numbers(file.read(number * np.dtype(dtype).itemsize), dtype, number)
    return _mapped(content, lambda tensor: tensor.filled(storages[tensor.storage[0]]))


class _Inert(dict):
    """Takes the place of every object that is not data, and ignores all that is done to it."""

    def __new__(cls, *args: object, **kwargs: object) -> _Inert:
        del args, kwargs
        return super().__new__(cls)

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__()

    def __setstate__(self, state: object) -> None:
        """Ignores the state of what it stands for."""

    def __setitem__(self, key: object, value: object) -> None:
        """Ignores an item of what it stands for."""

    def append(self, value: object) -> None:
        """Ignores an element of what it stands for."""

    def extend(self, values: object) -> None:
        """Ignores elements of what it stands for."""


@dataclasses.dataclass(frozen=True)
class _Tensor:
    """A tensor whose numbers are elsewhere.

    Attributes:
      storage: where: its key, the type of its numbers, and how many it has.
      offset: of the first number of the tensor.
      shape: of the tensor.
      strides: of the tensor, in numbers.
      halved: whether the numbers are bfloat16.
    """

    storage: tuple[str, str, int]
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    halved: bool

    def filled(self, numbers: np.ndarray) -> np.ndarray:
        """The tensor, of the numbers of its storage."""
        if self.halved:
            numbers = (numbers.astype("<u4") << 16).view("<f4")
        last = self.offset + sum(
            (size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True)
        )
        whole = min((self.offset, *self.shape, *self.strides)) >= 0
        more = math.prod(self.shape) > len(numbers)
        if not whole or more or (0 not in self.shape and last >= len(numbers)):
            raise ValueError(f"a tensor of {self.shape} reaches beyond its storage")
        size = numbers.itemsize
        strided = np.lib.stride_tricks.as_strided(
            numbers[self.offset :], self.shape, tuple(stride * size for stride in self.strides)
        )
        return strided.copy()


class _TensorMaker:
    """Stands for `torch._utils._rebuild_tensor_v2`; a pickle can change nothing about it."""

    __slots__ = ()

    def __call__(
        self, storage: tuple[str, str, int], offset: int, shape: Any, strides: Any, *rest: object
    ) -> _Tensor:
        """Makes a tensor of a storage's kind, key and size."""
        del rest
        kind, key, number = storage
        return _Tensor(
            storage=(key, _DTYPES[kind], int(number)),
            offset=int(offset),
            shape=tuple(map(int, shape)),
            strides=tuple(map(int, strides)),
            halved=kind == "BFloat16Storage",
        )


class _ParameterMaker:
    """Stands for `torch._utils._rebuild_parameter`."""

    __slots__ = ()

    def __call__(self, data: Any, *rest: object) -> Any:
        """Returns the parameter's tensor."""
        del rest
        return data


# The one written in Python: that in C makes a table as long as the largest number that a file has
# for an object, which a flipped bit turns into gigabytes.
class _Unpickler(pickle._Unpickler):
    """Builds data and `_Tensor`s, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """Looks up a name of the pickle; see the module."""
        if module == "torch" and name in _DTYPES:
            return name
        return {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): _TensorMaker(),
            ("torch._utils", "_rebuild_parameter"): _ParameterMaker(),
        }.get((module, name), _Inert)

    def persistent_load(self, pid: Any) -> tuple[str, str, int]:
        """Reads what stands in the pickle for the numbers of a tensor."""
        tag, kind, key, _, number, *_ = pid
        if tag != "storage" or kind not in _DTYPES:
            raise ValueError(f"it holds {errors.shown(kind)}, which is not a type of numbers")
        return kind, str(key), number


def _mapped(content: Any, leaf: Callable[[_Tensor], Any]) -> Any:
    """The content with something else in place of each tensor, and nothing but plain data."""
    done: dict[int, Any] = {}  # a pickle of a few bytes can hold one list in itself 2**40 times

    def mapped(value: Any) -> Any:
        if isinstance(value, _Inert):
            return None
        if not isinstance(value, _Tensor | dict | list | tuple):
            return value
        if id(value) not in done:
            done[id(value)] = converted(value)
        return done[id(value)]

    def converted(value: Any) -> Any:
        if isinstance(value, _Tensor):
            return leaf(value)
        if isinstance(value, dict):
            return {key: mapped(each) for key, each in value.items()}
        return [mapped(each) for each in value]

    return mapped(content)
