"""The Model Garden trains, evaluates and exports on a child, and the export answers."""

from __future__ import annotations

import pathlib

import grpc
import numpy as np
import pytest
import tensorflow as tf
from official.core import config_definitions as cfg
from official.core import task_factory
from official.vision.evaluation import coco_utils
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

import bignas_tf as bignas
from bignas_tf import errors, files
from bignas_tf.garden import tasks
from experiments import scenes
from tests.data import samples
from tests.exports import stored
from tests.tools import servers

RETINANET, DEEPLAB = "experiments/scenes_retinanet.yaml", "experiments/scenes_deeplab.yaml"
SIDE = 32
AVERAGED = "trainer.optimizer_config.ema.average_decay=0.5"
# Steps without tracing take a fraction of the time that tracing one takes.
TINY = (
    "task.model.input_size=[32,32,3],task.train_data.output_size=[32,32],"
    "task.validation_data.output_size=[32,32],task.model.decoder.type=identity,"
    "task.model.head.level=2,task.model.head.num_filters=4,task.model.head.num_convs=1,"
    "task.model.head.feature_fusion=null,"
    "task.train_data.global_batch_size=2,task.validation_data.global_batch_size=2,"
    "trainer.train_steps=1,trainer.steps_per_loop=1,"
    "trainer.train_tf_while_loop=false,trainer.train_tf_function=false,"
    "trainer.eval_tf_function=false"
)


@pytest.fixture(scope="module")
def child(tmp_path_factory: pytest.TempPathFactory) -> stored.Stored:
    return stored.child_in(tmp_path_factory.mktemp("child") / "1")


def _on(child: stored.Stored) -> str:
    return f"task.model.backbone.bignas_child.export_dir={child.folder}"


def _scenes(folder: pathlib.Path) -> str:
    """The overrides that name two scenes."""
    garments = np.full([1, 10, 10], 200, np.uint8)
    path = folder / "scenes.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for number in range(2):
            scene = scenes.draw(garments, np.zeros(1, int), 48, np.random.default_rng(number))
            writer.write(scenes.example(scene, number))
    return f"task.train_data.input_path={path},task.validation_data.input_path={path}"


def _segmenter(child: stored.Stored, folder: pathlib.Path, *more: str) -> cfg.ExperimentConfig:
    """A tiny one on two scenes."""
    given = ",".join([TINY, _scenes(folder), _on(child), *more])
    return bignas.configure_garden("semantic_segmentation_bignas", [DEEPLAB], given)


@pytest.mark.slow
def test_a_segmenter_on_a_child_is_trained_exported_and_served(
    child: stored.Stored, tmp_path: pathlib.Path
) -> None:
    config = _segmenter(child, tmp_path, AVERAGED)
    metrics = bignas.train_garden(config, tmp_path / "run")
    assert 0 <= metrics["mean_iou"] <= 1
    assert bignas.train_garden(config, tmp_path / "run") == metrics  # nothing is left to train
    listed = (tmp_path / "run" / "checkpoint").rename(tmp_path / "checkpoint")
    with pytest.raises(errors.UsageError, match=r"checkpoint is missing, but beside it are ckpt-"):
        bignas.train_garden(config, tmp_path / "run")
    listed.rename(tmp_path / "run" / "checkpoint")
    written = [tmp_path / "run" / "params.yaml"]
    again = bignas.configure_garden("semantic_segmentation_bignas", written)
    assert again.task.model.as_dict() == config.task.model.as_dict()
    described = written[0].read_text()
    for change, words in (
        ("task.model.head.num_filters=6", "head.num_filters was 4 in the run in .* and is now 6"),
        ("trainer.train_steps=0", "train_steps is 0, but the run in .* is at step 1"),
    ):
        with pytest.raises(errors.UsageError, match=words):
            bignas.train_garden(_segmenter(child, tmp_path, AVERAGED, change), tmp_path / "run")
    assert written[0].read_text() == described
    other = _segmenter(child, tmp_path, AVERAGED, "task.model.head.num_convs=2")
    with pytest.raises(errors.UsageError, match=r"num_convs was 1 .*, which its weights are not"):
        bignas.export_garden(other, tmp_path / "run", tmp_path / "served")
    # Whose weights it started from, the training knows best.
    again.task.model.backbone.bignas_child.pretrained = False
    version = bignas.export_garden(again, tmp_path / "run", tmp_path / "served")
    assert version == tmp_path / "served" / "1"
    assert files.read_json(version / "backbone.json") == files.read_json(
        child.folder / "child.json"
    )
    # The metrics are those of the averages, and so must the weights be.
    exported = _classifier(str(version / "variables" / "variables"))
    averages = tf.train.latest_checkpoint(str(tmp_path / "run" / "ema_checkpoints"))
    np.testing.assert_array_equal(exported, _classifier(averages))
    weights = tf.train.latest_checkpoint(str(tmp_path / "run"))
    assert not np.array_equal(exported, _classifier(weights))
    server = servers.StandIn({"child": version})
    try:
        answer = _ask(server.grpc, np.zeros([1, 40, 30, 3], np.uint8))
    finally:
        server.close()
    assert answer["logits"].shape == (1, SIDE, SIDE, 11)


