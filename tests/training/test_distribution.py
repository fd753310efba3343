"""One step on one device, on two replicas and in two processes is the same step."""

from __future__ import annotations

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
from collections.abc import Sequence

import numpy as np
import pytest
import tensorflow as tf
from official.core import config_definitions as cfg

from bignas_tf import errors
from bignas_tf.search_space.space import SearchSpace
from bignas_tf.training import sampling, trainer
from bignas_tf.training.progress import Progress
from bignas_tf.training.task import BigNASTask
from tests.data import photos
from tests.forks import LIMIT_S, ROOT
from tests.modeling import helpers, replicas
from tests.training import processes, runs

# All that replicas must agree on is on: dropout, weight decay, a random child. The smallest child,
# static as the biggest and taught as the random one, is left out: each takes its time to trace.
RULES = (
    "task.sandwich.num_random=1,task.sandwich.check_replicas=true,task.sandwich.smallest=false,"
    "task.regularisation.children=all,task.regularisation.dropout_rate=0.3,"
    "task.regularisation.weight_decay=0.01,task.model.zero_init_gamma=false"
)
# No other child: nothing that children teach one another passes between replicas.
ONLY_RANDOM = f"{RULES},task.sandwich.biggest=false,task.distillation.weight=0.0"
# Float32 sums in another order, enlarged by batch norms and by one update after another.
LOSS, WEIGHTS, SLOTS = 1e-5, 1e-4, 1e-3


def _trained(
    config: cfg.ExperimentConfig, strategy: tf.distribute.Strategy, loops: Sequence[int]
) -> tuple[list[dict[str, float]], list[np.ndarray], list[np.ndarray]]:
    """Logs of loops of so many steps, and the weights and the optimiser's slots after the last."""
    with strategy.scope():
        run = trainer.SupernetTrainer(config, BigNASTask(config.task))
        helpers.randomise(run.model)
    logs = [
        {name: float(value) for name, value in run.train(tf.constant(steps)).items()}
        for steps in loops
    ]
    iterations, *slots = [variable.numpy() for variable in run.optimizer.variables()]
    assert iterations == sum(loops)
    return logs, [variable.numpy() for variable in run.model.trainable_variables], slots


@pytest.mark.slow
def test_two_replicas_train_as_one_device_does(tmp_path: pathlib.Path) -> None:
    """The slots hold what the gradients were: their squares, and the steps made of them.

    One loop is a graph in which children of several widths follow each other.
    """
    config, loops = runs.parse(tmp_path, RULES), (1, 3)
    one, weights, slots = _trained(config, runs.on_one_cpu(), loops)
    two, weights_of_two, slots_of_two = _trained(config, replicas.two_cpus(), loops)
    for logs, logs_of_two in zip(one, two, strict=True):
        for name in ("loss_biggest", "loss_random", "train_accuracy"):
            assert logs_of_two[name] == pytest.approx(logs[name], rel=LOSS)
        assert logs_of_two["different_choices"] == 0
    assert helpers.relative_difference(weights_of_two, weights) < WEIGHTS
    assert helpers.relative_difference(slots_of_two, slots) < SLOTS


