"""Puts what was verified in its place: all of it, even if the command that made it is killed.

A kill may come between any two renames. So what is verified is first renamed as a whole, to a name
that says where it belongs. From then on it counts: if the command dies, the next one that comes to
the folder does the rest. Needs no TensorFlow.
"""

from __future__ import annotations

import contextlib
import errno
import os
import pathlib
import shutil
import tempfile

from bignas_tf import errors, files, scratch
from bignas_tf.exports import serving_configs, versions

_VERSIONS, _REPLACEMENTS = ".verified-", ".measured-"
# By a folder, or by a file or a link, onto which a folder cannot be renamed.
_TAKEN = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)


def publish_versions(staged: pathlib.Path) -> dict[str, pathlib.Path]:
    """Makes each folder in `staged` the next version of the model of its name.

    Args:
      staged: from `scratch.folder`, below the models' base folder.

    Returns:
      The versions' folders, by the names of the models.

    Raises:
      UsageError: a model's folder cannot be made or written to.
    """
    for path in _visible(staged):
        files.ensure_writable(_model_folder(staged.parent, path.name))
    return _finish_versions(scratch.renamed(staged, _VERSIONS))


def publish_replacements(staged: pathlib.Path) -> None:
    """Puts each folder in `staged` beside it, in the place of the one of its name.

    Args:
      staged: from `scratch.folder`.
    """
    _finish_replacements(scratch.renamed(staged, _REPLACEMENTS))


def finish(folder: str | os.PathLike[str]) -> None:
    """Publishes in a folder what commands that were killed had verified for it.

    Raises:
      UsageError: it is no path, or cannot be written to.
    """
    folder = pathlib.Path(errors.require_path("folder", folder))
    for path in scratch.abandoned(folder, _VERSIONS):
        _finish_versions(path)
    for path in scratch.abandoned(folder, _REPLACEMENTS):
        _finish_replacements(path)


def finish_below(folder: pathlib.Path) -> None:
    """Calls `finish` for a folder and for all below it."""
    found = (path for path, _ in files.walk(folder))
    hidden = (path for path in found if path.name.startswith((_VERSIONS, _REPLACEMENTS)))
    for parent in sorted({path.parent for path in hidden}):
        finish(parent)


def _finish_versions(verified: pathlib.Path) -> dict[str, pathlib.Path]:
    base, placed = verified.parent, {}
    for path in _visible(verified):
        folder = files.ensure_writable(_model_folder(base, path.name))
        placed[path.name] = _rename_to_next_version(path, folder)
    serving_configs.update(base)
    shutil.rmtree(verified, ignore_errors=True)
    return placed


def _finish_replacements(measured: pathlib.Path) -> None:
    for path in _visible(measured):
        target = measured.parent / path.name
        while not _renamed(path, target):
            with contextlib.suppress(FileNotFoundError):
                aside = tempfile.mkdtemp(dir=measured, prefix=".replaced-")
                os.rename(target, os.path.join(aside, path.name))
    shutil.rmtree(measured, ignore_errors=True)


def _visible(folder: pathlib.Path) -> list[pathlib.Path]:
    return sorted(folder.glob("[!.]*"))


def _model_folder(base: pathlib.Path, name: str) -> pathlib.Path:
    return base if name == serving_configs.ONLY_MODEL else base / name


def _rename_to_next_version(path: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    """Renames to the next free version; two exports at once get two versions."""
    for _ in range(100):
        version = folder / str(1 + max(versions.numbers(folder), default=0))
        if _renamed(path, version):
            return version
    raise errors.RunError(f"no free version below {folder}")


def _renamed(path: pathlib.Path, target: pathlib.Path) -> bool:
    """Whether a folder could be renamed: not if its new name is taken."""
    try:
        os.rename(path, target)
    except OSError as error:
        if error.errno not in _TAKEN:
            raise
        return False
    return True
