"""What a run may be continued from and with, decided before anything is built or trained."""

from __future__ import annotations

import json
import pathlib
import re

import pytest
import yaml

from bignas_tf import errors
from bignas_tf.search_space import presets
from bignas_tf.training import learnt, listing, models, resuming, run_files
from tests.training import runs

RATE = "trainer.optimizer_config.learning_rate.constant_ending.initial_learning_rate"
OPTIMISER = "trainer.optimizer_config.optimizer"


def _saved(folder: pathlib.Path, *steps: int) -> None:
    for step in steps:
        (folder / f"ckpt-{step}.index").touch()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "is missing"),
        ("", "is empty or not a list"),
        ("\x00 garbage", "is empty or not a list"),
        ('model_checkpoint_path: "ckpt-12"', "names ckpt-12, which does not exist"),
    ],
)
def test_checkpoints_without_their_list_are_named_with_a_way_out(
    tmp_path: pathlib.Path, content: str | None, problem: str
) -> None:
    _saved(tmp_path, 9, 3, 10)
    listed = tmp_path / "checkpoint"
    if content is not None:
        listed.write_text(content)
    expected = rf"{listed} {problem}.*, but beside it are ckpt-3, ckpt-9, ckpt-10; to continue "
    with pytest.raises(errors.UsageError, match=expected) as caught:
        listing.latest(str(tmp_path))
    (line,) = re.findall("'(.*?)'", str(caught.value))
    listed.write_text(line)
    assert listing.latest(str(tmp_path)) == str(tmp_path / "ckpt-10")


