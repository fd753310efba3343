"""Keeps TensorFlow's own lines out of what the tools print, but for its errors.

Half of TensorFlow 2.20 logs through Abseil, which does not know TF_CPP_MIN_LOG_LEVEL, so Abseil is
told that level, too, as soon as the import of TensorFlow has come far enough.

One error is none: `failed call to cuInit`, when TensorFlow first looks for devices where there is
no NVIDIA driver to call. The devices are listed here, before it lists them itself, and only that
line is dropped. Where there is a driver nothing is dropped: then the line means that the GPU is
broken.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.abc
import importlib.machinery
import os
import pathlib
import sys
import tempfile
import types
from collections.abc import Iterator, Sequence

_CUDA_DRIVER = "libcuda.so.1"
_LINE = b"failed call to cuInit"
_MODULE = "tensorflow.python.pywrap_tfe"
_FRAMEWORK = "libtensorflow_framework.so.2"
# absl::SetMinLogLevel, in the release of Abseil that TensorFlow 2.20 contains.
_SET_LEVEL = "_ZN4absl12lts_2025012714SetMinLogLevelENS0_18LogSeverityAtLeastE"


def tensorflow() -> None:
    """Drops the lines of TensorFlow that this process will import."""
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
    """Finds _MODULE as usual, and quietens TensorFlow once it is imported."""

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
        _follow_level(pathlib.Path(module.__spec__.origin or "").parents[1] / _FRAMEWORK)
        if not _has_driver():
            with dropped(_LINE):
                module.TF_ListPhysicalDevices()


def _follow_level(framework: pathlib.Path) -> None:
    """Makes Abseil follow TF_CPP_MIN_LOG_LEVEL; another release of TensorFlow prints more."""
    with contextlib.suppress(OSError, AttributeError, ValueError):
        set_level = getattr(ctypes.CDLL(str(framework)), _SET_LEVEL)
        set_level(int(os.environ["TF_CPP_MIN_LOG_LEVEL"]))


def _has_driver() -> bool:
    try:
        ctypes.CDLL(_CUDA_DRIVER)
    except OSError:
        return False
    return True
