"""Every reader of files that a user can damage, each with a valid file to damage."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import pathlib
import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from bignas_tf import errors, files
from bignas_tf.data import config as data_config
from bignas_tf.data import description, faults, sources
from bignas_tf.exports import trainable, versions
from bignas_tf.importing import torch_files, weights
from bignas_tf.latency.table import LatencyTable
from bignas_tf.modeling.supernet import Supernet
from bignas_tf.reports import inputs as reported
from bignas_tf.search_space import presets
from bignas_tf.search_space.parts import ModelSpace
from bignas_tf.search_space.space import SearchSpace
from bignas_tf.selection import budgets, journal, result
from bignas_tf.selection import judgement as judgement_lib
from bignas_tf.training import checkpoints, curve_file, learnt, origin, parsing
from experiments.abuse import mutants
from tests.importing import goldens
from tests.selection import made_up_searches
from tools.benchmarks.input import example

_RUN = ("search_space.yaml", "params.yaml", "checkpoint", "command.json", "judgement.json")
# Each comes from another step of a quickstart. Where it had to take scikit-learn's digits, it
# trained fewer steps than the last one says.
_FINISHED = (
    "search_space.yaml", "judgement.json", "search/search.json", "export/1/weights.npz",
    "ckpt-2000.index",
)  # fmt: skip
_CASCADE = f"cascade/1/{versions.CASCADE_FILE}"
_WEIGHTS = f"export/1/{trainable.WEIGHTS_FILE}"
_IMAGES = 3


@dataclasses.dataclass(frozen=True)
class Reader:
    """One kind of file.

    Attributes:
      file: which is damaged, below the folder of all valid files.
      read: reads it, given that folder.
      damaged: gives damaged forms of its bytes.
      appends: whether it may write to a file that it takes.
    """

    file: str
    read: Callable[[pathlib.Path], object]
    damaged: Callable[[bytes], mutants.Mutants]
    appends: bool = False


def check_run(model_dir: pathlib.Path) -> None:
    """Refuses a folder that cannot give all the valid files.

    Raises:
      UsageError: names the first file that is missing.
    """
    missing = next((name for name in _FINISHED if not files.is_file(model_dir / name)), None)
    if missing:
        raise errors.UsageError(
            f"--model_dir={model_dir} is not the folder of a finished quickstart with "
            f"Fashion-MNIST: it has no {missing}; `make quickstart` makes one in runs/quickstart"
        )


def copy_run(folder: pathlib.Path, model_dir: pathlib.Path) -> None:
    """Copies the files of a run that was judged, searched and exported, such as a quickstart's."""
    for name in _RUN:
        shutil.copy(model_dir / name, folder / name)
    for part in model_dir.glob("ckpt-*"):
        shutil.copy(part, folder / part.name)
    for name in ("search", "export", "train"):
        shutil.copytree(model_dir / name, folder / name)


def make_others(folder: pathlib.Path) -> None:
    """Makes the files that no run has, in the folder of one."""
    (folder / "experiment.yaml").write_text(_EXPERIMENT)
    (folder / "override.txt").write_text(_OVERRIDE)
    (folder / "budget.txt").write_text("mflops=4,params_m=0.2")
    curves = [{"step": step, "top1": {"smallest": 0.5, "biggest": 0.75}} for step in (100, 200)]
    (folder / curve_file.FILE).write_text(json.dumps(curves))
    space = _space(folder)
    timed = ModelSpace(space, 10, 1).all_parts(space.eval_resolutions[:1])
    LatencyTable(str(folder / "table.json"), "a device", 0.5, dict.fromkeys(timed, 0.25)).save()
    cascade = folder / _CASCADE
    cascade.parent.mkdir(parents=True)
    cascade.write_text(json.dumps(made_up_searches.CASCADE))
    (cascade.parent / versions.GRAPH_FILE).touch()  # a report takes no other for an export
    _make_images(folder)
    shutil.copytree(goldens.FILES, folder / "imported")
    origin.Origin("Theirs", "non-commercial", "https://example.org", "a.pth", "0" * 64).save(
        str(folder)
    )
    learnt.save(str(folder), _images_of("folder", folder / "images"))


_EXPERIMENT = """
task:
  model: {search_space: bignas_small}
  sandwich: {resolutions: any, num_random: 2, biggest: true, same_patch: true}
  distillation: {weight: 0.5}
  train_data: {source: digits, tfds_split: 'train[:90%]', crop: none, global_batch_size: 64}
  selection: {ranking_split: 'train[90%:]', resolutions: [20, 28], depth_multipliers: [0.0, 1.0]}
  evaluation: {children: [smallest]}
  init_checkpoint: ''
trainer:
  train_steps: 20
  steps_per_loop: 10
  summary_interval: 10
  checkpoint_interval: 10
  optimizer_config:
    learning_rate: {type: cosine, cosine: {initial_learning_rate: 0.007, decay_steps: 20}}
    warmup: {type: linear, linear: {warmup_steps: 2}}
    ema: {average_decay: 0.99}
"""


_OVERRIDE = "task.train_data.tfds_split='train[:90%]',trainer.train_steps=20"