def _ask(address: str, images: np.ndarray) -> dict[str, np.ndarray]:
    """As docs/detection.md does."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "child"
    request.model_spec.signature_name = "serving_default"
    request.inputs["inputs"].CopyFrom(tf.make_tensor_proto(images))
    with grpc.insecure_channel(address) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        outputs = stub.Predict(request, timeout=servers.TIMEOUT_S).outputs
    return {name: tf.make_ndarray(tensor) for name, tensor in outputs.items()}


def _classifier(checkpoint: str) -> np.ndarray:
    """The kernel of a segmenter's last layer."""
    reader = tf.train.load_checkpoint(checkpoint)
    shapes = reader.get_variable_to_shape_map()
    (name,) = (n for n in shapes if shapes[n] == [1, 1, 4, 11] and "SLOT" not in n)
    return reader.get_tensor(name)


@pytest.mark.slow
def test_training_alone_needs_no_images_to_validate_on(
    child: stored.Stored, tmp_path: pathlib.Path
) -> None:
    config = _segmenter(child, tmp_path, "task.validation_data.input_path=''", AVERAGED)
    assert bignas.train_garden(config, tmp_path / "run", "train") == {}
    assert (tmp_path / "run" / "checkpoint").exists()
    with pytest.raises(errors.UsageError, match=r"ema_checkpoints holds no averages.*=eval first"):
        bignas.export_garden(config, tmp_path / "run", tmp_path / "served")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wrong", "error", "told"),
    [
        (
            "task.train_data.input_path={}/junk",
            errors.UsageError,
            r"train or evaluate so \(corrupted",
        ),
        (
            "task.validation_data.input_path={}/other",
            errors.UsageError,
            "train or evaluate so .*image",
        ),
        ("task.train_data.output_size=[24,24]", errors.UsageError, "and sizes that agree with the"),
        ("task.losses.loss_weight=.nan", errors.RunError, "^The loss value is NaN after training"),
    ],
)
def test_images_that_do_not_fit_and_a_loss_that_is_lost_are_a_line(
    child: stored.Stored, tmp_path: pathlib.Path, wrong: str, error: type[Exception], told: str
) -> None:
    (tmp_path / "junk").write_bytes(b"no TFRecord, but of some length")
    with tf.io.TFRecordWriter(str(tmp_path / "other")) as writer:  # as classifiers have them
        writer.write(samples.example(tf.io.encode_png(samples.pictures(1)[0]).numpy(), 0))
    config = _segmenter(child, tmp_path, wrong.format(tmp_path))
    with pytest.raises(error, match=told):
        bignas.train_garden(config, tmp_path / "run")


@pytest.mark.slow
@pytest.mark.parametrize("level", ["task.model.head.level=4", "task.model.decoder.aspp.level=4"])
def test_levels_that_the_child_lacks_are_named(
    child: stored.Stored, tmp_path: pathlib.Path, level: str
) -> None:
    config = _segmenter(child, tmp_path, "task.model.decoder.type=aspp", level)
    with pytest.raises(errors.UsageError, match=r"than the child's, whose levels are 2$"):
        bignas.train_garden(config, tmp_path / "run")


