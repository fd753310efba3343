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
from bignas_tf.data import resize
from bignas_tf.importing import naming, torch_files, weights
from bignas_tf.importing.sources import SOURCES
from bignas_tf.modeling.supernet import Supernet
from bignas_tf.search_space import presets
from bignas_tf.training import origin, run_files, writer
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


def test_it_becomes_a_run_with_its_licence(
    settings: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where a file has the name of the packaged one, by chance
    pathlib.Path("attentive_nas.yaml").write_text("task: {model: {search_space: bignas_small}}")
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
    mine = cards.card(run, task, child, run.supernet.cost_of(child), accuracy, "my own")["licence"]
    assert mine == f"my own; of its weights: {run.origin.licence}"


def test_once_for_all_becomes_a_run(tmp_path: pathlib.Path) -> None:
    golden = goldens.golden("once_for_all")
    space = tmp_path / "space.yaml"
    space.write_text(presets.to_yaml(golden["space"]))
    override = f"task.model.search_space={space},task.train_data.num_classes=10"
    # Averages and an earlier run are of a training, which this run has not had.
    override += ",trainer.optimizer_config.ema.average_decay=0.99,task.init_checkpoint=elsewhere"
    config = bignas.configure(
        "bignas_imagenet", ["ofa_mbv3_w1.0.yaml"], f"{override},task.train_data.base_size=48"
    )
    content = goldens.once_for_all_state(golden["tensors"])
    state, _ = weights.state_of(content, "file")
    supernet = Supernet(golden["space"], 10)
    weights.assign(supernet, state, "file")
    run_files.save(supernet, 0, config, golden["space"], str(tmp_path))
    run = bignas.load(tmp_path)
    assert config.trainer.optimizer_config.ema is not None
    assert run.config.task.init_checkpoint == ""
    for one, other in zip(supernet.get_weights(), run.supernet.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_images_of_other_channels_are_refused() -> None:
    with pytest.raises(bignas.UsageError, match=r"channels is 1; the pixel_mean of .* 3 channels"):
        bignas.configure(
            "bignas_imagenet",
            ["ofa_mbv3_w1.2.yaml"],
            "task.train_data.channels=1,task.train_data.autoaugment=false",
        )


def test_pixels_are_normalised_as_their_authors_do() -> None:
    # ToTensor gives 0 to 1; ImageNet's usual means and deviations.
    red = (200 / 255 - 0.485) / 0.229
    rescaling = presets.get("attentive_nas").style.rescaling
    assert rescaling is not None
    scale, offset = rescaling
    pixel = resize.resize_patches(tf.constant([[[[200, 0, 0]]]], tf.uint8), 1)[0, 0, 0, 0]
    assert float(pixel) * scale[0] + offset[0] == pytest.approx(red, rel=1e-6)
    assert -scale[2] + offset[2] == pytest.approx((0 - 0.406) / 0.225, rel=1e-6)


def test_a_training_from_nothing_has_no_origin_of_others(tmp_path: pathlib.Path) -> None:
    theirs = origin.Origin("Theirs", "non-commercial", "https://example.org", "a.pth", "0")
    origin.replace(str(tmp_path), theirs)
    assert origin.read(str(tmp_path)) == theirs
    origin.replace(str(tmp_path), None)
    assert origin.read(str(tmp_path)) is None


@pytest.mark.parametrize("name", ["checkpoint", "ckpt-500.index"])
def test_a_folder_with_a_run_is_left_alone(
    settings: pathlib.Path, tmp_path: pathlib.Path, name: str
) -> None:
    (tmp_path / name).write_text('model_checkpoint_path: "ckpt-7"\n')
    with pytest.raises(bignas.UsageError, match="already holds a run; name another folder"):
        bignas.import_supernet(
            "attentive_nas", ATTENTIVE_NAS, tmp_path, config_files=[settings], show=None
        )
    assert _files(tmp_path) == [name]


@pytest.mark.parametrize(
    ("source", "override", "message"),
    [
        ("mine", "", "source is 'mine'; choose from"),
        (
            "attentive_nas",
            "task.train_data.num_classes=7",
            "has 5 classes, and the configuration 7",
        ),
        (
            "ofa_mbv3_w1.0",
            "task.model.search_space=ofa_mbv3_w1.0,task.train_data.base_size=224",
            "lacks .* tensors of 'ofa_mbv3_w1.0'.*may be of another supernet",
        ),
    ],
)
def test_what_does_not_fit_leaves_no_run(
    settings: pathlib.Path, tmp_path: pathlib.Path, source: str, override: str, message: str
) -> None:
    with pytest.raises(bignas.UsageError, match=message):
        bignas.import_supernet(
            source,
            ATTENTIVE_NAS,
            tmp_path / "run",
            config_files=[settings],
            params_override=override,
            show=None,
        )
    assert not (tmp_path / "run").exists()


def _changed(state: dict[str, np.ndarray], kind: str) -> dict[str, np.ndarray]:
    key = "blocks.1.shortcut.conv.weight"
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
        ("missing", "lacks 1 of the 62 tensors of 'small': blocks.1.shortcut.conv.weight"),
        ("more", r"holds tensors that 'small' does not have \(1\): blocks.9.gate.weight"),
        ("shape", r"blocks.1.shortcut.conv.weight is \[3, 3, 1, 1\], which does not fit"),
        ("nan", "holds values that are not finite"),
    ],
)
def test_weights_are_taken_whole_or_not_at_all(kind: str, message: str) -> None:
    state, _ = weights.state_of(torch_files.read(ATTENTIVE_NAS), "file")
    supernet = Supernet(goldens.golden("attentive_nas")["space"], _CLASSES)
    before = supernet.get_weights()
    with pytest.raises(bignas.UsageError, match=message):
        weights.assign(supernet, _changed(state, kind), "file")
    for one, other in zip(before, supernet.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "key",
    [
        "module.blocks.3.mobile_inverted_conv.depth_conv.conv.conv.weight",
        "blocks.3.conv.depth_conv.conv.conv.weight",
        "blocks.3.mobile_inverted_conv.depth_conv.conv.weight",
    ],
)
def test_names_of_every_version_of_the_code_are_known(key: str) -> None:
    state, _ = weights.state_of({key: np.zeros(1)}, "file")
    assert list(state) == ["blocks.3.conv.depth_conv.conv.weight"]


