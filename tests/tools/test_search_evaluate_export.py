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
from tests.selection import digits
from tests.selection.digits import STEPS
from tests.tools.forks import Forks

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUDGETS = (0.03, 0.08)


def _arguments(flags: Mapping[str, object]) -> list[str]:
    return [f"--{flag}={value}" for flag, value in flags.items()]


def _tool(name: str, **flags: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", f"tools.{name}", *_arguments(flags)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )


def _succeed(name: str, **flags: object) -> str:
    done = _tool(name, **flags)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    """Where commands that are refused run."""
    forks = Forks()
    yield forks
    forks.close()


def _refuse(forks: Forks, name: str, **flags: object) -> str:
    """Runs a command that must exit with 2 and one line; returns that line."""
    done = forks.run(f"tools.{name}", *_arguments(flags))
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
    assert f"step {STEPS}/{STEPS}" in printed
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


def test_predict_answers_as_the_session_does(
    version_dir: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    ((patches, _),) = digits.batches("test[:2]", 2)
    paths = [tmp_path / f"{index}.png" for index in range(2)]
    for path, patch in zip(paths, patches, strict=True):
        path.write_bytes(tf.io.encode_png(patch).numpy())
    printed = _succeed("predict", export_dir=version_dir, images=f"{paths[0]},{paths[1]}")
    answers = [json.loads(line) for line in printed.splitlines()]
    served = verify.session_loads(version_dir, {"images": patches.numpy()})["probabilities"]
    assert [answer["image"] for answer in answers] == list(map(str, paths))
    assert [answer["label"] for answer in answers] == served.argmax(-1).tolist()
    probabilities = [answer["probability"] for answer in answers]
    np.testing.assert_allclose(probabilities, served.max(-1), atol=1e-5)


def test_predict_refuses_what_is_no_image_or_no_export(
    forks: Forks, version_dir: pathlib.Path, run_dir: pathlib.Path
) -> None:
    error = _refuse(forks, "predict", export_dir=version_dir, images=run_dir / "params.yaml")
    assert "params.yaml is not a PNG or JPEG image" in error
    error = _refuse(forks, "predict", export_dir=run_dir, images="a.png")
    assert f"--export_dir: {run_dir} is no folder of an exported version" in error


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
