"""What a notebook does, against what the tools leave in their folders for the same run."""

from __future__ import annotations

import copy
import dataclasses
import json
import os
import pathlib
import re
import shutil
from collections.abc import Iterator

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import bignas_tf as bignas
from bignas_tf import files
from bignas_tf.accuracy import percent
from bignas_tf.api import evaluators
from bignas_tf.data import resize
from bignas_tf.selection import judging, runner
from bignas_tf.selection.judgement import Judgement
from tests.forks import Forks
from tests.selection import digits
from tests.selection.digits import STEPS
from tests.shared_runs import LABELS, LICENCE
from tests.tools import commands
from tests.tools.commands import BUDGETS
from tests.training import runs as training_runs

pytestmark = pytest.mark.slow

TEXTS = [f"mflops={budget}" for budget in BUDGETS]


@pytest.fixture(scope="module")
def run(run_dir: pathlib.Path) -> bignas.Run:
    return bignas.load(run_dir)


@pytest.fixture(scope="module")
def config_files(run_dir: pathlib.Path) -> list[pathlib.Path]:
    return [run_dir.parent / "experiment.yaml"]


def _override(run_dir: pathlib.Path) -> str:
    return f"task.model.search_space={run_dir.parent / 'space.yaml'}"


def _json(path: pathlib.Path) -> dict[str, object]:
    return json.loads(path.read_text())


