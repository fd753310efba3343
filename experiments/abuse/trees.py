"""What a folder holds, to be compared with what it should hold."""

from __future__ import annotations

import contextlib
import hashlib
import html
import json
import os
import pathlib
import shlex

import tensorflow as tf
from google.protobuf import message, text_encoding
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from bignas_tf import commands, errors

# TensorBoard's files, one for each start of a run, and TensorFlow's temporary ones.
_NOT_OURS = ("events.out.tfevents.", "__autograph_generated_file")
_FRAME_BYTES = 16  # around each record: its length and two checksums
Tree = dict[str, str]  # the digest of each file by its path; "" where only its presence is asked


def tree(folder: pathlib.Path) -> Tree:
    """The files and folders below one.

    Args:
      folder: its own path is left out wherever a file has it, so that results in different
        folders can be compared.
    """
    found: Tree = {}
    for path in sorted(folder.rglob("*")):
        if not path.name.startswith(_NOT_OURS):
            content = b"" if path.is_dir() else _placeless(_read(path), folder)
            found[str(path.relative_to(folder))] = hashlib.sha256(content).hexdigest()
    return found


def size(folder: pathlib.Path) -> int:
    """The bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def agreeing(one: Tree, other: Tree) -> Tree:
    """Where two undisturbed runs differ, only that the file is there is asked."""
    if one.keys() != other.keys():
        raise errors.RunError(
            f"undisturbed runs leave different files: {one.keys() ^ other.keys()}"
        )
    return {path: digest if other[path] == digest else "" for path, digest in one.items()}


def difference(right: Tree, found: Tree) -> str:
    """What a tree lacks, has beside what is right, or has with other bytes; empty if nothing."""
    missing = lost(right, found)
    left = found.keys() - right.keys()
    if left and not missing.startswith("missing"):
        return f"left: {', '.join(sorted(left))[:200]}"
    return missing


def lost(before: Tree, after: Tree) -> str:
    """What a tree no longer has, or has with other bytes; empty if nothing."""
    missing = before.keys() - after.keys()
    if missing:
        return f"missing: {', '.join(sorted(missing))[:200]}"
    changed = [path for path, digest in before.items() if digest and after[path] != digest]
    return f"other bytes: {', '.join(sorted(changed))[:200]}" if changed else ""


def _read(path: pathlib.Path) -> bytes:
    """A file's content; what each process orders differently is sorted.

    That is the features of an example, by protobuf, and the nodes of a SavedModel's functions, by
    TensorFlow. A command line is taken apart, because only some names need quotes.
    """
    content = path.read_bytes()
    if path.name == commands.FILE:
        noted = json.loads(content)
        return json.dumps(noted | {"command": shlex.split(noted["command"])}).encode()
    if path.name == "saved_model.pb":
        with contextlib.suppress(message.DecodeError):
            return _in_order(SavedModel.FromString(content))
    if ".tfrecord" in path.name:
        with contextlib.suppress(tf.errors.DataLossError, message.DecodeError):
            records = list(tf.data.TFRecordDataset(str(path)).as_numpy_iterator())
            # TensorFlow reads a file that is cut off within a record's head as if it ended there.
            if len(content) == sum(len(record) + _FRAME_BYTES for record in records):
                examples = map(tf.train.Example.FromString, records)
                return b"".join(each.SerializeToString(deterministic=True) for each in examples)
    return content


def _in_order(model: SavedModel) -> bytes:
    for graph in model.meta_graphs:
        for function in graph.graph_def.library.function:
            function.node_def.sort(key=lambda node: node.name)
    return bytes(model.SerializeToString(deterministic=True))


def _placeless(content: bytes, folder: pathlib.Path) -> bytes:
    """Content without the folder's path, however it is spelled."""
    paths = {str(folder), os.path.relpath(folder), str(folder.resolve())}
    spelled = {form for path in paths for form in _spellings(path)}
    # The longest first: an absolute path may end as a relative one does.
    for form in sorted(spelled, key=len, reverse=True):
        content = content.replace(form.encode(), b"{folder}")
    return content


def _spellings(path: str) -> tuple[str, ...]:
    """A path as it stands in text, JSON, HTML and protobuf's text."""
    return (
        path,
        json.dumps(path)[1:-1],
        html.escape(path),
        text_encoding.CEscape(path, as_utf8=True),
    )
