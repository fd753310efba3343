"""Whole runs: resuming, refusing, stopping, reloading."""

from __future__ import annotations

import json
import os
import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf
import yaml

from bignas_tf import errors
from bignas_tf.data import identity
from bignas_tf.search_space import presets
from bignas_tf.training import checkpoints, learnt, run_files, trainer
from bignas_tf.training.progress import Progress
from bignas_tf.training.task import BigNASTask
from tests.data import samples
from tests.training import runs

pytestmark = pytest.mark.slow

ALONE = "task.sandwich.smallest=false,task.sandwich.num_random=0,"
EAGER = f"{ALONE}{runs.EAGER}"
EACH_STEP = "trainer.steps_per_loop=1,trainer.checkpoint_interval=1,"
ONE_STEP = f"{EAGER}{EACH_STEP}trainer.train_steps=1"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A finished run of one step, in the folder "run"."""
    folder = tmp_path_factory.mktemp("trained")
    runs.train(runs.parse(folder, ONE_STEP), folder / "run")
    return folder


def test_a_run_can_be_loaded(trained: pathlib.Path) -> None:
    run = checkpoints.load_run(str(trained / "run"))
    expected = runs.parse(trained, ONE_STEP)
    assert json.dumps(run.config.as_dict()) == json.dumps(expected.as_dict())  # YAML has no tuples
    assert run.images == identity.read(expected.task.train_data)
    assert (run.step, run.space) == (1, presets.get(str(trained / "space.yaml")))
    saved = runs.tensors(run.checkpoint)
    again = runs.tensors(tf.train.Checkpoint(model=run.supernet).write(str(trained / "again")))
    assert len(again) > 20
    assert all(np.array_equal(value, saved[name]) for name, value in again.items())


def test_a_checkpoint_of_another_space_is_refused(
    trained: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    runs.space_file(tmp_path, head_widths=[16, 20])
    config = runs.parse(tmp_path)
    files = sorted(os.listdir(trained / "run"))
    params = (trained / "run" / "params.yaml").read_bytes()
    with pytest.raises(errors.UsageError, match=r"ckpt-1 was trained in another search space"):
        trainer.train(config, str(trained / "run"), runs.on_one_cpu())
    assert sorted(os.listdir(trained / "run")) == files
    assert (trained / "run" / "params.yaml").read_bytes() == params


def test_a_finished_run_stays_as_it_is(
    trained: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = runs.tensors(str(trained / "run" / "ckpt-1"))
    after = runs.train(runs.parse(trained, ONE_STEP), trained / "run")
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert capsys.readouterr().out.splitlines() == [
        f"resuming from {trained}/run/ckpt-1",
        f"checkpoint: {trained}/run/ckpt-1, step 1 of 1",
    ]


def test_a_kill_while_a_run_resumes_leaves_what_it_learnt_from(
    trained: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(trained / "run", folder)
    before = learnt.read(str(folder))
    assert before

    def killed(*given: object) -> None:
        raise SystemExit

    for moment in ((run_files, "describe"), (learnt, "save")):
        config = runs.parse(trained, ONE_STEP)
        with monkeypatch.context() as patches:
            patches.setattr(*moment, killed)
            with pytest.raises(SystemExit):
                runs.train(config, folder)
        assert learnt.read(str(folder)) == before


def test_a_run_whose_list_of_checkpoints_is_lost_does_not_start_again(
    trained: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    folder = shutil.copytree(trained / "run", tmp_path / "run")
    (folder / "checkpoint").unlink()
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    with pytest.raises(errors.UsageError, match=r"checkpoint is missing, .*: \"ckpt-1\"'; to"):
        trainer.train(runs.parse(trained, ONE_STEP), str(folder), runs.on_one_cpu())
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


@pytest.mark.parametrize("damage", ["cut", "missing"])
def test_a_damaged_checkpoint_is_named_and_an_older_one_can_be_taken(
    trained: pathlib.Path, tmp_path: pathlib.Path, damage: str
) -> None:
    config = runs.parse(trained, f"{ONE_STEP},trainer.train_steps=2")
    folder = tmp_path / "run"
    shutil.copytree(trained / "run", folder)
    for path in folder.glob("ckpt-1.*"):
        shutil.copy(path, path.with_name(path.name.replace("ckpt-1", "ckpt-9")))
    state = (folder / "checkpoint").read_text()
    (folder / "checkpoint").write_text(state.replace("ckpt-1", "ckpt-9"))
    data = next(folder.glob("ckpt-9.data*"))
    if damage == "cut":
        data.write_bytes(data.read_bytes()[: data.stat().st_size // 2])
    else:
        data.unlink()
        (folder / "ckpt-9.index").unlink()
    with pytest.raises(errors.UsageError) as caught:
        trainer.train(config, str(folder), runs.on_one_cpu())
    if damage == "cut":
        assert f"checkpoint {folder}/ckpt-9 cannot be restored: " in str(caught.value)
        assert str(caught.value).endswith(f"as model_checkpoint_path in {folder}/checkpoint")
    else:
        assert f"{folder}/checkpoint names ckpt-9, which does not exist" in str(caught.value)
    (folder / "checkpoint").write_text(state)
    runs.train(config, folder)
    assert tf.train.latest_checkpoint(str(folder)).endswith("ckpt-2")


@pytest.mark.parametrize(
    "damage",
    [
        "no_params", "bad_params", "no_checkpoint", "cut_checkpoint", "empty_params",
        "classes: x", "classes: -1", "classes: 1267650600228229401496703205376", "execution: fast",
        "data: 5", "batch: 0",
    ],
)  # fmt: skip
def test_a_damaged_run_is_refused(
    trained: pathlib.Path, tmp_path: pathlib.Path, damage: str
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    for path in (trained / "run").iterdir():
        if path.is_file():
            (folder / path.name).write_bytes(path.read_bytes())
    expected = _damage(folder, damage)
    with pytest.raises(errors.UsageError, match=expected):
        checkpoints.load_run(str(folder))


def _damage(folder: pathlib.Path, how: str) -> str:
    """Damages a run; returns what must be said of it."""
    if how == "no_params":
        (folder / "params.yaml").unlink()
        return "not the folder of a training run"
    if how == "bad_params":
        (folder / "params.yaml").write_text("task: {sandwitch: 1}\n")
        return "not a run's configuration"
    if how == "empty_params":
        (folder / "params.yaml").write_text("")
        return "not a run's configuration: the whole is None; expected dict"
    if ": " in how:
        return _damage_params(folder / "params.yaml", *how.split(": "))
    if how == "no_checkpoint":
        (folder / "checkpoint").unlink()
        return "checkpoint is missing, but beside it are ckpt-1;"
    data = next(folder.glob("ckpt-1.data*"))
    data.write_bytes(data.read_bytes()[:100])
    return "ckpt-1 (is corrupt|cannot be restored)"


def _damage_params(path: pathlib.Path, field: str, text: str) -> str:
    """Gives a field of a run's configuration another value; returns what must be said of it."""
    values = yaml.safe_load(path.read_text())
    task, value = values["task"], yaml.safe_load(text)
    group, name = {
        "classes": (task["train_data"], "num_classes"),
        "execution": (task["model"], "execution"),
        "batch": (task["selection"], "batch_size"),
        "data": (task, "train_data"),
    }[field]
    group[name] = value
    path.write_text(yaml.safe_dump(values))
    return f"not a run's configuration: .*{name} is {value!r}; (it |choose |expected )"