def test_training_shows_its_lines_and_returns_the_run(
    run_dir: pathlib.Path,
    config_files: list[pathlib.Path],
    tmp_path: pathlib.Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    config = bignas.configure("bignas_small", config_files, _override(run_dir))
    lines: list[str] = []
    capfd.readouterr()
    run = bignas.train(config, tmp_path, show=lines.append)
    assert capfd.readouterr().out == ""
    *steps, last = lines
    assert [line.split("  ")[0] for line in steps] == [f"step {STEPS}/{STEPS}"] * 2
    assert last == f"checkpoint: {tmp_path}/ckpt-{STEPS}, step {STEPS} of {STEPS}"
    assert (run.step, run.model_dir) == (STEPS, str(tmp_path))
    assert repr(run) == (
        f"Run(model_dir='{tmp_path}', checkpoint='{tmp_path}/ckpt-{STEPS}', step={STEPS})"
    )
    # The same run as the tool's, on another number of logical CPUs.
    mine, theirs = (
        training_runs.tensors(f"{folder}/ckpt-{STEPS}") for folder in (tmp_path, run_dir)
    )
    weights = [name for name in theirs if name.startswith("model/")]
    assert weights
    for name in weights:
        np.testing.assert_allclose(mine[name], theirs[name], rtol=1e-3, atol=1e-5, err_msg=name)


def test_training_again_continues_and_keeps_the_precision_of_the_process(
    run_dir: pathlib.Path,
    config_files: list[pathlib.Path],
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    copy = tmp_path / "run"
    shutil.copytree(run_dir, copy, ignore=shutil.ignore_patterns("search", "export", ".*"))
    more = f"{_override(run_dir)},trainer.train_steps={STEPS + 1}"
    config = bignas.configure(
        "bignas_small", config_files, f"{more},runtime.mixed_precision_dtype=bfloat16"
    )
    run = bignas.train(config, copy)
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == f"resuming from {copy}/ckpt-{STEPS}"
    assert f"  changed: trainer.train_steps was {STEPS}, is now {STEPS + 1}" in printed
    *_, progress = (line for line in printed if "  loss: " in line)
    assert progress.startswith(f"step {STEPS + 1}/{STEPS + 1}  loss: ")
    assert run.step == STEPS + 1
    assert tf_keras.mixed_precision.global_policy().name == "float32"


@pytest.fixture
def _one_evaluator(run: bignas.Run, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The evaluator that is kept serves the test: no other can be built."""
    kept = evaluators.evaluator_of(run)
    monkeypatch.delattr(runner, "build_evaluator")
    yield
    assert 1 <= kept.traces <= 2


@pytest.mark.usefixtures("_one_evaluator")
def test_a_search_finds_what_the_tool_found(
    run: bignas.Run, search_dir: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    lines: list[str] = []
    found = bignas.search(run, TEXTS, tmp_path, show=lines.append)
    assert bignas.read_search(tmp_path) == found
    for name in ("search.json", *(f"child_{budget}.json" for budget in BUDGETS)):
        assert _json(tmp_path / name) == _json(search_dir / name)
    assert [child.name for child in found.selected] == list(map(str, BUDGETS))
    first = next(line for line in lines if not line.startswith("warning: "))
    assert first.startswith("coarse 1/")
    selected = [line for line in lines if line.startswith(tuple(f"{b}: " for b in BUDGETS))]
    assert len(selected) == len(BUDGETS)


def test_selecting_again_writes_what_the_tool_writes(
    forks: Forks,
    search_dir: pathlib.Path,
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # A budget as such, where the tool takes text.
    bignas.select(search_dir, [bignas.Budget({"mflops": 0.05})], tmp_path / "mine")
    printed = capsys.readouterr().out
    flags = {"select": search_dir, "budgets_mflops": 0.05, "output_dir": tmp_path / "theirs"}
    assert printed == commands.run(forks, "search", **flags)
    for name in ("search.json", "child_0.05.json"):
        assert _json(tmp_path / "mine" / name) == _json(tmp_path / "theirs" / name)


def test_a_child_scores_what_its_search_reported(run: bignas.Run, search_dir: pathlib.Path) -> None:
    path = search_dir / f"child_{BUDGETS[0]}.json"
    reported = _json(path)["reporting_top1"]
    assert bignas.evaluate(run, path) == bignas.Accuracy(reported, 360)
    assert bignas.evaluate(run, bignas.Architecture.load(path)) == bignas.Accuracy(reported, 360)
    assert bignas.evaluate(run, "smallest", split="test[:100]").images == 100
    assert bignas.cost(run, path).macs == round(1e6 * _json(path)["costs"]["mflops"])
    assert bignas.cost(run, "biggest") == bignas.cost(run.space, "biggest", digits.CLASSES, 1)


def test_a_child_is_a_keras_model_that_scores_as_it_was_evaluated(run: bignas.Run) -> None:
    model = bignas.child(run, "biggest")
    assert isinstance(model, tf_keras.Model)
    right = 0
    for patches, labels in digits.batches("test"):
        logits = model(resize.resize_patches(patches, model.input_shape[1]), training=False)
        right += int((tf.argmax(logits, -1, tf.int32) == labels).numpy().sum())
    assert bignas.evaluate(run, "biggest") == bignas.Accuracy(right / 360, 360)


@pytest.mark.usefixtures("_one_evaluator")
def test_a_judgement_is_the_tool_s(
    run: bignas.Run,
    run_dir: pathlib.Path,
    judged: str,
    tmp_path: pathlib.Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    lines: list[str] = []
    capfd.readouterr()
    output = f"ram://{tmp_path.name}/judgement.json"  # in a bucket, so to speak
    result = bignas.judge(run, output=output, show=lines.append)
    assert capfd.readouterr() == ("", "")
    assert files.read_json(output) == result.to_json() == _json(run_dir / "judgement.json")
    # How often the time left is shown depends on how fast the machine is at that moment.
    progress = re.compile(r"^\d+/\d+ scored, .*\n", re.MULTILINE)
    assert progress.sub("", "\n".join(lines) + "\n") == progress.sub("", judged)
    assert Judgement.from_json(json.loads(json.dumps(result.to_json()))) == result
    drawn = judging.sample_children(digits.space(), 5, 0)
    assert {each.name: each.architecture for each in result.children} == drawn


@pytest.mark.parametrize(("name", "side"), [("smallest", 8), ("random 2", 9)])
def test_a_cell_of_a_judgement_is_what_evaluating_finds(
    run: bignas.Run, run_dir: pathlib.Path, judged: str, name: str, side: int
) -> None:
    found = Judgement.from_json(_json(run_dir / "judgement.json"))
    (child,) = [each for each in found.children if each.name == name]
    sized = run.space.with_resolution(child.architecture, side)
    assert child.accuracies[side] == bignas.evaluate(run, sized, split="test")
    assert child.macs[side] == bignas.cost(run, sized).macs


def test_an_export_is_the_tool_s(
    run: bignas.Run,
    search_dir: pathlib.Path,
    version_dir: pathlib.Path,
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    child = f"ram://{tmp_path.name}/child.json"  # in a bucket, so to speak
    files.make_folder(os.path.dirname(child))
    files.write_text(child, (search_dir / f"child_{BUDGETS[-1]}.json").read_text())
    lines: list[str] = []
    named = {"labels": LABELS, "licence": LICENCE}
    version = bignas.export(run, child, tmp_path, **named, show=lines.append)
    assert version == tmp_path / "1"
    (line,) = lines
    known = files.read_json(child)
    top1 = percent(known["reporting_top1"], known["reporting_error"])
    assert line == f"child: calibrated, top-1 {top1} on test; writing and verifying it"
    card, theirs = _json(version / "child.json"), _json(version_dir / "child.json")
    # Rounding differs with the number of CPUs.
    assert card.pop("verified")["images"] == theirs.pop("verified")["images"]
    assert card == theirs
    report = bignas.convert(run, version, ["float32"], show=lines.append)
    begin = "child_float32.tflite: measuring", str(report.images), "format saved_model float32"
    assert " ".join(line.split()[0] for line in lines[1:]) == " ".join([*begin, "float32:"])
    assert report.to_json() == _json(version / "converted" / "report.json")
    assert list(report.formats) == ["saved_model", "float32"]
    assert capsys.readouterr().out == ""


def test_exports_into_a_bucket_are_refused_before_the_work(
    run: bignas.Run, search_dir: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    remote = f"ram://{tmp_path.name}/search"
    files.make_folder(remote)
    files.write_text(f"{remote}/search.json", (search_dir / "search.json").read_text())
    refusal = r"^gs://b/e is remote, .*: gcloud storage rsync --recursive FOLDER gs://b/e$"
    with pytest.raises(bignas.UsageError, match=refusal):
        bignas.export(run, "smallest", "gs://b/e")
    with pytest.raises(bignas.UsageError, match=refusal):
        bignas.export_family(run, remote, "gs://b/e")


def test_a_report_is_written_where_it_is_wanted(
    run_dir: pathlib.Path, search_dir: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    lines: list[str] = []
    page = bignas.report(run_dir, output_dir=tmp_path, show=lines.append)
    assert page == tmp_path / "report.html"
    assert f"{BUDGETS[-1]:g}" in page.read_text()
    plots = list((tmp_path / "report").glob("*.png"))
    assert lines == [f"{page}, and {len(plots)} plots in {tmp_path / 'report'}"]


def test_one_run_is_traced_once(run: bignas.Run) -> None:
    bignas.evaluate(run, "smallest", split="test[:64]")
    evaluator = evaluators.evaluator_of(run)
    traces = evaluator.traces
    bignas.evaluate(run, "biggest", split="test[:128]")
    bignas.child(run, "smallest")
    assert evaluators.evaluator_of(run) is evaluator
    assert evaluator.traces == traces <= 2
    other = copy.deepcopy(run.config.task)
    other.selection.strategy, other.selection.evaluations = "random", 5
    assert evaluators.evaluator_of(run, other) is evaluator
    # Settings that a user changes are heeded.
    changed = dataclasses.replace(run, config=copy.deepcopy(run.config))
    assert evaluators.evaluator_of(changed) is not evaluator
    before = evaluators.evaluator_of(changed)
    changed.config.task.selection.calibration_images = 64
    assert evaluators.evaluator_of(changed) is not before


def test_a_configuration_is_read_in_the_space_of_its_run(run_dir: pathlib.Path) -> None:
    config = bignas.read_config(run_dir)
    assert config.trainer.train_steps == STEPS
    assert config.task.model.search_space == str(run_dir / "search_space.yaml")


@pytest.mark.parametrize("budgets", [[], ["mflops"], "mflops=-1"])
def test_a_wrong_budget_is_a_usage_error(
    run: bignas.Run, tmp_path: pathlib.Path, budgets: list[str]
) -> None:
    with pytest.raises(bignas.UsageError, match="budget"):
        bignas.search(run, budgets, tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_mistakes_name_what_is_wrong(run: bignas.Run, tmp_path: pathlib.Path) -> None:
    with pytest.raises(bignas.UsageError, match="none is not the folder of a training run"):
        bignas.load("none")
    with pytest.raises(bignas.UsageError, match="is not a child of 'digits'"):
        bignas.evaluate(run, "BigNASModel-S")
    outside = bignas.search_space_of("bignas_small").smallest()
    with pytest.raises(bignas.UsageError, match="resolution"):
        bignas.evaluate(run, outside)
    with pytest.raises(bignas.UsageError, match="labels has 2 names; the run has 10 classes"):
        bignas.export(run, "smallest", tmp_path / "e", labels=["a", "b"])
    with pytest.raises(bignas.UsageError, match=r"format is 'int4'"):
        bignas.convert(run, tmp_path, ["int4"])
    assert not (tmp_path / "e").exists()
