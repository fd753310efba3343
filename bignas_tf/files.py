"""Files that appear whole or not at all, on this machine or in a bucket (gs://bucket/run)."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pathlib
import stat
import tempfile
from collections.abc import Iterator
from typing import Any

from bignas_tf import errors, full_disk, scratch
from bignas_tf.plain import Value

_MESSAGE, _LEAST_REASON = 299, 80  # characters of a message, and of its reason behind a long path
# What reading a value of another form raises; `UsageError` is a `ValueError`.
_MISREAD = (KeyError, TypeError, ValueError, IndexError, AttributeError)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes `text` to `path`; see `write_bytes`."""
    write_bytes(path, text.encode())


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Writes `content` to `path`, by way of a temporary file and a rename.

    Raises:
      UsageError: the file or its folder cannot be made or written to.
      RunError: there is no room.
    """
    if is_remote(path):
        name = os.fspath(path)
        with _remote(path) as gfile:
            with gfile.GFile(f"{name}.part", "wb") as stream:
                stream.write(content)
            gfile.rename(f"{name}.part", name, overwrite=True)
        return
    target = pathlib.Path(path)
    ensure_writable(target.parent)
    try:
        with full_disk.explained(target, len(content)), scratch.file(target) as stream:
            stream.write(content)
    except OSError as error:
        raise _usage_error(path, f"cannot be written ({error.strerror})") from error


def write_json(path: str | os.PathLike[str], value: object) -> None:
    """Writes `value` as indented JSON; see `write_text`."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def is_remote(path: str | os.PathLike[str]) -> bool:
    """Whether a path is of another file system than this machine's, such as a bucket."""
    return "://" in os.fspath(path)


def remove(path: str | os.PathLike[str]) -> None:
    """Removes a file, if it is there.

    Raises:
      UsageError: it may not be removed.
    """
    if not is_file(path):
        return
    if is_remote(path):
        with _remote(path) as gfile:
            gfile.remove(os.fspath(path))
        return
    try:
        pathlib.Path(path).unlink(missing_ok=True)
    except OSError as error:
        raise _usage_error(path, f"cannot be removed ({error.strerror})") from error


def is_file(path: str | os.PathLike[str]) -> bool:
    """Whether `path` is a file.

    Raises:
      UsageError: a bucket or a folder may not be read.
    """
    if is_remote(path):
        with _remote(path) as gfile:
            return gfile.exists(os.fspath(path)) and not gfile.isdir(os.fspath(path))
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except PermissionError as error:
        raise _usage_error(path, f"cannot be read ({error.strerror})") from error
    except (OSError, ValueError):
        return False


def read_text(path: str | os.PathLike[str]) -> str:
    """Reads a UTF-8 file.

    Raises:
      UsageError: the file is missing or unreadable.
      UnicodeDecodeError: it is not text.
    """
    if is_remote(path):
        with _remote(path) as gfile, gfile.GFile(os.fspath(path)) as stream:
            return stream.read()
    try:
        return pathlib.Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise _usage_error(path, f"cannot be read ({error.strerror})") from error


def read_json(path: str | os.PathLike[str]) -> Any:
    """Reads a JSON file.

    Raises:
      UsageError: the file is missing, unreadable or not JSON.
    """
    try:
        return json.loads(read_text(path))
    except errors.UsageError:
        raise
    except (ValueError, RecursionError) as error:
        raise _usage_error(path, f"is not valid JSON ({error})") from error


@contextlib.contextmanager
def reading(path: str | os.PathLike[str], tool: str) -> Iterator[Value]:
    """Reads a JSON file that `tool` writes; the file is named in errors inside, too.

    Raises:
      UsageError: the file cannot be read, or something failed.
    """
    content = Value(read_json(path))
    with written_by(tool, path):
        yield content


@contextlib.contextmanager
def written_by(tool: str, path: str | os.PathLike[str]) -> Iterator[None]:
    """Adds the file's name to errors inside, where its content is read; cuts long reasons.

    Raises:
      UsageError: something failed.
    """
    try:
        yield
    except _MISREAD as error:
        start = f"{os.fspath(path)} is damaged, or not what {tool} writes: "
        reason = f"no {error}" if isinstance(error, KeyError) else str(error)
        room = max(_MESSAGE - len(start), _LEAST_REASON)
        raise errors.UsageError(start + errors.one_line(reason, room)) from error