def _make_images(folder: pathlib.Path) -> None:
    """A folder of two classes of images, and TFRecords of the same ones."""
    images = np.random.default_rng(0).integers(0, 256, (_IMAGES, 12, 12, 3), np.uint8)
    encoders = {"png": tf.io.encode_png, "jpg": tf.io.encode_jpeg}
    with tf.io.TFRecordWriter(str(folder / "images.tfrecord")) as records:
        for label, (kind, encode) in enumerate(encoders.items()):
            place = folder / "images" / f"class_{label}"
            place.mkdir(parents=True)
            for number, image in enumerate(images):
                encoded = encode(image).numpy()
                (place / f"{number}.{kind}").write_bytes(encoded)
                records.write(example(encoded, label))


def _space(folder: pathlib.Path) -> SearchSpace:
    return presets.get(str(folder / "search_space.yaml"))


def _run(folder: pathlib.Path) -> object:
    return checkpoints.read_config(str(folder)), checkpoints.describe_latest(str(folder))


def _journal(folder: pathlib.Path) -> object:
    path = folder / "search" / journal.FILE
    # The origin is that of the valid file, which is what a resumed search would compare with.
    with journal.Journal(path, _origin(folder)) as opened:
        return opened.lines()


def _origin(folder: pathlib.Path) -> dict[str, Any]:
    kept = folder / "journal_origin.json"
    if not kept.exists():
        head = (folder / "search" / journal.FILE).read_text().splitlines()[0]
        kept.write_text(head)
    return dict(json.loads(kept.read_text()))


def _images(folder: pathlib.Path) -> object:
    _decode_all("folder", folder / "images")
    return description.read(str(folder / "images"))


def _decode_all(source: str, path: pathlib.Path) -> int:
    """Reads every image of a source; returns how many there are."""
    config = _images_of(source, path)
    opened = sources.open_source(config)
    faults.check(opened, config)
    return opened.count


def _images_of(source: str, path: pathlib.Path) -> data_config.DataConfig:
    return data_config.DataConfig(
        source=source, input_path=str(path), tfds_split="all", num_classes=2, channels=3,
        base_size=12, global_batch_size=2, is_training=False,
    )  # fmt: skip


def _text(path: pathlib.Path) -> str:
    """As an argument of a command line is read."""
    return os.fsdecode(path.read_bytes())


@functools.cache
def _importing() -> Supernet:
    """Takes the weights of a checkpoint, as often as there are any."""
    return Supernet(goldens.golden("attentive_nas")["space"], num_classes=5)


def _imported(folder: pathlib.Path) -> object:
    content = torch_files.read(folder / "imported" / goldens.ATTENTIVE_NAS.name)
    state, _ = weights.state_of(content, "checkpoint")
    weights.classes(state, "checkpoint")
    return weights.assign(_importing(), state, "checkpoint")


# In the order of a quickstart; `it` is the folder of all valid files.
READERS = (
    Reader("search_space.yaml", _space, mutants.of_yaml),
    Reader(
        "experiment.yaml",
        lambda it: parsing.parse("bignas_small", [str(it / "experiment.yaml")], ""),
        mutants.of_yaml,
    ),
    Reader(
        "override.txt",
        lambda it: parsing.parse("bignas_small", [], _text(it / "override.txt")),
        mutants.of_bytes,
    ),
    Reader("budget.txt", lambda it: budgets.parse(_text(it / "budget.txt")), mutants.of_bytes),
    Reader("params.yaml", _run, mutants.of_yaml),
    Reader("checkpoint", _run, mutants.of_bytes),
    Reader("ckpt-2000.index", _run, mutants.of_bytes),
    Reader(
        "search/search.json", lambda it: result.read(it / "search", _space(it)), mutants.of_json
    ),
    Reader(
        "judgement.json",
        lambda it: judgement_lib.read(it / "judgement.json", _space(it)),
        mutants.of_json,
    ),
    Reader(
        "search/child_4.json",
        lambda it: presets.child(_space(it), it / "search" / "child_4.json"),
        mutants.of_json,
    ),
    Reader("search/journal.jsonl", _journal, mutants.of_lines, appends=True),
    Reader("table.json", lambda it: LatencyTable.load(it / "table.json"), mutants.of_json),
    Reader(curve_file.FILE, lambda it: curve_file.read(it / curve_file.FILE), mutants.of_json),
    *(
        Reader(name, lambda it: reported.read(str(it), []), mutants.of_json)
        for name in ("command.json", "export/1/child.json", "export/1/labels.json", _CASCADE)
    ),
    Reader(_WEIGHTS, lambda it: trainable.backbone(it / "export" / "1"), mutants.of_archive),
    Reader("images/class_0/0.png", _images, mutants.of_bytes),
    Reader("images/class_1/0.jpg", _images, mutants.of_bytes),
    Reader(
        "images.tfrecord",
        lambda it: _decode_all("tfrecord", it / "images.tfrecord"),
        mutants.of_bytes,
    ),
    Reader(
        "imported/zip.pth", lambda it: torch_files.read(it / "imported/zip.pth"), mutants.of_archive
    ),
    Reader(
        "imported/legacy.pth",
        lambda it: torch_files.read(it / "imported/legacy.pth"),
        mutants.of_bytes,
    ),
    Reader(f"imported/{goldens.ATTENTIVE_NAS.name}", _imported, mutants.of_bytes),
    Reader(origin.FILE, lambda it: origin.read(str(it)), mutants.of_json),
    Reader(learnt.FILE, lambda it: learnt.read(str(it)), mutants.of_json),
)