@pytest.mark.slow
def test_the_gradient_of_a_retinanet_reaches_the_child(child: stored.Stored) -> None:
    """Its pipeline takes the Garden half a minute to trace, so the images here are random."""
    levels = "task.model.min_level=2,task.model.max_level=2"
    config = bignas.configure_garden("retinanet_bignas", [RETINANET], f"{levels},{_on(child)}")
    model = task_factory.get_task(config.task).build_model()
    with tf.GradientTape() as tape:
        outputs = model(tf.random.normal([1, 64, 64, 3], seed=0), training=True)
        loss = tf.add_n([tf.reduce_mean(x**2) for x in tf.nest.flatten(outputs["cls_outputs"])])
    gradients = tape.gradient(loss, model.backbone.trainable_variables)
    assert all(np.abs(gradient).max() > 0 for gradient in gradients)


def test_coco_counts_the_boxes_of_the_garden_s_parser() -> None:
    """Its counts are arrays of one number, which NumPy no longer converts by `int`."""
    truths = {
        "source_id": tf.constant([5, 6]),
        "height": tf.constant([64, 64]),
        "width": tf.constant([64, 64]),
        "num_detections": tf.constant([[1], [0]]),
        "boxes": tf.constant([[[0.0, 0.0, 8.0, 8.0]]] * 2),
        "classes": tf.constant([[3], [0]]),
    }
    _, labels = tasks.count_by_numbers(tf.zeros([2, 64, 64, 3]), {"groundtruths": truths})
    counted = {name: [value.numpy()] for name, value in labels["groundtruths"].items()}
    found = coco_utils.convert_groundtruths_to_coco_dataset(counted)
    assert [each["category_id"] for each in found["annotations"]] == [3]


def test_an_experiment_on_another_backbone_is_taken() -> None:
    """SpineNet's have rules for the levels of the backbone that a child replaces."""
    config = bignas.configure_garden("retinanet_spinenet_coco")
    assert config.task.model.backbone.type == "bignas_child"


@pytest.mark.parametrize("data", ["train_data", "validation_data"])
def test_pixels_that_the_child_does_not_expect_are_refused(
    child: stored.Stored, tmp_path: pathlib.Path, data: str
) -> None:
    field = f"task.{data}.image_feature.mean"
    config = _segmenter(child, tmp_path, f"{field}=[0.0, 0.0, 0.0]")
    words = rf"{field} is \[0.0, 0.0, 0.0\] and task.*bignas_child.mean \[123.* pipeline normalises"
    with pytest.raises(errors.UsageError, match=words):
        bignas.train_garden(config, tmp_path / "run")
    with pytest.raises(errors.UsageError, match=words):
        bignas.export_garden(config, tmp_path / "run", tmp_path / "served")
    assert not (tmp_path / "run").exists()


def test_mistakes_are_found_before_anything_is_built(tmp_path: pathlib.Path) -> None:
    for wrong, told in (
        ("trainer.steps_per_loop=0", "^trainer.steps_per_loop is 0; it takes 1 or more"),
        (
            "trainer.summary_interval=3,trainer.steps_per_loop=2",
            "^trainer.summary_interval is 3; it",
        ),
        ("task.validation_data.input_path=','", "^task.validation_data.input_path is empty; name"),
        ("task.validation_data.global_batch_size=0", "_data.global_batch_size is 0; it takes 1 or"),
        (
            f"task.validation_data.input_path={tmp_path}/*",
            r"^no TFRecord file matches task\.validation_data\.input_path=.*; give TFRecords of",
        ),
    ):
        config = bignas.configure_garden("retinanet_bignas", [RETINANET], wrong)
        with pytest.raises(errors.UsageError, match=told):
            bignas.train_garden(config, tmp_path / "run")
    with pytest.raises(errors.UsageError, match="mode is 'test'; choose from"):
        bignas.train_garden(config, tmp_path / "run", "test")
    with pytest.raises(errors.UsageError, match="holds no checkpoint; train first"):
        bignas.export_garden(config, tmp_path / "run", tmp_path / "served")
    with pytest.raises(errors.UsageError, match="input_type is 'png'; choose from"):
        bignas.export_garden(config, tmp_path / "run", tmp_path / "served", input_type="png")
    with pytest.raises(errors.UsageError, match=r"unknown key 'task\.modle'; did you mean 'mod"):
        bignas.configure_garden("retinanet_bignas", [], "task.modle.num_classes=3")
    assert not (tmp_path / "run").exists()
