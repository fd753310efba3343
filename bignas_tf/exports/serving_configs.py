"""What TensorFlow Serving reads beside the versions: its configurations. Needs no TensorFlow."""

from __future__ import annotations

import pathlib

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
    names, or policies. The server wants absolute paths, so it must see `base` at its present path,
    and a folder that was moved gets new entries.

    Returns:
      Whether `models.config` had to be written.

    Raises:
      UsageError: the folder cannot be written to.
    """
    base, written = base.resolve(), False
    # Another export may add a model, and list it, between this one's look and its writing.
    while (config := _wanted(base)) != _read(base):
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
    before = _read(base).model_config_list.config
    listed.extend(each for each in before if _place(base, each.base_path) in there)
    known = {_place(base, each.base_path) for each in listed}
    names = {each.name for each in listed}
    for path, name in there.items():
        if path not in known:
            while name in names:  # with two models of one name the server would not start
                name += "_"
            names.add(name)
            listed.add(name=name, base_path=str(path), model_platform="tensorflow")
    return config


def _place(base: pathlib.Path, model: str) -> pathlib.Path:
    """A model's folder below `base`, or `base`, by whatever links its path leads there."""
    path = pathlib.Path(model)
    return base if path.resolve() == base else path.parent.resolve() / path.name


def _read(base: pathlib.Path) -> model_server_config_pb2.ModelServerConfig:
    """What `models.config` says; nothing if it is missing or damaged."""
    try:
        text = files.read_text(base / MODELS_FILE)
        return text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    except (errors.UsageError, text_format.ParseError, UnicodeDecodeError):
        return model_server_config_pb2.ModelServerConfig()  # not what was read before the fault


def models(base: pathlib.Path) -> dict[str, pathlib.Path]:
    """Every model at and below `base`, by the name that it gets."""
    found: dict[str, pathlib.Path] = {}
    for folder in [base, *sorted(path for path in base.glob("[!.]*") if path.is_dir())]:
        graphs = folder.glob(f"[0-9]*/{versions.GRAPH_FILE}")
        if any(path.parent.name.isdecimal() for path in graphs):
            # An export of its own in a folder called "child" is listed there alone.
            found.setdefault(ONLY_MODEL if folder == base else folder.name, folder)
    return found