def test_a_folder_with_no_checkpoint_is_new_unless_a_list_is_left(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "run [1]"  # not a pattern
    assert listing.latest(str(folder)) is None
    folder.mkdir()
    assert listing.latest(str(folder)) is None
    (folder / "checkpoint").write_text('model_checkpoint_path: "ckpt-3"')
    with pytest.raises(
        errors.UsageError, match=r"ckpt-3, which does not exist, and no .* delete it"
    ):
        listing.latest(str(folder))
    _saved(folder, 3)
    assert listing.latest(str(folder)) == str(folder / "ckpt-3")


@pytest.fixture
def begun(tmp_path: pathlib.Path) -> pathlib.Path:
    """A run's folder with its configuration."""
    values = runs.parse(tmp_path).as_dict()
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    return tmp_path


def test_each_value_that_a_resumed_run_changes_is_named(begun: pathlib.Path) -> None:
    assert resuming.changes(str(begun), runs.parse(begun)) == []
    changed = runs.parse(begun, f"{RATE}=16.0,trainer.train_steps=12")
    assert resuming.changes(str(begun), changed) == [
        f"  changed: {RATE} was 0.006, is now 16.0",
        "  changed: trainer.train_steps was 6, is now 12",
    ]
    rate = "trainer.optimizer_config.learning_rate"
    cosine = f"{rate}.cosine.initial_learning_rate=0.1,{rate}.cosine.decay_steps=0"
    other = runs.parse(begun, f"{rate}.type=cosine,{cosine}")
    lines = resuming.changes(str(begun), other)
    assert any(line.endswith(".type was 'constant_ending', is now 'cosine'") for line in lines)
    assert any(line.endswith(f"{RATE} was 0.006, is now not set") for line in lines)


@pytest.mark.parametrize(
    "change",
    [
        "task.train_data.num_classes=11",
        "task.train_data.channels=3",
        "task.train_data.label_offset=-1",
        "task.sandwich.alone=smallest",
        f"{OPTIMISER}.type=sgd",
    ],
)
def test_a_change_that_makes_the_weights_nonsense_is_refused(
    begun: pathlib.Path, change: str
) -> None:
    name, value = change.split("=")
    with pytest.raises(errors.UsageError, match=rf"^{name} was .* is now '?{value}'?, .* set it"):
        resuming.changes(str(begun), runs.parse(begun, change))


def test_a_child_alone_is_the_same_whatever_its_file_says_now(tmp_path: pathlib.Path) -> None:
    config = runs.parse(tmp_path)
    space = presets.get(config.task.model.search_space)
    path, folder = tmp_path / "child.json", tmp_path / "run"
    path.write_text(json.dumps(space.smallest().to_json()))
    config = runs.parse(tmp_path, f"task.sandwich.alone={path}")
    folder.mkdir()
    supernet = models.build_supernet(config.task, space)
    run_files.save(supernet, 0, config, space, str(folder))
    assert resuming.check(str(folder / "ckpt-0"), config, space)[1:] == []
    path.write_text(json.dumps(space.biggest().to_json()))
    with pytest.raises(
        errors.UsageError, match=r"is no longer the child that the run in .* trains"
    ):
        resuming.check(str(folder / "ckpt-0"), config, space)


def test_a_run_without_its_optimiser_is_not_continued(tmp_path: pathlib.Path) -> None:
    """Its learning rate would begin anew, and its checkpoints name two different steps."""
    config = runs.parse(tmp_path, "trainer.train_steps=30")
    space = presets.get(config.task.model.search_space)
    supernet = models.build_supernet(config.task, space)
    folder = tmp_path / "run"
    folder.mkdir()
    run_files.save(supernet, 20, config, space, str(folder))
    for ema in ("null", "{average_decay: 0.9}"):
        asked = runs.parse(tmp_path, f"trainer: {{optimizer_config: {{ema: {ema}}}}}")
        words = rf"weights of step 20, but no optimiser .*, task.init_checkpoint={folder}$"
        with pytest.raises(errors.UsageError, match=words):
            resuming.check(str(folder / "ckpt-20"), asked, space)
    run_files.save(supernet, 0, config, space, str(folder))  # as an imported run's
    assert resuming.check(str(folder / "ckpt-0"), config, space)[1:] == []


def test_a_run_resumes_wherever_the_one_is_that_it_started_from(
    begun: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, given = begun / "runs" / "first", "task.init_checkpoint=runs/first"
    first.mkdir(parents=True)
    (first / "params.yaml").touch()
    monkeypatch.chdir(begun)
    config = runs.parse(begun, given)
    (begun / "params.yaml").write_text(yaml.safe_dump(config.as_dict()))
    learnt.save(str(begun), config.task.train_data, config.task.init_checkpoint)
    absolute = runs.parse(begun, f"task.init_checkpoint={first}")
    assert len(resuming.changes(str(begun), absolute)) == 1  # it is told, and the same
    assert learnt.parent(str(begun), config.task) == str(first)
    # Elsewhere the path leads nowhere, or to another run.
    (begun / "other" / "runs" / "first").mkdir(parents=True)
    (begun / "other" / "runs" / "first" / "params.yaml").touch()
    monkeypatch.chdir(begun / "other")
    assert resuming.changes(str(begun), config) == []
    assert learnt.parent(str(begun), config.task) == str(first)
    other = runs.parse(begun, "task.init_checkpoint=runs/second")
    with pytest.raises(
        errors.UsageError, match=r"init_checkpoint was 'runs/first' .* 'runs/second'"
    ):
        resuming.changes(str(begun), other)
    assert len(resuming.changes(str(begun), other, chief=False)) == 1  # another machine's place
    first.rename(begun / "runs" / "moved")
    monkeypatch.chdir("/")
    assert learnt.parent(str(begun), config.task) == str(first)  # which a warning names


@pytest.mark.parametrize("none", ["null", "''"])
def test_a_run_that_starts_from_none_may_say_so(begun: pathlib.Path, none: str) -> None:
    learnt.save(str(begun), runs.parse(begun).task.train_data)
    config = runs.parse(begun, f"task: {{init_checkpoint: {none}}}")
    assert resuming.changes(str(begun), config) == []


def test_another_batch_is_refused_where_lengths_follow_it(begun: pathlib.Path) -> None:
    """At step 50,000 a batch of 1,024 for 4,096 would go back from epoch 160 to epoch 40."""
    half = runs.BATCH // 2
    change = f"task.train_data.global_batch_size={half}"
    with pytest.raises(errors.UsageError, match=rf"was {runs.BATCH} .* is now {half}: .* epoch;"):
        resuming.changes(str(begun), runs.parse(begun, f"{change},trainer.for_batch={runs.BATCH}"))
    own = resuming.changes(str(begun), runs.parse(begun, f"{change},trainer.for_batch=0"))
    assert own == [f"  changed: task.train_data.global_batch_size was {runs.BATCH}, is now {half}"]


def test_a_run_whose_configuration_is_lost_is_refused(begun: pathlib.Path) -> None:
    (begun / "params.yaml").unlink()
    with pytest.raises(errors.UsageError, match=r"params\.yaml is missing; restore it, because"):
        resuming.changes(str(begun), runs.parse(begun))


@pytest.mark.parametrize("content", ["task: {sandwitch: 1}\n", "task: {seed: [}\n", ""])
def test_a_configuration_that_cannot_be_read_does_not_skip_what_is_refused(
    begun: pathlib.Path, content: str
) -> None:
    (begun / "params.yaml").write_text(content)
    with pytest.raises(errors.UsageError, match=r"params\.yaml is not .*; restore it, because"):
        resuming.changes(str(begun), runs.parse(begun, "task.train_data.num_classes=11"))