@pytest.mark.slow
def test_replicas_that_draw_different_children_stop_the_run(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = sampling.sample_code

    def by_replica(space: SearchSpace, seed: tf.Tensor, resolution: int) -> tf.Tensor:
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        return right(space, seed + tf.cast(replica, seed.dtype), resolution)

    monkeypatch.setattr(sampling, "sample_code", by_replica)
    config = runs.parse(tmp_path, ONLY_RANDOM)
    with replicas.two_cpus().scope():
        run = trainer.SupernetTrainer(config, BigNASTask(config.task))
        progress = Progress(run, str(tmp_path))
    with pytest.raises(errors.RunError, match=r"drew different children .* at step 1;"):
        progress(run.train(tf.constant(1)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("folder", "override", "difference"),
    [
        ("other", "", "other holds a checkpoint of step 0 here and of step 3 on the first worker"),
        # The chief would train on alone, and wait for ever.
        ("mine", ",trainer.train_steps=3", "trainer.train_steps is 6 on the first worker and 3 on"),
    ],
)
def test_workers_of_different_folders_or_settings_are_refused(
    tmp_path: pathlib.Path, folder: str, override: str, difference: str
) -> None:
    config = runs.parse(tmp_path, f"{runs.EAGER}trainer.train_steps=3")
    runs.train(config, tmp_path / "mine")
    hosts = processes.free_hosts(2)
    overrides = f"{runs.EAGER}runtime.distribution_strategy=multi_worker_mirrored"
    with (
        processes.training(tmp_path, tmp_path / "mine", overrides, hosts, 0) as chief,
        processes.training(tmp_path, tmp_path / folder, overrides + override, hosts, 1) as other,
    ):
        ends = [chief.end(), other.end()]
    assert [code for code, _ in ends] == [2, 2], ends
    assert "error: another worker has other settings, code or checkpoints; its error" in ends[0][1]
    assert difference in ends[1][1]


@pytest.mark.slow
def test_workers_with_other_code_of_a_users_network_are_refused(tmp_path: pathlib.Path) -> None:
    runs.parse(tmp_path)
    workers = {"cluster": {"worker": processes.free_hosts(2)}}
    started = []
    for index in range(2):
        (tmp_path / str(index)).mkdir()
        (tmp_path / str(index) / "my_base.py").write_text(  # which the network is derived from
            "from experiments.residual_network import ResidualNetwork\n\n\n"
            f"class Base(ResidualNetwork):\n    version = {index}\n"
        )
        (tmp_path / str(index) / "my_networks.py").write_text(
            "from my_base import Base\n\n\nclass Network(Base):\n    pass\n"
        )
        variables = {
            "PYTHONPATH": str(tmp_path / str(index)),
            "TF_CONFIG": json.dumps(workers | {"task": {"type": "worker", "index": index}}),
        }
        command = [
            *(sys.executable, "-m", "tools.train"),
            *(f"--config_file={tmp_path / 'experiment.yaml'}", f"--model_dir={tmp_path / 'run'}"),
            "--params_override=runtime.distribution_strategy=multi_worker_mirrored,"
            "task.model.network=my_networks.Network",
        ]
        started.append(
            subprocess.Popen(
                command, cwd=ROOT, env=os.environ | variables, stderr=subprocess.PIPE, text=True
            )
        )
    said = [each.communicate(timeout=LIMIT_S)[1] for each in started]
    assert [each.returncode for each in started] == [2, 2], said
    assert "the code of task.model.network is " in said[1]


@pytest.mark.slow
def test_a_worker_refused_before_the_first_step_is_explained_to_the_others(
    tmp_path: pathlib.Path,
) -> None:
    runs.parse(tmp_path)
    hosts, nothing = processes.free_hosts(2), tmp_path / "nothing"
    root = photos.write(
        tmp_path / "photos", {f"{s}/{c}": 60 for s in ("train", "test") for c in "ab"}
    )
    overrides = (
        f"{runs.EAGER}runtime.distribution_strategy=multi_worker_mirrored,"
        f"task.train_data.source=folder,task.train_data.num_classes=2,task.train_data.input_path="
    )
    overrides, mistaken = f"{overrides}{root}", f"{overrides}{nothing}"
    with (
        processes.training(tmp_path, tmp_path / "run", overrides, hosts, 0) as chief,
        processes.training(tmp_path, tmp_path / "run", mistaken, hosts, 1) as other,
    ):
        ends = [chief.end(), other.end()]
    assert [code for code, _ in ends] == [1, 2], ends
    assert "error: another worker was lost; start all" in ends[0][1]
    assert f"{nothing} is not a folder" in ends[1][1]
    assert "Traceback" not in ends[0][1] + ends[1][1]


def _losses(model_dir: pathlib.Path) -> dict[tuple[str, int], float]:
    found = runs.summaries(model_dir / "train")
    return {key: value for key, value in found.items() if key[0].startswith("loss_")}


@pytest.mark.slow
def test_two_processes_train_as_one_does_though_a_worker_dies(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first run of two loses a worker to SIGKILL; the second, resumed, one to SIGTERM."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    loops = "trainer.steps_per_loop=2,trainer.summary_interval=2,trainer.checkpoint_interval=8"
    overrides = f"{ONLY_RANDOM},trainer.train_steps=20,{loops}"
    config = runs.parse(tmp_path, overrides)
    two = tmp_path / "two"
    with processes.two_workers(tmp_path, two, overrides) as (chief, other):
        chief.until("step 4/")  # far from the checkpoint of step 10
        other.send(signal.SIGKILL)
        code, stderr = chief.end()
        assert (code, "error: another worker was lost; start all" in stderr) == (1, True)
    # What the killed one saved stays until the next start.
    assert list(temporary.rglob("ckpt-*.index"))
    with processes.two_workers(tmp_path, two, overrides) as (chief, other):
        chief.until(f"resuming from {two / 'ckpt-2'}")
        chief.until("step 8/")
        other.send(signal.SIGTERM)
        ends = [chief.end(), other.end()]
        assert other.lines == []
    assert [code for code, _ in ends] == [1, 1]
    assert list(temporary.rglob("ckpt-*")) == []
    (step,) = {
        int(found) for _, stderr in ends for found in re.findall(r"SIGTERM; step (\d+) is", stderr)
    }
    config.trainer.train_steps = step
    expected = runs.train(config, tmp_path / "one")
    found = runs.tensors(str(two / f"ckpt-{step}"))
    assert list(found) == list(expected)
    floats = [name for name in found if found[name].dtype == np.float32]
    slots = [name for name in floats if "/.OPTIMIZER_SLOT/" in name]
    for names, tolerance in ((set(floats) - set(slots), WEIGHTS), (slots, SLOTS)):
        assert len(names) > 20
        both = ([tensors[name] for name in names] for tensors in (found, expected))
        assert helpers.relative_difference(*both) < tolerance
    assert _losses(two) == pytest.approx(_losses(tmp_path / "one"), rel=LOSS)
    assert sorted(path.name for path in two.glob("*.yaml")) == ["params.yaml", "search_space.yaml"]