def test_an_image_that_cannot_be_read_is_named(tmp_path: pathlib.Path) -> None:
    root = samples.write_folder(tmp_path / "photos")
    (broken,) = root.glob("train/*/6.jpg")
    broken.write_bytes(broken.read_bytes()[:300])
    config = runs.parse(
        tmp_path,
        f"{ALONE}{EACH_STEP}trainer.train_steps=4,task.train_data.source=folder,"
        f"task.train_data.input_path={root},task.train_data.channels=3,"
        f"task.train_data.num_classes={samples.CLASSES},task.train_data.global_batch_size=4",
    )
    with pytest.raises(errors.UsageError, match=r"6\.jpg cannot be read; .* remove it"):
        trainer.train(config, str(tmp_path / "run"), runs.on_one_cpu())


def test_a_loss_that_is_not_finite_stops_the_run(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    optimiser = "trainer.optimizer_config."
    config = runs.parse(
        tmp_path,
        f"{ALONE}{EACH_STEP}trainer.train_steps=8,{optimiser}warmup.type=null,"
        f"{optimiser}learning_rate.constant_ending.initial_learning_rate=1.0e+30",
    )
    folder = tmp_path / "run"
    with pytest.raises(errors.RunError) as caught:
        trainer.train(config, str(folder), runs.on_one_cpu())
    first, *lines = capsys.readouterr().out.splitlines()
    assert first == trainer.BUILDING
    step = len(lines) + 1
    assert 1 < step <= 8
    assert f"not finite at step {step}:" in str(caught.value)
    good = tf.train.latest_checkpoint(str(folder))
    assert good.endswith(f"ckpt-{step - 1}")
    assert f"last good checkpoint: {good};" in str(caught.value)


def test_a_weight_that_is_not_finite_stops_the_run_before_it_shows_in_a_loss(
    tmp_path: pathlib.Path,
) -> None:
    config = runs.parse(tmp_path, EAGER)
    run = trainer.SupernetTrainer(config, BigNASTask(config.task))
    progress = Progress(run, str(tmp_path))
    logs = dict.fromkeys(("training_loss", "loss_biggest", "learning_rate"), 1.0)
    logs |= {"steps_per_second": 1.0, "images_per_second": 8.0}
    progress(logs)
    run.model.classifier.bias[3].assign(np.nan)
    with pytest.raises(errors.RunError, match=r"a weight is not finite at step 0: .*biggest"):
        progress(logs)


def test_settings_of_an_optimiser_that_exclude_each_other_are_refused(
    tmp_path: pathlib.Path,
) -> None:
    clipping = ("clipnorm=1.0", "global_clipnorm=1.0")
    overrides = ",".join(f"trainer.optimizer_config.optimizer.rmsprop.{each}" for each in clipping)
    config = runs.parse(tmp_path, f"{EAGER}{overrides}")
    with pytest.raises(errors.UsageError, match=r"optimizer_config cannot be used: .*clipnorm"):
        trainer.train(config, str(tmp_path / "run"), runs.on_one_cpu())


def test_what_is_wrong_with_the_trainer_is_told_in_a_line(tmp_path: pathlib.Path) -> None:
    config = runs.parse(tmp_path, f"{EAGER}task.images_at_once=3")
    with pytest.raises(errors.UsageError, match=r"images_at_once is 3, but") as caught:
        trainer.train(config, str(tmp_path / "run"), runs.on_one_cpu())
    assert "\n" not in str(caught.value)


def test_losses_that_explode_stop_the_run(tmp_path: pathlib.Path) -> None:
    # A random guess among ten classes: log(10) is 2.3.
    config = runs.parse(tmp_path, f"{EAGER}trainer.loss_upper_bound=1.0")
    expected = r"exceed trainer.loss_upper_bound \(1\) at step 3: .*none was saved; lower the"
    with pytest.raises(errors.RunError, match=expected):
        trainer.train(config, str(tmp_path / "run"), runs.on_one_cpu())


def test_a_full_disk_is_told_in_a_line(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "orbit.log").symlink_to("/dev/full")
    config = runs.parse(tmp_path, f"{EAGER}trainer.train_steps=3")
    words = (
        r"no room for a file: .*orbit.log; No space left .*; make room; last .*ckpt-3, from which"
    )
    with pytest.raises(errors.RunError, match=words):
        trainer.train(config, str(folder), runs.on_one_cpu())