@pytest.mark.parametrize(
    ("key", "canonical"),
    [
        ("first_conv.bn.running_mean", "first_conv.bn.running_mean"),
        ("first_conv.bn.bn.running_mean", "first_conv.bn.running_mean"),
        ("classifier.linear.linear.bias", "classifier.linear.bias"),
        ("last_conv.feature_mix_layer.conv.conv.weight", "feature_mix_layer.conv.weight"),
        ("blocks.1.conv.depth_conv.conv.7to5_matrix", "blocks.1.conv.depth_conv.conv.7to5_matrix"),
    ],
)
def test_each_tensor_has_one_name(key: str, canonical: str) -> None:
    assert naming.canonical(key) == canonical


def test_a_tensor_with_two_names_is_refused() -> None:
    twice = {"module.a": np.zeros(1), "a": np.zeros(1)}
    with pytest.raises(bignas.UsageError, match="file holds 'a' twice, by two names"):
        weights.state_of(twice, "file")


@pytest.mark.parametrize("content", [[1, 2], {"state_dict": {"a": 1}}, None])
def test_a_file_without_a_state_dictionary_is_refused(content: Any) -> None:
    with pytest.raises(bignas.UsageError, match="file holds no state dictionary"):
        weights.state_of(content, "file")


def test_a_damaged_origin_is_named(tmp_path: pathlib.Path) -> None:
    (tmp_path / origin.FILE).write_text(json.dumps({"supernet": 3}))
    with pytest.raises(
        bignas.UsageError, match=r"origin\.json is damaged, or .* writes: supernet is 3"
    ):
        origin.read(str(tmp_path))


def test_the_tool_offers_every_source() -> None:
    assert set(tool.flags.FLAGS["from"].parser.enum_values) == set(SOURCES)


def test_every_source_has_an_experiment_of_its_space() -> None:
    for name, source in SOURCES.items():
        config = bignas.configure("bignas_imagenet", [source.experiment], show=None)
        space = presets.get(config.task.model.search_space)
        assert space.name == {"alphanet": "attentive_nas"}.get(name, name)
        for child in config.task.evaluation.children:
            presets.child(space, child)
