"""Writes children as verified, versioned SavedModels."""

from __future__ import annotations

import dataclasses
import functools
import os
import pathlib
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from bignas_tf import errors, files, full_disk, scratch
from bignas_tf.data import decode, resize
from bignas_tf.exports import card as card_lib
from bignas_tf.exports import proof as proof_lib
from bignas_tf.exports import (
    publishing,
    requests,
    serving_configs,
    signatures,
    sliced_graph,
    trainable,
    trials,
    verify,
    versions,
)
from bignas_tf.exports.intake import Intake
from bignas_tf.exports.signatures import Answer
from bignas_tf.exports.sliced_graph import AnyChild, SlicedGraph

_MODEL_NAME = re.compile(r"[\w-][\w.-]*", re.ASCII)
# Fills the folder of a version, which is not there yet, and verifies it.
Write = Callable[[pathlib.Path], None]
_FOLDED = (
    "batch norms folded into the convolutions, weights as constants; params counts them apart, as "
    "weights.npz has them"
)
_SLICED = "slices of the supernet's weights as constants; params counts the layers' own"
_FEATURES = "images: uint8 [N, H, W, channels]; answers with what the classifier reads"
_CHILD = "images: float32 [N, R, R, channels] in [-1, 1], R being the child's resolution"


@dataclasses.dataclass(frozen=True)
class Servable:
    """A child, and all that its export says and proves.

    Attributes:
      child: from `sliced_graph.standalone`.
      card: architecture, cost (of the child as trained, batch norms counted), accuracy and
        source, written as `child.json`.
      patches: uint8 [N, S, S, C], real images to verify on.
      expected_logits: float32 [N, classes], the calibrated supernet's for them.
      labels: the classes' names, in their order, any text.
      centre: what evaluation takes of an image.

    Raises:
      UsageError: there are more or fewer names than classes.
    """

    child: AnyChild
    card: dict[str, Any]
    patches: np.ndarray
    expected_logits: np.ndarray
    labels: Sequence[str]
    centre: decode.Centre = decode.WHOLE

    def __post_init__(self) -> None:
        if len(self.labels) != self.classes:
            raise errors.UsageError(f"{len(self.labels)} labels for {self.classes} classes")

    @property
    def classes(self) -> int:
        """The number of classes."""
        return self.child.output_shape[-1]

    @property
    def intake(self) -> Intake:
        return Intake.of(self.patches, self.centre)


def export(
    servable: Servable, output_dir: str, through: Sequence[trials.Started] = ()
) -> pathlib.Path:
    """Writes `output_dir/<version>/`, which appears only once it is verified.

    Args:
      servable: what to write.
      output_dir: base folder of the model's versions, as TF Serving takes it. It gets the
        server's configurations, too.
      through: runtimes that must agree as well; the session loader always must.

    Returns:
      The version's folder.

    Raises:
      UsageError: the folder is not writable.
      RunError: the written model does not load or gives other outputs.
    """
    return publish_one(_writer(servable, through), output_dir)


def export_family(
    servables: Iterable[tuple[str, Servable]],
    output_dir: str,
    through: Sequence[trials.Started] = (),
) -> list[pathlib.Path]:
    """Writes `output_dir/<name>/<version>/` for each; none appears unless all are verified.

    See `export` for the rest. `models.config` lists all models of the folder.

    Raises:
      UsageError: a name is duplicated, is invalid, or is taken by a file.
    """
    checked = _checked(servables, pathlib.Path(output_dir))
    return publish(((name, _writer(each, through)) for name, each in checked), output_dir)


def ensure_base(output_dir: str | os.PathLike[str]) -> pathlib.Path:
    """Makes the base folder of versions, and checks that exports can be published in it.

    Raises:
      UsageError: it cannot be made or written to, or is remote.
      RunError: there is no room.
    """
    if files.is_remote(output_dir):
        raise errors.UsageError(
            f"{os.fspath(output_dir)} is remote, and exports are published by renaming folders, "
            "which a bucket cannot do; export to a local folder, then copy it: "
            f"gcloud storage rsync --recursive FOLDER {os.fspath(output_dir)}"
        )
    serving_configs.check(pathlib.Path(output_dir))
    if os.path.exists(os.path.join(output_dir, versions.GRAPH_FILE)):
        raise errors.UsageError(
            f"{os.fspath(output_dir)} is itself a version of a model; give the folder of its "
            f"versions, {pathlib.Path(output_dir).absolute().parent}, or another"
        )
    return files.ensure_writable(output_dir)


def _checked(
    servables: Iterable[tuple[str, Servable]], base: pathlib.Path
) -> Iterator[tuple[str, Servable]]:
    names: set[str] = set()
    for name, servable in servables:
        _check_model(name, base, names)
        names.add(name)
        yield name, servable


