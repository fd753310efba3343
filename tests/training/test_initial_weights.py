"""A run that starts from the weights of another: what is taken over, and what is refused."""

from __future__ import annotations

import gc
import pathlib
import shutil
import weakref
from collections.abc import Callable

import numpy as np
import pytest
from official.core import config_definitions as cfg

from bignas_tf import errors
from bignas_tf.modeling.supernet import Supernet
from bignas_tf.search_space import presets
from bignas_tf.training import checkpoints, initial_weights, models, run_files, trainer, writer
from bignas_tf.training.task import BigNASTask
from tests.data import samples
from tests.modeling import replicas
from tests.training import processes, runs, starts
from tests.training.starts import FAST

pytestmark = pytest.mark.slow

ONE_STEP = "trainer.train_steps=1,trainer.steps_per_loop=1,trainer.summary_interval=1,"

EMA = "trainer.optimizer_config.ema.average_decay=0.75,"
VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
CLASSIFIER = ("model/classifier/kernel", "model/classifier/bias")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Holds the runs "plain" and "averaged" on the ten digits."""
    folder = tmp_path_factory.mktemp("runs")
    runs.train(runs.parse(folder, FAST), folder / "plain")
    runs.train(runs.parse(folder, FAST + EMA), folder / "averaged")
    return folder


def test_all_weights_are_taken_over_where_the_classes_are_as_many(folder: pathlib.Path) -> None:
    config = runs.parse(folder, f"{FAST}task.init_checkpoint={folder / 'plain'}")
    started = starts.started(config, runs.on_one_cpu())
    other = checkpoints.load_run(str(folder / "plain"))
    assert starts.equal(starts.weights(started.model), starts.weights(other.supernet))
    fresh = trainer.SupernetTrainer(config, BigNASTask(config.task))
    assert not starts.equal(starts.weights(started.model, True), starts.weights(fresh.model, True))
    assert int(started.optimizer.iterations) == int(started.global_step) == 0


def test_averages_are_taken_over_and_the_new_averages_start_from_them(
    folder: pathlib.Path,
) -> None:
    config = runs.parse(folder, f"{FAST}{EMA}task.init_checkpoint={folder / 'averaged'}")
    started = starts.started(config, runs.on_one_cpu())
    saved = runs.tensors(str(folder / "averaged" / "ckpt-6"))
    end = "/.OPTIMIZER_SLOT/optimizer/average" + VALUE
    kernel = started.model.classifier.kernel
    np.testing.assert_array_equal(kernel, saved[CLASSIFIER[0] + end])
    assert not np.array_equal(kernel, saved[CLASSIFIER[0] + VALUE])
    started.refresh_evaluated()
    assert starts.equal(starts.weights(started.evaluated), starts.weights(started.model))


def test_the_classifier_is_new_where_the_classes_are_not_as_many(
    folder: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(folder / "space.yaml", tmp_path)
    config = starts.photos(tmp_path, folder / "plain")
    started = starts.started(config, runs.on_one_cpu())
    other = checkpoints.load_run(str(folder / "plain"))
    assert starts.equal(starts.weights(started.model, True), starts.weights(other.supernet, True))
    fresh = trainer.SupernetTrainer(config, BigNASTask(config.task))
    np.testing.assert_array_equal(started.model.classifier.kernel, fresh.model.classifier.kernel)

    runs.train(config, tmp_path / "run")
    first, *rest, _ = capsys.readouterr().out.splitlines()
    assert first == (
        f"starting from the weights of {folder}/plain/ckpt-6 (step 6), except the classifier, "
        "which is new: 4 classes here, 10 there; the optimiser and the learning rate start from "
        "the beginning"
    )
    assert [line.split("  ")[0] for line in rest] == ["step 3/6", "step 6/6"]


def test_the_classifier_is_new_where_as_many_classes_have_other_names(
    folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    shutil.copy(folder / "space.yaml", tmp_path)
    config = starts.photos(tmp_path, folder / "plain")
    space = presets.get(config.task.model.search_space)
    photos = tmp_path / "run"
    supernet = models.build_supernet(config.task, space)
    run_files.save(supernet, 0, config, space, str(photos))
    config.task.init_checkpoint = str(photos)
    same = starts.started(config, runs.on_one_cpu())
    assert starts.equal(starts.weights(same.model), starts.weights(supernet))
    assert "with the classifier, as both runs have 4 classes" in _summary(config)

    root = pathlib.Path(config.task.train_data.input_path)
    moved = shutil.copytree(root, tmp_path / "moved")
    for path in list(moved.glob("*/*")):
        path.rename(path.with_name(f"new_{path.name}"))
    config.task.train_data.input_path = str(moved)
    other = starts.started(config, runs.on_one_cpu())
    assert starts.equal(starts.weights(other.model, True), starts.weights(supernet, True))
    assert not starts.equal(starts.weights(other.model), starts.weights(supernet))
    name = sorted(path.name for path in root.glob("*/*"))[0]
    expected = f"except the classifier, which is new: class 0 is 'new_{name}' here, '{name}' there"
    assert expected in _summary(config)

    shutil.rmtree(root)  # as many classes, and nothing more is known of them
    assert "with the classifier" in _summary(config)


def _summary(config: cfg.ExperimentConfig) -> str:
    space = presets.get(config.task.model.search_space)
    return initial_weights.summary(initial_weights.start(config.task, space, runs.on_one_cpu()))


def test_a_resumed_run_is_bit_equal_and_no_longer_needs_the_other(
    folder: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(folder / "space.yaml", tmp_path)
    other = shutil.copytree(folder / "averaged", tmp_path / "other")
    settings = f"{FAST}{EMA}task.init_checkpoint={other},"
    at_once = runs.train(runs.parse(tmp_path, settings), tmp_path / "at_once")
    runs.train(runs.parse(tmp_path, settings + "trainer.train_steps=3"), tmp_path / "resumed")
    shutil.rmtree(other)
    capsys.readouterr()
    resumed = runs.train(runs.parse(tmp_path, settings), tmp_path / "resumed")
    assert "starting from" not in capsys.readouterr().out
    assert [name for name in at_once if not np.array_equal(at_once[name], resumed[name])] == []


def test_what_it_started_from_is_not_kept_in_memory(
    folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    shutil.copy(folder / "space.yaml", tmp_path)
    settings = f"{FAST}trainer.validation_interval=3,task.init_checkpoint={folder / 'plain'}"
    before, others = weakref.WeakSet(_supernets()), list[int]()

    def evaluation(net: Supernet) -> Callable[[], dict[str, float]]:
        def count() -> dict[str, float]:
            others.append(sum(each is not net and each not in before for each in _supernets()))
            return {"smallest": 0.5}

        return count

    config = runs.parse(tmp_path, settings)
    trainer.train(config, str(tmp_path / "run"), runs.on_one_cpu(), evaluation)
    assert others == [0, 0]


def _supernets() -> list[Supernet]:
    gc.collect()
    return [each for each in gc.get_objects() if type(each) is Supernet]


def test_workers_that_see_other_class_names_do_as_the_chief_does(
    folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """The other worker finds no names for the classes of the run that both start from."""
    shutil.copy(folder / "space.yaml", tmp_path)
    root = samples.write_folder(tmp_path / "photos")
    settings = (
        f"{FAST}{ONE_STEP}{starts.of_photos(root)}task.train_data.tfds_split='train[:8]',"
        "task.selection.calibration_split='train[:8]',task.selection.ranking_split='train[8:10]',"
        "task.selection.reporting_split='train[10:]',"
    )
    config = runs.parse(tmp_path, settings)
    images, supernet = config.task.train_data, runs.supernet_of(config)
    renamed = shutil.copytree(root, tmp_path / "renamed")
    for path in list(renamed.glob("*/*")):
        path.rename(path.with_name(f"new_{path.name}"))
    for start, seen in (("one", renamed), ("two", tmp_path / "gone")):
        images.input_path = str(seen)
        run_files.save(supernet, 0, config, supernet.space, str(tmp_path / start))

    settings += f"task.init_checkpoint={tmp_path}/"
    runs.train(runs.parse(tmp_path, settings + "one"), tmp_path / "alone")
    hosts = processes.free_hosts(2)
    settings = f"runtime.distribution_strategy=multi_worker_mirrored,{settings}"
    together = tmp_path / "together"
    with (
        processes.training(tmp_path, together, settings + "one", hosts, 0) as chief,
        processes.training(tmp_path, together, settings + "two", hosts, 1) as other,
    ):
        for worker in (chief, other):
            code, stderr = worker.end()
            assert code == 0, stderr
    assert "except the classifier, which is new: class 0 is" in chief.lines[0]
    losses = [runs.summaries(each / "train") for each in (together, tmp_path / "alone")]
    key = "loss_biggest", 1
    assert losses[0][key] == pytest.approx(losses[1][key], rel=1e-5)


def test_two_replicas_start_from_the_same_weights(
    folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    shutil.copy(folder / "space.yaml", tmp_path)
    config = runs.parse(tmp_path, f"{FAST}{EMA}task.init_checkpoint={folder / 'averaged'}")
    started = starts.started(config, replicas.two_cpus())
    other = checkpoints.load_run(str(folder / "averaged")).supernet
    for ours, theirs in zip(
        started.model.trainable_variables, other.trainable_variables, strict=True
    ):
        average = started.optimizer.get_slot(ours, "average")
        for variable in (ours, average):
            parts = started.strategy.experimental_local_results(variable)
            assert len(parts) == 2
            assert all(np.array_equal(part, theirs) for part in parts)


def _damaged(folder: pathlib.Path, how: str, target: pathlib.Path) -> tuple[pathlib.Path, str]:
    """A run that cannot be started from, and what must be said of it."""
    if how == "nothing":
        return target / "nothing", "is not the folder of a training run: no params.yaml"
    other = shutil.copytree(folder / "plain", target / "other")
    if how == "no_checkpoint":
        (other / "checkpoint").unlink()
        return other, "checkpoint is missing, but beside it are .*ckpt-6"
    data = next(other.glob("ckpt-6.data*"))
    data.write_bytes(data.read_bytes()[:100])
    return other, r"ckpt-6 (is corrupt|cannot be restored)"


@pytest.mark.parametrize("how", ["nothing", "no_checkpoint", "cut"])
def test_a_run_that_cannot_be_read_is_refused_before_anything_is_written(
    folder: pathlib.Path, tmp_path: pathlib.Path, how: str
) -> None:
    shutil.copy(folder / "space.yaml", tmp_path)
    other, expected = _damaged(folder, how, tmp_path)
    config = runs.parse(tmp_path, f"{FAST}task.init_checkpoint={other}")
    with pytest.raises(errors.UsageError, match=rf"^task\.init_checkpoint: .*{expected}"):
        trainer.train(config, str(tmp_path / "run"), runs.on_one_cpu())
    assert [path.name for path in (tmp_path / "run").iterdir()] == [writer.LOCK_FILE]


def test_another_space_is_refused(folder: pathlib.Path, tmp_path: pathlib.Path) -> None:
    runs.space_file(tmp_path, name="narrow", stages=runs.ONE_BLOCK, head_widths=[16, 20])
    config = runs.parse(tmp_path, f"{FAST}task.init_checkpoint={folder / 'plain'}")
    expected = (
        r"\('test'\) than 'narrow': head_conv_width was 24, is now 20; set task.model.search_space"
    )
    with pytest.raises(errors.UsageError, match=expected):
        trainer.train(config, str(tmp_path / "run"), runs.on_one_cpu())


def test_a_space_of_the_same_weights_may_have_other_resolutions(
    folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    runs.space_file(
        tmp_path, name="finer", stages=runs.ONE_BLOCK, eval_resolutions=[8, 10, 12, 14, 16]
    )
    config = runs.parse(tmp_path, f"{FAST}task.init_checkpoint={folder / 'plain'}")
    started = starts.started(config, runs.on_one_cpu())
    run = checkpoints.load_run(str(folder / "plain"))
    assert started.model.space.fingerprint() != run.space.fingerprint()
    assert starts.equal(starts.weights(started.model), starts.weights(run.supernet))


def test_a_supernet_grows_from_fewer_choices_to_more(
    folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """As by Once-for-all: the biggest network is the same, and so is what it answers."""
    narrow = [{name: _most(value) for name, value in stage.items()} for stage in runs.ONE_BLOCK]
    runs.space_file(tmp_path, name="biggest alone", stages=narrow, head_widths=[24])
    config = runs.parse(tmp_path, f"{FAST}task.init_checkpoint={folder / 'plain'}")
    started = starts.started(config, runs.on_one_cpu())
    run = checkpoints.load_run(str(folder / "plain"))
    assert started.model.space.count_architectures() < run.space.count_architectures()
    images = np.random.default_rng(0).uniform(-1, 1, [4, 16, 16, 1]).astype(np.float32)
    both = (each(images, each.space.biggest()) for each in (started.model, run.supernet))
    np.testing.assert_array_equal(*both)


def _most(value: object) -> object:
    return value[-1:] if isinstance(value, list) else value


def test_other_channels_are_refused(folder: pathlib.Path, tmp_path: pathlib.Path) -> None:
    shutil.copy(folder / "space.yaml", tmp_path)
    config = starts.photos(tmp_path, folder / "plain", channels=3)
    with pytest.raises(errors.UsageError, match=r"channels=1; here it is 3"):
        trainer.train(config, str(tmp_path / "run"), runs.on_one_cpu())
