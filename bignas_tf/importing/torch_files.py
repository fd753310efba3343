"""Files that PyTorch saved, read without PyTorch and without running code from them.

`torch.save` writes a pickle, which may name any function, and the numbers of its tensors beside
it: since PyTorch 1.6 in a zip archive, before that behind the pickle. Here names are looked up in
a short list of what makes tensors; every other one stands for an object that does nothing.
"""

from __future__ import annotations

import dataclasses
import io
import os
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np

from bignas_tf import errors

_LEGACY_MAGIC, _LEGACY_PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
# bfloat16, which NumPy has not, is the upper half of a float32.
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
# What a damaged or foreign file makes of unpickling.
_DAMAGE = (
    pickle.UnpicklingError, zipfile.BadZipFile, EOFError, OSError, ValueError, TypeError, KeyError,
    IndexError, AttributeError, OverflowError, NotImplementedError, RecursionError, MemoryError,
    ImportError, AssertionError,
)  # fmt: skip


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
    except _DAMAGE as error:
        raise errors.UsageError(
            f"{name} is not a file that PyTorch saved, or is damaged: {errors.one_line(error)}"
        ) from error


def _read_zip(path: str) -> Any:
    with zipfile.ZipFile(path) as archive:
        (pickled,) = (each for each in archive.namelist() if each.endswith("/data.pkl"))
        folder = pickled.removesuffix("data.pkl")

        def storage(key: str, dtype: str, number: int) -> np.ndarray:
            numbers = np.frombuffer(archive.read(f"{folder}data/{key}"), dtype)
            if len(numbers) != number:
                raise ValueError(f"storage {key} has {len(numbers)} numbers instead of {number}")
            return numbers

        with archive.open(pickled) as file:
            content = _Unpickler(io.BytesIO(file.read())).load()
        return _mapped(content, lambda tensor: tensor.filled(storage(*tensor.storage)))


def _read_legacy(file: BinaryIO) -> Any:
    if _Unpickler(file).load() != _LEGACY_MAGIC or _Unpickler(file).load() != _LEGACY_PROTOCOL:
        raise ValueError("it does not begin as one")
    if not _Unpickler(file).load()["little_endian"]:
        raise ValueError("its numbers are big-endian")
    content = _Unpickler(file).load()
    sizes: dict[str, tuple[str, int]] = {}
    _mapped(content, lambda tensor: sizes.setdefault(tensor.storage[0], tensor.storage[1:]))
    storages = {}
    for key in _Unpickler(file).load():
        dtype, number = sizes[key]
        if int.from_bytes(file.read(8), "little") != number:
            raise ValueError(f"storage {key} has another size than its tensors say")
        # No larger than the file, whatever it claims.
        numbers = np.frombuffer(file.read(number * np.dtype(dtype).itemsize), dtype)
        if len(numbers) != number:
            raise ValueError("it ends too early")
        storages[key] = numbers
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
        whole = all(size >= 0 for size in self.shape) and all(s >= 0 for s in self.strides)
        empty = 0 in self.shape
        if not whole or self.offset < 0 or (not empty and last >= len(numbers)):
            raise ValueError(f"a tensor of {self.shape} reaches beyond its storage")
        size = numbers.itemsize
        strided = np.lib.stride_tricks.as_strided(
            numbers[self.offset :], self.shape, tuple(stride * size for stride in self.strides)
        )
        return strided.copy()


def _rebuild_tensor(
    storage: tuple[str, str, int], offset: int, shape: Any, strides: Any, *rest: object
) -> _Tensor:
    del rest
    kind, key, number = storage
    return _Tensor(
        storage=(key, _DTYPES[kind], int(number)),
        offset=int(offset),
        shape=tuple(map(int, shape)),
        strides=tuple(map(int, strides)),
        halved=kind == "BFloat16Storage",
    )


def _rebuild_parameter(data: Any, *rest: object) -> Any:
    del rest
    return data


class _Unpickler(pickle.Unpickler):
    """Builds data and `_Tensor`s, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """Looks up a name of the pickle; see the module."""
        if module == "torch" and name in _DTYPES:
            return name
        return {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
            ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
        }.get((module, name), _Inert)

    def persistent_load(self, pid: Any) -> tuple[str, str, int]:
        """Reads what stands in the pickle for the numbers of a tensor."""
        tag, kind, key, _, number, *_ = pid
        if tag != "storage" or kind not in _DTYPES:
            raise ValueError(f"it holds {errors.shown(kind)}, which is no numbers")
        return kind, str(key), number


def _mapped(content: Any, leaf: Callable[[_Tensor], Any]) -> Any:
    """The content with something else in place of each tensor, and nothing but plain data."""
    if isinstance(content, _Tensor):
        return leaf(content)
    if isinstance(content, _Inert):
        return None
    if isinstance(content, dict):
        return {key: _mapped(value, leaf) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_mapped(value, leaf) for value in content]
    return content
