"""Classifies PNG and JPEG files with an exported child, here or on a TensorFlow Serving server.

  python -m tools.predict --export_dir=EXPORT/1 a.png b.jpg photos/
  python -m tools.predict --server=localhost:8500 [--rest] [--model=child] a.png b.jpg

Of a folder, all images in it and below are taken. Prints one JSON line for each image: image, label
(the class index), name, probability, top (names and probabilities of the best classes) and, of a
cascade, answered_by (the number of the child). An image that cannot be classified is named on
stderr, the others follow, and the exit code is 2. Needs TensorFlow, not this project's layers.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys

from absl import flags

import bignas_tf as bignas
from bignas_tf import console, errors, image_files

from .cli import launch, to_stderr
from .serving import clients

_EXPORT_DIR = flags.DEFINE_string("export_dir", None, "Folder of one version.")
clients.define_flags(required=False)
flags.mark_flags_as_mutual_exclusive(["export_dir", "server"], required=True)
_OF_A_SERVER = ("rest", "model", "timeout_s")


@flags.multi_flags_validator(
    ["server", *_OF_A_SERVER],
    message="--rest, --model and --timeout_s are for --server; --export_dir takes none of them",
)
def _asks_a_server(values: dict[str, object]) -> bool:
    return values["server"] is not None or not any(
        flags.FLAGS[name].present for name in _OF_A_SERVER
    )


def main(*given: str) -> None:
    clients.require_images(given)
    if missing := [path or "''" for path in given if not os.path.exists(path)]:
        named = errors.cut(", ".join(missing), 300)
        raise bignas.UsageError(f"{named} cannot be read (no such file)")
    paths = [image for path in given for image in _images(path)]
    model: clients.Client
    if _EXPORT_DIR.value is not None:
        model = clients.LocalClient(_EXPORT_DIR.value)
    else:
        model = clients.of_flags()
    refused = 0
    with contextlib.closing(model):
        for path in paths:
            try:
                print(_line(_predict(model, path)), flush=True)
            except clients.RefusedError as error:
                if len(paths) == 1:
                    raise
                console.warn(to_stderr, [str(error)])
                refused += 1
    if refused:
        raise bignas.UsageError(f"{refused:,} of {len(paths):,} images could not be classified")


def _images(path: str) -> list[str]:
    """A file, or the images in and below a folder."""
    if not os.path.isdir(path):
        return [path]
    found, ignored = image_files.below(path)
    if not found:
        raise bignas.UsageError(f"{path} holds no PNG or JPEG file")
    if ignored:
        to_stderr(f"{path}: ignored files: {ignored}")
    return found


def _line(prediction: dict[str, object]) -> str:
    """JSON; names as they are, where the output can hold them."""
    line = json.dumps(prediction, ensure_ascii=False)
    try:
        line.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        return json.dumps(prediction)
    return line


def _predict(model: clients.Client, path: str) -> dict[str, object]:
    answer = clients.classify(model, path, clients.read(path))
    return {
        "image": path,
        "label": answer.classes[0],
        "name": answer.labels[0],
        "probability": answer.probabilities[0],
        "top": list(zip(answer.labels, answer.probabilities, strict=True)),
        **({} if answer.answered_by is None else {"answered_by": answer.answered_by}),
    }


if __name__ == "__main__":
    launch(main, most_arguments=sys.maxsize)