def _check_model(name: str, base: pathlib.Path, others: Container[str]) -> None:
    """Refuses a name that the server would take for a version, or not see at all."""
    taken = name in others or name == serving_configs.ONLY_MODEL
    if taken or name.isdecimal() or not _MODEL_NAME.fullmatch(name):
        raise errors.UsageError(
            f"a model cannot be called {name!r}; each needs its own name, of letters, digits, "
            f"'_', '-' and '.', that is neither a number nor {serving_configs.ONLY_MODEL!r} and "
            "does not begin with '.'"
        )
    if (base / name).exists() and not (base / name).is_dir():
        raise errors.UsageError(f"{base / name} is in the way of a model's folder; move it")


def publish_one(write: Write, output_dir: str) -> pathlib.Path:
    """As `publish`, of the only model in a folder; returns its version's."""
    (version,) = publish([(serving_configs.ONLY_MODEL, write)], output_dir)
    return version


def publish(models: Iterable[tuple[str, Write]], output_dir: str) -> list[pathlib.Path]:
    """Lets models be written and verified in a hidden folder, then publishes all of them.

    Args:
      models: the name of each, and what makes and fills the folder of a version.
      output_dir: base folder of the models' versions.

    Returns:
      The versions' folders.

    Raises:
      UsageError: the folder is not writable.
      RunError: there is no room, or what a model's writer raises.
    """
    base = ensure_base(output_dir)
    with full_disk.explained(base), scratch.folder(base) as staged:
        publishing.finish(base)
        names = []
        for name, write in models:
            write(staged / name)
            (staged / name).chmod(0o755)
            names.append(name)
        versions = publishing.publish_versions(staged)
    return [versions[name] for name in names]


def save_graph(folder: pathlib.Path, functions: Mapping[str, Callable[..., Answer]]) -> None:
    """Makes a version's folder and writes the graph of these signatures, which are frozen."""
    folder.mkdir()
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    tf.saved_model.save(tf.Module(), str(folder), signatures=functions, options=options)


def _writer(servable: Servable, through: Sequence[trials.Started]) -> Write:
    return functools.partial(_write, servable, through=through)


def _write(servable: Servable, folder: pathlib.Path, through: Sequence[trials.Started]) -> None:
    """Fills a folder with all that a version contains, and verifies it."""
    save_graph(folder, signatures.build(servable.child, servable.intake, servable.labels))
    inputs, feeds = input_card(servable.intake), requests.feeds(servable.patches, servable.centre)
    if isinstance(servable.child, SlicedGraph):
        graph, classifier = _SLICED, ()
        images = resize.resize_patches(servable.patches, servable.child.input_shape[1])
        inputs["signatures"][sliced_graph.SIGNATURE] = _CHILD
        feeds[sliced_graph.SIGNATURE] = {sliced_graph.INPUT: images.numpy()}
    else:
        graph, classifier = _FOLDED, servable.child.get_layer("classifier").get_weights()
        inputs["signatures"][verify.FEATURES] = _FEATURES
        feeds[verify.FEATURES] = feeds["serving_default"]
        trainable.write(folder, servable.child)
    requests.write_warmup(folder, feeds)
    proof = proof_lib.Proof(servable.patches, servable.expected_logits)
    proof.write(folder)
    difference = verify.verify_export(folder, feeds, proof.logits, proof.tolerance, classifier)
    verified = {
        "images": len(proof.logits),
        "signatures": sorted(feeds),
        "max_difference": difference,
        "tolerance": proof.tolerance,
    }
    files.write_json(folder / versions.LABELS_FILE, list(servable.labels))
    card = servable.card | {"graph": graph, "input": inputs}
    files.write_json(folder / versions.CHILD_FILE, card | {"verified": verified})
    text = card_lib.render(card, servable.child, servable.labels)
    files.write_text(folder / card_lib.CARD_FILE, text)
    trials.require(folder, through)


def input_card(intake: Intake) -> dict[str, Any]:
    """How to call the model, for readers who have only its folder."""
    return {
        "patch_size": intake.size,
        "channels": intake.channels,
        "centre_fraction": intake.centre.fraction,
        "antialias": intake.centre.antialias,
        "most_pixels": decode.MOST_PIXELS,
        "signatures": {
            "serving_default": "images: uint8 [N, H, W, channels]",
            "float_images": "images: float32 [N, H, W, channels], 0 to 255",
            "image_bytes": "image_bytes: string [N], JPEG or PNG",
            "patches": "patches: uint8 [N, patch_size, patch_size, channels], cut already",
        },
    }
