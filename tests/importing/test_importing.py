"""A public supernet becomes a run like any other, or nothing."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import yaml

import bignas_tf as bignas
from bignas_tf.api import cards
from bignas_tf.importing import naming, torch_files, weights
from bignas_tf.importing.sources import SOURCES
from bignas_tf.modeling.supernet import Supernet
from bignas_tf.search_space import presets
from bignas_tf.training import origin, writer
from tests.data import samples
from tests.importing import goldens
from tests.importing.goldens import ATTENTIVE_NAS
from tools import import_supernet as tool

_CLASSES, _EACH = 5, 4


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A YAML file with the golden's space, and images of as many classes."""
    folder = tmp_path_factory.mktemp("importing")
    space = folder / "space.yaml"
    space.write_text(presets.to_yaml(goldens.golden("attentive_nas")["space"]))
    for index, picture in enumerate(samples.pictures(_CLASSES * _EACH)):
        path = folder / "images" / "train" / f"class_{index % _CLASSES}" / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(tf.io.encode_png(picture).numpy())
    data = {
        "source": "folder",
        "input_path": str(folder / "images"),
        "tfds_split": "train[:10]",
        "num_classes": _CLASSES,
        "base_size": 24,
        "crop": "none",
        "autoaugment": False,
        "global_batch_size": 5,
    }
    selection = {
        "calibration_split": "train[:10]",
        "calibration_images": 10,
        "ranking_split": "train[10:15]",
        "reporting_split": "train[15:]",
        "batch_size": 5,
        "resolutions": [16, 20, 24],
    }
    task = {
        "model": {"search_space": str(space)},
        "train_data": data,
        "selection": selection,
        "evaluation": {"children": []},
    }
    path = folder / "settings.yaml"
    path.write_text(yaml.safe_dump({"task": task}))
    return path


def _files(folder: pathlib.Path) -> list[str]:
    """What is in a folder besides the lock."""
    return sorted(path.name for path in folder.iterdir() if path.name != writer.LOCK_FILE)


def test_it_becomes_a_run_with_its_licence(settings: pathlib.Path, tmp_path: pathlib.Path) -> None:
    lines: list[str] = []
    run = bignas.import_supernet(
        "attentive_nas", ATTENTIVE_NAS, tmp_path / "run", config_files=[settings], show=lines.append
    )
    assert (run.step, run.space.name) == (0, "small")
    text = "\n".join(lines)
    sizes = [int(np.prod(weight.shape)) for weight in run.supernet.trainable_weights]
    assert f"took {sum(sizes):,} parameters in {len(sizes)} tensors of AttentiveNAS" in text
    assert "statistics of batch norms" in text
    assert "optimizer" in text
    assert run.origin is not None
    assert run.origin.licence == SOURCES["attentive_nas"].licence
    assert run.origin == origin.read(str(tmp_path / "run"))

    accuracy = bignas.evaluate(run, "smallest")
    child = run.space.smallest()
    task = run.config.task
    card = cards.card(run, task, child, run.supernet.cost_of(child), accuracy, "")
    assert card["licence"] == run.origin.licence
    assert card["origin"]["address"] == "https://github.com/facebookresearch/AttentiveNAS"
    assert (
        cards.card(run, task, child, run.supernet.cost_of(child), accuracy, "my own")["licence"]
        == "my own"
    )


def test_a_folder_with_a_run_is_left_alone(settings: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "ckpt-7"\n')
    with pytest.raises(bignas.UsageError, match="already holds a run; name another folder"):
        bignas.import_supernet(
            "attentive_nas", ATTENTIVE_NAS, tmp_path, config_files=[settings], show=None
        )
    assert sorted(p.name for p in tmp_path.iterdir() if p.name != ".training.lock") == [
        "checkpoint"
    ]


@pytest.mark.parametrize(
    ("source", "override", "message"),
    [
        ("mine", "", "no public supernet 'mine'; choose from"),
        (
            "attentive_nas",
            "task.train_data.num_classes=7",
            "has 5 classes, and the configuration 7",
        ),
        ("ofa_mbv3_w1.0", "", "lacks .* tensors of 'small'.*may be of another supernet"),
    ],
)
def test_what_does_not_fit_leaves_no_run(
    settings: pathlib.Path, tmp_path: pathlib.Path, source: str, override: str, message: str
) -> None:
    with pytest.raises(bignas.UsageError, match=message):
        bignas.import_supernet(
            source,
            ATTENTIVE_NAS,
            tmp_path,
            config_files=[settings],
            params_override=override,
            show=None,
        )
    assert _files(tmp_path) == []


def _changed(state: dict[str, np.ndarray], kind: str) -> dict[str, np.ndarray]:
    key = "blocks.1.shortcut.conv.conv.weight"
    value: Any = {
        "shape": np.zeros((3, 3, 1, 1), np.float32),
        "nan": np.full(state[key].shape, np.nan, np.float32),
    }.get(kind)
    if kind == "missing":
        return {name: each for name, each in state.items() if name != key}
    return state | ({"blocks.9.gate.weight": state[key]} if kind == "more" else {key: value})


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", "lacks 1 of the 62 tensors of 'small': blocks.1.shortcut.conv.conv.weight"),
        ("more", "holds 1 tensors that 'small' has not: blocks.9.gate.weight"),
        ("shape", r"blocks.1.shortcut.conv.conv.weight is \[3, 3, 1, 1\], which does not fit"),
        ("nan", "holds values that are not finite"),
    ],
)
def test_weights_are_taken_whole_or_not_at_all(kind: str, message: str) -> None:
    family = naming.ATTENTIVE_NAS
    state, _ = weights.state_of(torch_files.read(ATTENTIVE_NAS), family, "file")
    supernet = Supernet(goldens.golden("attentive_nas")["space"], _CLASSES)
    before = supernet.get_weights()
    with pytest.raises(bignas.UsageError, match=message):
        weights.assign(supernet, _changed(state, kind), [], family, "file")
    for one, other in zip(before, supernet.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("content", [[1, 2], {"state_dict": {"a": 1}}, None])
def test_a_file_without_a_state_dictionary_is_refused(content: Any) -> None:
    with pytest.raises(bignas.UsageError, match="file holds no state dictionary"):
        weights.state_of(content, naming.ATTENTIVE_NAS, "file")


def test_a_damaged_origin_is_named(tmp_path: pathlib.Path) -> None:
    (tmp_path / origin.FILE).write_text(json.dumps({"supernet": 3}))
    with pytest.raises(bignas.UsageError, match=r"origin\.json is damaged: supernet is 3"):
        origin.read(str(tmp_path))


def test_the_tool_offers_every_source() -> None:
    assert set(tool.flags.FLAGS["from"].parser.enum_values) == set(SOURCES)


def test_every_source_has_an_experiment_of_its_space(tmp_path: pathlib.Path) -> None:
    for source in SOURCES.values():
        config = bignas.configure("bignas_imagenet", [source.experiment], show=None)
        space = presets.get(config.task.model.search_space)
        for child in config.task.evaluation.children:
            presets.child(space, child)
