"""Files that appear whole or not at all."""

from __future__ import annotations

import json
import os
import pathlib
import tempfile
from typing import Any

from bignas_tf import errors


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes `text` to `path`, by way of a temporary file and a rename.

    Raises:
      UsageError: the folder cannot be made or written to.
    """
    target = pathlib.Path(path)
    ensure_writable(target.parent)
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, target)
    except BaseException:
        pathlib.Path(temporary).unlink(missing_ok=True)
        raise


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Writes `value` as indented JSON; see `write_text`."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_json(path: str | os.PathLike[str]) -> Any:
    """Reads a JSON file.

    Raises:
      UsageError: the file is missing, unreadable or not JSON.
    """
    try:
        return json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise _usage_error(path, f"cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise _usage_error(path, f"is not valid JSON ({error})") from error


def ensure_writable(folder: str | os.PathLike[str]) -> pathlib.Path:
    """Makes `folder` and checks that files can be created in it.

    Raises:
      UsageError: it cannot be made or written to.
    """
    path = pathlib.Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        raise _usage_error(path, f"is not a writable folder ({error.strerror})") from error
    return path


def _usage_error(path: str | os.PathLike[str], problem: str) -> errors.UsageError:
    return errors.UsageError(f"{os.fspath(path)} {problem}")
