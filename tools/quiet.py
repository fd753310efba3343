"""Keeps one line of TensorFlow's from opening every command on a machine with no NVIDIA driver.

TensorFlow 2.20 logs `failed call to cuInit` as an error when it first looks for devices, even
where there is no driver to call. TF_CPP_MIN_LOG_LEVEL=3 would hide every other error too, so the
devices are listed here, as soon as the import of TensorFlow has come far enough and before it
lists them itself, and only that line is dropped. Where there is a driver nothing is dropped: then
the line means that the GPU is broken.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.abc
import importlib.machinery
import os
import sys
import tempfile
import types
from collections.abc import Iterator, Sequence

_CUDA_DRIVER = "libcuda.so.1"
_LINE = b"failed call to cuInit"
_MODULE = "tensorflow.python.pywrap_tfe"


def without_driver() -> None:
    """Drops the line when this process imports TensorFlow, if there is no CUDA driver."""
    try:
        ctypes.CDLL(_CUDA_DRIVER)
    except OSError:
        sys.meta_path.insert(0, _Finder())


@contextlib.contextmanager
def dropped(text: bytes) -> Iterator[None]:
    """Holds back writes to file descriptor 2, then passes on the lines that lack `text`."""
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            held.seek(0)
            for line in held:
                if text not in line:
                    os.write(2, line)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds _MODULE as usual, and lists the devices once it is imported."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: types.ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != _MODULE:
            return None
        sys.meta_path.remove(self)
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


class _Loader(importlib.abc.Loader):
    def __init__(self, loader: importlib.abc.Loader) -> None:
        self._loader = loader

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: types.ModuleType) -> None:
        # From here on the module looks as if it had been imported without us.
        assert module.__spec__ is not None
        module.__spec__.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        with dropped(_LINE):
            module.TF_ListPhysicalDevices()
