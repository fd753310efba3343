"""What TensorFlow Serving reads beside the versions: its configurations. Needs no TensorFlow."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from bignas_tf import errors, files
from bignas_tf.exports import versions

MODELS_FILE, BATCHING_FILE = "models.config", "batching.config"
ONLY_MODEL = "child"

_BATCHING = """\
# For --enable_batching: the server answers requests together that arrive at about the same time.
# Requests answered together fail together: an image that cannot be decoded takes the others of
# its batch with it, and the error counts the images of the batch. Images for serving_default and
# float_images must then all have one size. Requests of more than max_batch_size are refused.
max_batch_size { value: 32 }
batch_timeout_micros { value: 2000 }
max_enqueued_batches { value: 100 }
"""


def update(base: pathlib.Path) -> bool:
    """Makes `models.config` list every model at and below `base`, and adds `batching.config`.

    A model is a folder of versions: `base` itself, called "child", or folders in it, by their
    names. Entries of models that are there stay as they are, for a user may have given them other
    names, or policies, and so do those of models in other folders. The server wants absolute
    paths, so it must see `base` at its present path; the entries of a folder that was moved or
    copied get its new one. What people have written, or nothing can read, is kept beside the new
    file, as `models.config.old`.

    Returns:
      Whether `models.config` had to be written.

    Raises:
      UsageError: the folder cannot be written to.
    """
    base, written = base.resolve(), False
    # Another export may add a model, and list it, between this one's look and its writing.
    while (config := _wanted(base)) != _read(base):
        if _is_by_hand(base):
            (base / MODELS_FILE).replace(base / f"{MODELS_FILE}.old")
        files.write_text(base / MODELS_FILE, text_format.MessageToString(config))
        written = True
    if not (base / BATCHING_FILE).is_file():
        files.write_text(base / BATCHING_FILE, _BATCHING)
    return written


def _wanted(base: pathlib.Path) -> model_server_config_pb2.ModelServerConfig:
    """What `models.config` should say; see `update`."""
    there = {path: name for name, path in models(base).items()}
    config = model_server_config_pb2.ModelServerConfig()
    listed = config.model_config_list.config
    before = list(_read(base).model_config_list.config)
    places = [_place(base, each.base_path) for each in before]
    if not any(base in (place, place.parent) for place in places):
        places = [_moved(base, place, alone=len(places) == 1) for place in places]
    for each, place in zip(before, places, strict=True):
        elsewhere = base not in (place, place.parent)
        if place in there or (elsewhere and place.is_dir()):
            listed.add().CopyFrom(each)
            if place != _place(base, each.base_path):
                listed[-1].base_path = str(place)
    known = {_place(base, each.base_path) for each in listed}
    names = {each.name for each in listed}
    for path, name in there.items():
        if path not in known:
            while name in names:  # with two models of one name the server would not start
                name += "_"
            names.add(name)
            listed.add(name=name, base_path=str(path), model_platform="tensorflow")
    return config


def _moved(base: pathlib.Path, place: pathlib.Path, alone: bool) -> pathlib.Path:
    """Where a model is now whose folder came to `base` from elsewhere, alone or with others."""
    named = base / place.name
    if named.is_dir():
        return named
    return base if alone else place


def _is_by_hand(base: pathlib.Path) -> bool:
    """Whether `models.config` has more than its entries, such as comments, or is damaged."""
    path = base / MODELS_FILE
    return path.is_file() and path.read_bytes() != text_format.MessageToString(_read(base)).encode()


def _place(base: pathlib.Path, model: str) -> pathlib.Path:
    """A model's folder below `base`, or `base`, by whatever links its path leads there."""
    path = pathlib.Path(model)
    return base if path.resolve() == base else path.parent.resolve() / path.name


def check(base: pathlib.Path) -> None:
    """Refuses a `models.config` that no server could read.

    Raises:
      UsageError: says what is wrong with it.
    """
    _, fault = _parsed(base)
    if fault:
        raise errors.UsageError(
            f"{base / MODELS_FILE} cannot be read ({fault}); mend it, or remove it: then it is "
            "written anew, without the names and policies that were in it"
        )


def check_pins(base: pathlib.Path) -> None:
    """Refuses a `models.config` that pins a version which is not there.

    Raises:
      UsageError: names it, and those that are there.
    """
    for name, folder, pinned in _pins(base):
        there = _versions(folder)
        if missing := [version for version in pinned if version not in there]:
            raise errors.UsageError(
                f"{base / MODELS_FILE} pins version {missing[0]} of {name!r}, which is not in "
                f"{folder}; there are {', '.join(map(str, there)) or 'none'}"
            )


def held_back(version: pathlib.Path) -> str:
    """Why servers do not answer with a version; "" where nothing keeps them from it."""
    for base in (version.parent, version.parent.parent):
        for name, folder, pinned in _pins(base):
            if folder == version.parent.resolve() and int(version.name) not in pinned:
                kept = ", ".join(map(str, pinned))
                return f"{base / MODELS_FILE} pins {name!r} to version {kept}, which servers keep"
    return ""


def _pins(base: pathlib.Path) -> Iterator[tuple[str, pathlib.Path, list[int]]]:
    """The models that `models.config` pins to versions, with their folders and those versions."""
    for each in _read(base).model_config_list.config:
        if pinned := list(each.model_version_policy.specific.versions):
            yield each.name, _place(base.resolve(), each.base_path), pinned


def _read(base: pathlib.Path) -> model_server_config_pb2.ModelServerConfig:
    """What `models.config` says; nothing if it is missing or damaged."""
    return _parsed(base)[0]


def _parsed(base: pathlib.Path) -> tuple[model_server_config_pb2.ModelServerConfig, str]:
    """What `models.config` says, and why it cannot be read; "" if it can, or is missing."""
    nothing = model_server_config_pb2.ModelServerConfig()
    if not (base / MODELS_FILE).is_file():
        return nothing, ""
    try:
        text = files.read_text(base / MODELS_FILE)
        return text_format.Parse(text, model_server_config_pb2.ModelServerConfig()), ""
    except (errors.UsageError, text_format.ParseError, UnicodeDecodeError) as error:
        return nothing, errors.one_line(error)  # not what was read before the fault


def models(base: pathlib.Path) -> dict[str, pathlib.Path]:
    """Every model at and below `base`, by the name that it gets."""
    found: dict[str, pathlib.Path] = {}
    for folder in [base, *sorted(path for path in base.glob("[!.]*") if path.is_dir())]:
        if _versions(folder):
            # An export of its own in a folder called "child" is listed there alone.
            found.setdefault(ONLY_MODEL if folder == base else folder.name, folder)
    return found


def _versions(folder: pathlib.Path) -> list[int]:
    """The versions of a model that have a graph, ascending: those that a server can load."""
    names = (path.parent.name for path in folder.glob(f"[0-9]*/{versions.GRAPH_FILE}"))
    return sorted(int(name) for name in names if name.isdecimal())