def below(folder: str | os.PathLike[str]) -> list[tuple[str, int]]:
    """The files below a folder that may be remote, in order: path in it, with slashes, and bytes.

    Hidden ones, and those in hidden folders, are left out. A missing folder has none.

    Raises:
      UsageError: a bucket cannot be reached.
    """
    found = _below_remote(os.fspath(folder)) if is_remote(folder) else _below_local(folder)
    shown = [each for each in found if not each[0].startswith(".") and "/." not in each[0]]
    return sorted(shown, key=lambda each: each[0].split("/"))


def _below_local(folder: str | os.PathLike[str]) -> Iterator[tuple[str, int]]:
    for path, status in walk(folder):
        if stat.S_ISREG(status.st_mode):
            yield path.relative_to(folder).as_posix(), status.st_size


def _below_remote(folder: str) -> Iterator[tuple[str, int]]:
    import tensorflow as tf  # slow import: only remote paths need it

    base = folder.rstrip("/")
    with _remote(folder) as gfile:
        for parent, _, names in gfile.walk(base):
            for path in (f"{parent.rstrip('/')}/{name}" for name in names):
                try:
                    size = gfile.stat(path).length
                except tf.errors.NotFoundError:
                    continue  # a run that trains deletes its old checkpoints
                yield path.removeprefix(f"{base}/"), size


def refuse_folder(path: str | os.PathLike[str], argument: str) -> None:
    """Refuses a folder where an argument names a file, before the work for it begins.

    Raises:
      UsageError: it is a folder, or written as one, or empty.
    """
    if not os.path.basename(path) or os.path.isdir(path):
        raise errors.UsageError(f"{argument}={os.fspath(path)} is a folder; name a file")


def refuse_remote(path: str | os.PathLike[str], argument: str) -> None:
    """Refuses a path of another file system where an argument names a folder of this machine.

    Raises:
      UsageError: it is remote.
    """
    if is_remote(path):
        raise _usage_error(path, f"is remote; name a local folder as {argument}")


def make_place(path: str | os.PathLike[str], argument: str) -> None:
    """Makes the folder of a file that is still to be written, which may be remote.

    Raises:
      UsageError: it is a folder, or its own folder cannot be made or written to.
      RunError: there is no room.
    """
    refuse_folder(path, argument)
    make_folder(os.path.dirname(path) or ".")


def make_folder(folder: str | os.PathLike[str]) -> None:
    """Makes a folder that may be remote; see `ensure_writable`."""
    if not is_remote(folder):
        ensure_writable(folder)
        return
    with _remote(folder) as gfile:
        gfile.makedirs(os.fspath(folder))


def ensure_writable(folder: str | os.PathLike[str]) -> pathlib.Path:
    """Makes a local folder and checks that files can be created in it.

    Raises:
      UsageError: it cannot be made or written to, has a name that is not text, or is remote.
      RunError: there is no room.
    """
    if is_remote(folder):
        raise _usage_error(folder, "is remote; a local folder is needed")
    check_text(os.fspath(folder))
    if not os.fspath(folder):
        raise errors.UsageError("the name of a folder is empty; '.' is the working directory")
    path = pathlib.Path(folder)
    try:
        with full_disk.explained(path):
            path.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=path):
                pass
    except OSError as error:
        raise _usage_error(path, f"is not a writable folder ({error.strerror})") from error
    return path


def walk(folder: str | os.PathLike[str]) -> Iterator[tuple[pathlib.Path, os.stat_result]]:
    """Yields all that is below a folder of this machine, with its status.

    What vanishes meanwhile is left out, as are links that lead nowhere and folders that cannot
    be read; `pathlib` raises in the midst of a folder that a running training renames. Folders
    that are links are not entered.
    """
    for parent, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = pathlib.Path(parent, name)
            try:
                status = path.stat()
            except OSError:
                continue
            yield path, status


def sha256(path: str | os.PathLike[str]) -> str:
    """The hash of a local file."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def check_text(name: str) -> None:
    """Refuses a name that TensorFlow and JSON files cannot hold.

    Raises:
      UsageError: it is not of UTF-8.
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        raise errors.UsageError(
            f"{errors.shown(name, 300)} is not a UTF-8 name; rename it"
        ) from None


@contextlib.contextmanager
def _remote(path: str | os.PathLike[str]) -> Iterator[Any]:
    """Gives TensorFlow's `tf.io.gfile`; its errors name the path."""
    import tensorflow as tf  # slow import: only remote paths need it

    try:
        yield tf.io.gfile
    except tf.errors.OpError as error:
        raise _usage_error(path, f"cannot be read or written ({errors.one_line(error)})") from error


def _usage_error(path: str | os.PathLike[str], problem: str) -> errors.UsageError:
    return errors.UsageError(f"{os.fspath(path)} {problem}")
