"""From a short training run to a prediction, and each mistake on the way, as a user types it."""

from __future__ import annotations

import hashlib
import json
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping

import numpy as np
import pytest
import tensorflow as tf
import yaml

from bignas_tf.export import verify
from tests.data import samples
from tests.selection import digits
from tests.selection.digits import STEPS
from tests.tools.forks import Forks

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUDGETS = (0.03, 0.08)


def _arguments(flags: Mapping[str, object]) -> list[str]:
    return [f"--{flag}={value}" for flag, value in flags.items()]


def _tool(name: str, *files: str, **flags: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", f"tools.{name}", *_arguments(flags), *files],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )


def _succeed(name: str, *files: str, **flags: object) -> str:
    done = _tool(name, *files, **flags)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    """Where commands run that are refused, or need no fresh process."""
    forks = Forks()
    yield forks
    forks.close()


def _refuse(forks: Forks, name: str, *files: str, **flags: object) -> str:
    """Runs a command that must exit with 2 and one line; returns that line."""
    done = forks.run(f"tools.{name}", *_arguments(flags), *files)
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert done.returncode == 2, done.stderr
    assert len(lines) == 1
    assert done.stderr.splitlines()[-1] == lines[0]
    assert "Traceback" not in done.stderr
    assert "error" not in done.stdout
    return lines[0]


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A supernet trained for a moment."""
    folder = tmp_path_factory.mktemp("digits")
    (folder / "space.yaml").write_text(yaml.safe_dump(digits.SPACE))
    (folder / "experiment.yaml").write_text(yaml.safe_dump(digits.EXPERIMENT))
    printed = _succeed(
        "train",
        experiment="bignas_small",
        config_file=folder / "experiment.yaml",
        params_override=f"task.model.search_space={folder / 'space.yaml'}",
        model_dir=folder / "run",
    )
    assert f"step {STEPS}/{STEPS}  loss: " in printed
    assert f"step {STEPS}/{STEPS}  top-1: smallest 0." in printed
    return folder / "run"


@pytest.fixture(scope="module")
def search_dir(run_dir: pathlib.Path) -> pathlib.Path:
    folder = run_dir / "search"
    budgets = ",".join(map(str, BUDGETS))
    printed = _succeed("search", model_dir=run_dir, budgets_mflops=budgets, output_dir=folder)
    assert printed.splitlines()[-1].startswith(f"{BUDGETS[-1]}M: ")
    return folder


@pytest.fixture(scope="module")
def version_dir(run_dir: pathlib.Path, search_dir: pathlib.Path) -> pathlib.Path:
    """An export of the child for the larger budget."""
    child = search_dir / f"child_{BUDGETS[-1]}.json"
    base = run_dir / "export"
    printed = _succeed("export", model_dir=run_dir, architecture=child, output_dir=base)
    assert printed == f"{base}/1\n"
    return base / "1"


@pytest.fixture
def copy_dir(run_dir: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    """The run without its searches and exports, for a test to break."""
    ignored = shutil.ignore_patterns("search", "export")
    copy = shutil.copytree(run_dir, tmp_path / "copy", ignore=ignored)
    # The checkpoint file names its checkpoint by a path below the folder it lies in.
    assert tf.train.latest_checkpoint(str(copy)) == str(copy / f"ckpt-{STEPS}")
    return copy


def test_training_writes_the_learning_curves(run_dir: pathlib.Path) -> None:
    (row,) = json.loads((run_dir / "learning_curves.json").read_text())
    assert row["step"] == STEPS
    assert set(row["top1"]) == {"smallest", "biggest"}


def test_search_writes_what_it_promises(search_dir: pathlib.Path) -> None:
    result = json.loads((search_dir / "search.json").read_text())
    assert set(result) == {"settings", "candidates", "selected"}
    shared = {"architecture", "macs", "params", "ranking_top1"}
    for candidate in result["candidates"]:
        assert set(candidate) == shared | {"phase"}
        assert candidate["phase"] in ("coarse", "fine")
    assert [entry["budget_mflops"] for entry in result["selected"]] == list(BUDGETS)
    for entry in result["selected"]:
        assert set(entry) == shared | {"budget_mflops", "reporting_top1"}
        assert entry["macs"] <= entry["budget_mflops"] * 1e6
        assert 0 <= entry["ranking_top1"] <= 1
        assert 0 <= entry["reporting_top1"] <= 1
        child = json.loads((search_dir / f"child_{entry['budget_mflops']}.json").read_text())
        assert child == entry


def test_evaluate_and_cost_agree_with_search(
    run_dir: pathlib.Path, search_dir: pathlib.Path
) -> None:
    path = search_dir / f"child_{BUDGETS[0]}.json"
    child = json.loads(path.read_text())
    (line,) = _succeed("evaluate", model_dir=run_dir, architecture=path).splitlines()
    assert json.loads(line) == {
        "macs": child["macs"],
        "params": child["params"],
        "top1": child["reporting_top1"],
        "images": 360,
    }
    (line,) = _succeed(
        "cost",
        search_space=run_dir / "search_space.yaml",
        architecture=path,
        num_classes=digits.CLASSES,
        input_channels=1,
    ).splitlines()
    counted = json.loads(line)
    assert set(counted) == {"macs", "params", "peak_activation_bytes"}
    assert (counted["macs"], counted["params"]) == (child["macs"], child["params"])


def test_the_card_of_an_export_says_what_it_is(
    run_dir: pathlib.Path, search_dir: pathlib.Path, version_dir: pathlib.Path
) -> None:
    child = json.loads((search_dir / f"child_{BUDGETS[-1]}.json").read_text())
    card = json.loads((version_dir / "child.json").read_text())
    assert {key: card[key] for key in ("architecture", "macs", "params")} == {
        key: child[key] for key in ("architecture", "macs", "params")
    }
    assert card["peak_activation_bytes"] > 0
    accuracy = {"split": "test", "top1": child["reporting_top1"], "images": 360}
    assert card["accuracy"] == accuracy
    assert card["calibration"] == {"split": "train[:128]", "images": 128}
    index = run_dir / f"ckpt-{STEPS}.index"
    assert card["source"] == {
        "search_space": "digits",
        "checkpoint": str(run_dir / f"ckpt-{STEPS}"),
        "index_sha256": hashlib.sha256(index.read_bytes()).hexdigest(),
        "step": STEPS,
    }
    assert card["verified"]["max_difference"] <= card["verified"]["tolerance"] <= 1e-3


def test_a_family_holds_every_selected_child(
    forks: Forks, run_dir: pathlib.Path, search_dir: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    labels = ["../up", "tab\t", *"23456789"]
    (tmp_path / "names.json").write_text(json.dumps(labels))
    base = tmp_path / "family"
    flags = {"search_dir": search_dir, "output_dir": base, "labels": tmp_path / "names.json"}
    done = forks.run("tools.export", *_arguments(flags | {"model_dir": run_dir}))
    assert done.returncode == 0, done.stderr
    versions = [base / f"child_{budget}" / "1" for budget in BUDGETS]
    assert done.stdout.splitlines() == list(map(str, versions))
    config = (base / "models.config").read_text()
    for budget, version in zip(BUDGETS, versions, strict=True):
        child = json.loads((search_dir / f"child_{budget}.json").read_text())
        card = json.loads((version / "child.json").read_text())
        assert card["architecture"] == child["architecture"]
        assert json.loads((version / "labels.json").read_text()) == labels
        assert str(version.parent) in config


@pytest.mark.parametrize("names", ["{}", "[1, 2]", '["a", "b"]'])
def test_labels_that_do_not_fit_are_refused(
    forks: Forks, run_dir: pathlib.Path, tmp_path: pathlib.Path, names: str
) -> None:
    path = tmp_path / "names.json"
    path.write_text(names)
    flags = {"model_dir": run_dir, "architecture": "smallest", "output_dir": tmp_path / "e"}
    error = _refuse(forks, "export", labels=path, **flags)
    assert f"--labels: {path}" in error
    assert not (tmp_path / "e").exists()


def test_a_folder_without_a_search_is_refused(
    forks: Forks, run_dir: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    flags = {"model_dir": run_dir, "output_dir": tmp_path / "e"}
    error = _refuse(forks, "export", search_dir=tmp_path, **flags)
    assert f"{tmp_path}/search.json cannot be read" in error
    (tmp_path / "search.json").write_text("{}")
    error = _refuse(forks, "export", search_dir=tmp_path, **flags)
    assert "is not what tools.search writes" in error


def test_predict_answers_as_the_session_does(
    version_dir: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    ((patches, _),) = digits.batches("test[:2]", 2)
    paths = [tmp_path / f"{index}.png" for index in range(2)]
    for path, patch in zip(paths, patches, strict=True):
        path.write_bytes(tf.io.encode_png(patch).numpy())
    printed = _succeed("predict", *map(str, paths), export_dir=version_dir)
    answers = [json.loads(line) for line in printed.splitlines()]
    served = verify.session_loads(version_dir, {"images": patches.numpy()})["probabilities"]
    assert [answer["image"] for answer in answers] == list(map(str, paths))
    assert [answer["label"] for answer in answers] == served.argmax(-1).tolist()
    assert [answer["name"] for answer in answers] == list(map(str, served.argmax(-1)))
    probabilities = [answer["probability"] for answer in answers]
    np.testing.assert_allclose(probabilities, served.max(-1), atol=1e-5)


def test_predict_refuses_what_is_no_image_or_no_export(
    forks: Forks, version_dir: pathlib.Path, run_dir: pathlib.Path
) -> None:
    path = str(run_dir / "params.yaml")
    error = _refuse(forks, "predict", path, export_dir=version_dir)
    assert f"{path} is neither JPEG nor PNG" in error
    error = _refuse(forks, "predict", path, export_dir=run_dir)
    assert f"{run_dir} is no folder of an exported version" in error


def test_a_missing_run_is_refused(forks: Forks, tmp_path: pathlib.Path) -> None:
    error = _refuse(forks, "evaluate", model_dir=tmp_path / "none", architecture="smallest")
    assert f"{tmp_path / 'none'} is not the folder of a training run" in error


@pytest.mark.parametrize("suffix", ["index", "data-00000-of-00001"])
def test_a_corrupt_checkpoint_is_refused(forks: Forks, copy_dir: pathlib.Path, suffix: str) -> None:
    path = copy_dir / f"ckpt-{STEPS}.{suffix}"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    error = _refuse(forks, "evaluate", model_dir=copy_dir, architecture="smallest")
    assert f"checkpoint {copy_dir}/ckpt-{STEPS}" in error


def test_a_run_without_a_checkpoint_is_refused(forks: Forks, copy_dir: pathlib.Path) -> None:
    (copy_dir / f"ckpt-{STEPS}.index").unlink()
    error = _refuse(
        forks, "search", model_dir=copy_dir, budgets_mflops=0.03, output_dir=copy_dir / "s"
    )
    assert "holds no checkpoint; train first" in error


def test_a_checkpoint_of_another_space_is_refused(forks: Forks, copy_dir: pathlib.Path) -> None:
    other = digits.SPACE | {"name": "other", "head_widths": [16]}
    (copy_dir / "search_space.yaml").write_text(yaml.safe_dump(other))
    error = _refuse(forks, "evaluate", model_dir=copy_dir, architecture="smallest")
    assert "was trained in another search space than 'other'" in error


def test_an_architecture_outside_the_space_is_refused(
    forks: Forks, run_dir: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    architecture = digits.space().smallest().to_json() | {"stem_width": 5}
    path = tmp_path / "child.json"
    path.write_text(json.dumps(architecture))
    error = _refuse(
        forks, "export", model_dir=run_dir, architecture=path, output_dir=tmp_path / "e"
    )
    assert "'stem_width' is 5; choose from [4, 8]" in error
    assert not (tmp_path / "e").exists()


def test_a_corrupt_architecture_file_is_refused(
    forks: Forks, run_dir: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "child.json"
    path.write_text('{"resolution": 8, ')
    error = _refuse(forks, "evaluate", model_dir=run_dir, architecture=path)
    assert f"{path} is not valid JSON" in error


@pytest.mark.parametrize("budget", ["0.001", "50"])
def test_an_infeasible_budget_is_refused_with_the_range(
    forks: Forks, run_dir: pathlib.Path, tmp_path: pathlib.Path, budget: str
) -> None:
    error = _refuse(
        forks, "search", model_dir=run_dir, budgets_mflops=budget, output_dir=tmp_path / "s"
    )
    assert f"budget {budget}M multiply-adds is infeasible" in error
    assert "take from 0.014 to 0.122M" in error
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("budgets", ["", "0.03,much", "-1"])
def test_a_budget_that_is_no_number_is_refused(forks: Forks, budgets: str) -> None:
    error = _refuse(forks, "search", model_dir="none", budgets_mflops=budgets, output_dir="none")
    assert "--budgets_mflops" in error


def test_an_empty_split_is_refused(forks: Forks, run_dir: pathlib.Path) -> None:
    error = _refuse(forks, "evaluate", model_dir=run_dir, architecture="smallest", split="test[:0]")
    assert "split 'test[:0]' is empty" in error


def _edit(run: pathlib.Path, part: str, **changes: object) -> None:
    """Changes what a run's configuration says of its data or its selection."""
    path = run / "params.yaml"
    values = yaml.safe_load(path.read_text())
    values["task"][part].update(changes)
    path.write_text(yaml.safe_dump(values))


def _search_in(run: pathlib.Path) -> dict[str, object]:
    return {"model_dir": run, "budgets_mflops": 0.03, "output_dir": run / "s"}


def test_reporting_on_images_that_rank_is_refused(forks: Forks, copy_dir: pathlib.Path) -> None:
    _edit(copy_dir, "selection", ranking_split="test[:100]")
    error = _refuse(forks, "search", **_search_in(copy_dir))
    assert "'test[:100]' and reporting_split 'test' have images in common (100)" in error
    assert not (copy_dir / "s").exists()


@pytest.mark.parametrize("tool", ["search", "evaluate"])
def test_an_image_that_cannot_be_read_is_named(
    forks: Forks, copy_dir: pathlib.Path, tool: str
) -> None:
    root = samples.write_folder(copy_dir / "photos")
    broken = root / "train" / "class_2" / "6.jpg"
    broken.write_bytes(broken.read_bytes()[:300])
    _edit(copy_dir, "train_data", source="folder", input_path=str(root), cache=False)
    parts = {"calibration": "train[:4]", "ranking": "train[4:10]", "reporting": "train[10:]"}
    named = {f"{use}_split": split for use, split in parts.items()}
    _edit(copy_dir, "selection", calibration_images=4, batch_size=2, **named)
    flags = _search_in(copy_dir)
    if tool == "evaluate":
        flags = {"model_dir": copy_dir, "architecture": "smallest", "split": "train"}
    error = _refuse(forks, tool, **flags)
    assert "class_2/6.jpg cannot be read; JPEG or PNG images are needed" in error


def test_more_gpus_than_there_are_are_refused(forks: Forks, run_dir: pathlib.Path) -> None:
    error = _refuse(forks, "search", **_search_in(run_dir), num_gpus=1000)
    assert "--num_gpus is 1000; TensorFlow finds " in error


@pytest.mark.parametrize("tool", ["search", "export"])
def test_an_unwritable_output_folder_is_refused(
    forks: Forks, run_dir: pathlib.Path, tmp_path: pathlib.Path, tool: str
) -> None:
    (tmp_path / "file").write_text("")
    output = tmp_path / "file" / "below"
    flags = {"budgets_mflops": 0.03} if tool == "search" else {"architecture": "smallest"}
    error = _refuse(forks, tool, model_dir=run_dir, output_dir=output, **flags)
    assert f"{output} is not a writable folder" in error


def test_the_folder_of_another_search_is_refused(
    forks: Forks, run_dir: pathlib.Path, search_dir: pathlib.Path
) -> None:
    before = (search_dir / "search.json").read_text()
    error = _refuse(forks, "search", model_dir=run_dir, budgets_mflops=0.05, output_dir=search_dir)
    assert "belongs to a search with other settings" in error
    assert (search_dir / "search.json").read_text() == before
