"""NumPy's files of named arrays, as exports have them."""

from __future__ import annotations

import pathlib
import tokenize
import zipfile
import zlib

import numpy as np

from bignas_tf import errors

# Whatever NumPy may raise for a cut, damaged or foreign file.
_UNREADABLE = (
    *(OSError, ValueError, TypeError, KeyError, EOFError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error, tokenize.TokenError, SyntaxError),
    MemoryError,  # a damaged header that claims a huge array
)


def read(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Reads every array of a file, by its name; each has a checksum in the file.

    Raises:
      UsageError: it cannot be read.
    """
    try:
        # Opened here, because NumPy leaves a file open that it cannot read.
        with path.open("rb") as stream, np.load(stream) as arrays:
            held = dict(arrays)
        if not all(isinstance(array, np.ndarray) for array in held.values()):
            raise ValueError("a part of it is not an array")
    except _UNREADABLE as error:
        raise errors.UsageError(
            f"{path} cannot be read; give the folder of one exported version"
        ) from error
    return held
