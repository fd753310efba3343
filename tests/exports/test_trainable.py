"""The weights in an export give the features of the child that was exported, at any size."""

from __future__ import annotations

import json
import pathlib

import numpy as np
import pytest
import tf_keras

from bignas_tf import errors
from bignas_tf.exports import trainable, versions
from bignas_tf.modeling import child as child_lib
from bignas_tf.search_space import presets
from bignas_tf.search_space.space import SearchSpace
from tests.exports import stored
from tests.modeling import helpers
from tests.search_space import spaces


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> stored.Stored:
    return stored.child_in(tmp_path_factory.mktemp("tiny") / "1")


@pytest.mark.parametrize("space", [spaces.tiny(), spaces.attentive(), spaces.mobile()])
def test_the_last_features_are_what_the_head_of_the_child_reads(
    space: SearchSpace, tmp_path: pathlib.Path
) -> None:
    made = stored.child_in(tmp_path / "1", space)
    side = made.architecture.resolution
    features = trainable.backbone(made.folder, side, side)
    images = helpers.images_for(side)
    whole = tf_keras.Model(made.child.input, made.child.get_layer("head_conv").input)
    *_, last = features(images).values()
    np.testing.assert_array_equal(last, whole(images))
    assert features.trainable_weights


def test_there_is_a_level_for_each_stride_of_4_and_more(tmp_path: pathlib.Path) -> None:
    """`bignas_large` has the strides 2, 4, 8, 16 and 32."""
    made = stored.child_in(tmp_path / "1", presets.bignas_large())
    outputs = trainable.read(made.folder).features(160, 96).output
    smallest = {"2": 12, "3": 24, "4": 40, "5": 112}
    assert {level: tuple(x.shape) for level, x in outputs.items()} == {
        level: (None, 160 >> int(level), 96 >> int(level), width)
        for level, width in smallest.items()
    }


def test_images_of_any_size_have_features(tiny: stored.Stored) -> None:
    features = trainable.backbone(tiny.folder)
    assert features(helpers.images_for(20))["2"].shape == (helpers.BATCH, 5, 5, 8)
    fixed = trainable.backbone(tiny.folder, 20, 20)
    np.testing.assert_allclose(
        features(helpers.images_for(20))["2"], fixed(helpers.images_for(20))["2"], rtol=1e-5
    )


def test_skips_whose_padding_depends_on_the_size_need_it(tmp_path: pathlib.Path) -> None:
    made = stored.child_in(tmp_path / "1", spaces.attentive())
    with pytest.raises(errors.UsageError, match="needs images of a fixed size; give the height"):
        trainable.backbone(made.folder)
    with pytest.raises(errors.UsageError, match=r"^width is 7.5; it takes a whole number from 1"):
        trainable.backbone(made.folder, 24, 7.5)
    # An odd height and an even width, which are padded apart: 21 and 24 become 11 and 12, 6 and 6.
    assert trainable.backbone(made.folder, 21, 24).output_shape["2"][1:3] == (6, 6)


def test_a_child_without_a_stride_of_4_is_refused(tmp_path: pathlib.Path) -> None:
    made = stored.child_in(tmp_path / "1", spaces.countable())
    with pytest.raises(errors.UsageError, match="stride of a child of 'countable' is 1; features"):
        trainable.backbone(made.folder)


def test_weights_and_batch_norms_are_those_of_the_child(tiny: stored.Stored) -> None:
    copy = child_lib.build_child(tiny.space, tiny.architecture, helpers.CLASSES)
    trainable.read(tiny.folder).load_into(copy)
    for ours, theirs in zip(copy.get_weights(), tiny.child.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_whole_child_is_the_one_that_was_exported(tiny: stored.Stored) -> None:
    found = trainable.read(tiny.folder)
    side = tiny.architecture.resolution
    images = np.random.default_rng(1).uniform(-1, 1, (2, side, side, 3)).astype(np.float32)
    expected = tiny.child(images, training=False).numpy()
    np.testing.assert_array_equal(found.model(helpers.CLASSES)(images).numpy(), expected)
    with pytest.raises(errors.UsageError, match=r"does not fit child\.json beside it"):
        found.model(helpers.CLASSES + 1)


def test_an_older_export_says_what_to_do(tmp_path: pathlib.Path) -> None:
    made = stored.child_in(tmp_path / "1")
    with pytest.raises(errors.UsageError, match="is not the folder of an exported version"):
        trainable.read(tmp_path)
    (made.folder / trainable.WEIGHTS_FILE).rename(made.folder / "other")
    with pytest.raises(errors.UsageError, match=r"before exports had trainable weights.*again"):
        trainable.read(made.folder)


def test_another_architecture_and_damage_are_refused(tmp_path: pathlib.Path) -> None:
    made = stored.child_in(tmp_path / "1")
    path = made.folder / versions.CHILD_FILE
    card = json.loads(path.read_text())
    for field, value, problem in [
        ("architecture", made.space.biggest().to_json(), "does not fit child.json beside it"),
        ("architecture", {}, "is damaged, or not what tools.export writes"),
        ("search_space", {"name": "x"}, "is damaged, or not what tools.export writes"),
        ("input", {}, "is damaged, or not what tools.export writes"),
    ]:
        path.write_text(json.dumps(card | {field: value}))
        with pytest.raises(errors.UsageError, match=problem):
            trainable.backbone(made.folder)
    path.write_text(json.dumps(card))
    weights = made.folder / trainable.WEIGHTS_FILE
    content = bytearray(weights.read_bytes())
    content[content.index(made.child.get_weights()[0].tobytes())] ^= 1
    weights.write_bytes(content)
    with pytest.raises(errors.UsageError, match="cannot be read"):
        trainable.backbone(made.folder)
