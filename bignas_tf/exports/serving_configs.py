"""What TensorFlow Serving reads beside the versions: its configurations. Needs no TensorFlow."""

from __future__ import annotations

import contextlib
import os
import pathlib

from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from bignas_tf import errors, files

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


def write(base: pathlib.Path) -> None:
    """Writes `models.config`, which lists every model at and below `base`, and `batching.config`.

    A model is a folder of versions: `base` itself, called "child", or folders in it, by their
    names. The server wants absolute paths, so it must see `base` at its present path.
    """
    base = base.resolve()
    written = None
    # Another export may add a model, and list it, between this one's look and its writing.
    while written != (models := _models(base)):
        _write(base, models)
        written = models


def refresh(base: pathlib.Path) -> bool:
    """Writes the configurations again where they do not list the models that are there.

    A folder may have been moved, and models added to it or removed. Entries of models that are
    there stay as they are: a user may have given them other names, or policies.

    Returns:
      Whether they were written.

    Raises:
      UsageError: there is no model, or the folder cannot be written to.
    """
    base = base.resolve()
    models = {each.base_path: each for each in _models(base).model_config_list.config}
    if not models:
        raise errors.UsageError(f"{base} holds no exported version; export again")
    listed = list(_read(base).model_config_list.config)
    kept = [each for each in listed if os.path.normpath(each.base_path) in models]
    places = {os.path.normpath(each.base_path) for each in kept}
    added = [each for place, each in models.items() if place not in places]
    if (base / BATCHING_FILE).is_file() and kept == listed and not added:
        return False
    config = model_server_config_pb2.ModelServerConfig()
    config.model_config_list.config.extend([*kept, *added])
    _write(base, config)
    return True


def _write(base: pathlib.Path, models: model_server_config_pb2.ModelServerConfig) -> None:
    files.write_text(base / BATCHING_FILE, _BATCHING)
    files.write_text(base / MODELS_FILE, text_format.MessageToString(models))


def _read(base: pathlib.Path) -> model_server_config_pb2.ModelServerConfig:
    """What `models.config` says; nothing if it is missing or damaged."""
    config = model_server_config_pb2.ModelServerConfig()
    with contextlib.suppress(errors.UsageError, text_format.ParseError, UnicodeDecodeError):
        text_format.Parse(files.read_text(base / MODELS_FILE), config)
    return config


def _models(base: pathlib.Path) -> model_server_config_pb2.ModelServerConfig:
    """Every model at and below `base`, an absolute path."""
    models: dict[str, pathlib.Path] = {}
    for folder in [base, *sorted(path for path in base.glob("[!.]*") if path.is_dir())]:
        graphs = folder.glob("[0-9]*/saved_model.pb")
        if any(path.parent.name.isdecimal() for path in graphs):
            # With two models of one name the server would not start: an export of its own in a
            # folder called "child" is listed there alone.
            models.setdefault(ONLY_MODEL if folder == base else folder.name, folder)
    config = model_server_config_pb2.ModelServerConfig()
    for name, folder in models.items():
        config.model_config_list.config.add(
            name=name, base_path=str(folder), model_platform="tensorflow"
        )
    return config
