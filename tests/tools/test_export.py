"""From a search to exports and predictions, as a user types it."""

from __future__ import annotations

import csv
import hashlib
import json
import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf

import bignas_tf as bignas
from bignas_tf.exports import verify
from tests.forks import Forks
from tests.selection import digits
from tests.selection.digits import STEPS
from tests.shared_runs import LABELS, LICENCE
from tests.tools import commands
from tests.tools.commands import BUDGETS

pytestmark = pytest.mark.slow


def test_an_export_is_scored_on_a_folder_as_its_card_says(
    forks: Forks, family_dir: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    version = shutil.copytree(family_dir / f"child_{BUDGETS[1]}" / "1", tmp_path / "1")
    (version / "labels.json").write_text(json.dumps(list("0123456789")))  # theirs name no folders
    ((patches, labels),) = digits.batches("test", 360)
    images = bignas.write_folder(tmp_path / "new", (patches.numpy(), labels.numpy()), show=None)
    table = tmp_path / "confusion.csv"
    flags = {"export_dir": version, "images": images, "confusion": table}
    done = forks.run("tools.evaluate", *commands.arguments(flags))
    assert done.returncode == 0, done.stderr
    card = json.loads((version / "child.json").read_text())["accuracy"]
    found = json.loads(done.stdout)
    assert (found["top1"], found["images"]) == (card["top1"], 360)
    _, *rows = csv.reader(table.read_text().splitlines())
    assert sum(int(row[1 + number]) for number, row in enumerate(rows)) == card["top1"] * 360
    of_run = {"model_dir": "run", "architecture": "smallest"}
    for wrong in ({"export_dir": version}, {"images": images, **of_run}):
        assert "--images goes with --export_dir" in commands.refuse(forks, "evaluate", **wrong)
    assert "--model_dir needs --architecture" in commands.refuse(forks, "evaluate", model_dir="x")


def test_evaluate_and_cost_agree_with_search(
    forks: Forks, run_dir: pathlib.Path, search_dir: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    path = search_dir / f"child_{BUDGETS[0]}.json"
    child = json.loads(path.read_text())
    (line,) = commands.run(forks, "evaluate", model_dir=run_dir, architecture=path).splitlines()
    assert json.loads(line) == {
        "macs": round(1e6 * child["costs"]["mflops"]),
        "params": round(1e6 * child["costs"]["params_m"]),
        "top1": child["reporting_top1"],
        "images": 360,
        "error": child["reporting_error"],
    }
    table = tmp_path / "new" / "confusion.csv"
    flags = {"model_dir": run_dir, "architecture": path, "confusion": table}
    done = forks.run("tools.evaluate", *commands.arguments(flags))
    assert done.stdout.splitlines() == [line]
    assert sum("% of " in each for each in done.stderr.splitlines()) == digits.CLASSES
    (_, *names), *rows = csv.reader(table.read_text().splitlines())
    assert [name for name, *_ in rows] == names
    counts = np.array([row for _, *row in rows], np.int64)
    assert counts.sum() == 360
    assert counts.trace() == round(360 * child["reporting_top1"])
    (line,) = commands.run(
        forks,
        "cost",
        search_space=run_dir / "search_space.yaml",
        architecture=path,
        num_classes=digits.CLASSES,
        input_channels=1,
    ).splitlines()
    counted = json.loads(line)
    for name, scale in (
        ("mflops", "macs"),
        ("params_m", "params"),
        ("activation_mb", "peak_activation_bytes"),
    ):
        assert child["costs"][name] == counted[scale] / 1e6


def test_the_card_of_an_export_says_what_it_is(
    run_dir: pathlib.Path, search_dir: pathlib.Path, version_dir: pathlib.Path
) -> None:
    child = json.loads((search_dir / f"child_{BUDGETS[-1]}.json").read_text())
    card = json.loads((version_dir / "child.json").read_text())
    assert card["architecture"] == child["architecture"]
    assert card["macs"] / 1e6 == child["costs"]["mflops"]
    assert card["params"] / 1e6 == child["costs"]["params_m"]
    assert card["peak_activation_bytes"] / 1e6 == child["costs"]["activation_mb"]
    accuracy = {"split": "test", "top1": child["reporting_top1"], "images": 360}
    assert card["accuracy"] == accuracy
    # As many as there are, not as many as were asked for.
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
    search_dir: pathlib.Path, family_dir: pathlib.Path
) -> None:
    config = (family_dir / "models.config").read_text()
    for budget in BUDGETS:
        version = family_dir / f"child_{budget}" / "1"
        child = json.loads((search_dir / f"child_{budget}.json").read_text())
        card = json.loads((version / "child.json").read_text())
        assert card["architecture"] == child["architecture"]
        assert card["licence"] == LICENCE
        assert json.loads((version / "labels.json").read_text()) == LABELS
        assert str(version.parent) in config


@pytest.mark.parametrize("names", ["{}", "[1, 2]", '["a", "b"]', '["a", "\\ud800"]'])
def test_labels_that_do_not_fit_are_refused(
    forks: Forks, run_dir: pathlib.Path, tmp_path: pathlib.Path, names: str
) -> None:
    path = tmp_path / "names.json"
    path.write_text(names)
    flags = {"model_dir": run_dir, "architecture": "smallest", "output_dir": tmp_path / "e"}
    error = commands.refuse(forks, "export", labels=path, **flags)
    assert f"labels: {path}" in error
    assert not (tmp_path / "e").exists()


def test_a_folder_without_a_search_is_refused(
    forks: Forks, run_dir: pathlib.Path, search_dir: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    flags = {"model_dir": run_dir, "output_dir": tmp_path / "e"}
    error = commands.refuse(forks, "export", search_dir=tmp_path, **flags)
    assert f"{tmp_path}/search.json cannot be read" in error
    (tmp_path / "search.json").write_text("{}")
    error = commands.refuse(forks, "export", search_dir=tmp_path, **flags)
    assert "or not what tools.search writes: no 'settings'" in error
    result = json.loads((search_dir / "search.json").read_text()) | {"selected": [{}]}
    (tmp_path / "search.json").write_text(json.dumps(result))
    error = commands.refuse(forks, "export", search_dir=tmp_path, **flags)
    damaged = f"{tmp_path}/search.json is damaged, or not what tools.search writes"
    assert f"{damaged}: selected[0] has no 'name'" in error


@pytest.mark.parametrize(
    ("part", "field", "value", "words"),
    [
        ("source", "index_sha256", "0" * 64, "now holds another checkpoint"),
        ("selection", "batch_size", None, "which images it used ('batch_size')"),
        ("selection", "batch_size", "x", "which images it used"),
        ("train_data", "images", "x", "unknown key 'task.train_data.images'"),
        ("train_data", "cache", "x", "task.train_data.cache is 'x'; expected bool"),
        ("train_data", "source", "folder", "cannot be opened (data: source='folder' needs input_"),
    ],
)
def test_a_family_of_other_weights_or_images_is_refused(
    forks: Forks,
    run_dir: pathlib.Path,
    search_dir: pathlib.Path,
    tmp_path: pathlib.Path,
    part: str,
    field: str,
    value: str | None,
    words: str,
) -> None:
    found = json.loads((search_dir / "search.json").read_text())
    found["settings"].setdefault(part, {})[field] = value
    if value is None:
        del found["settings"][part][field]
    (tmp_path / "search.json").write_text(json.dumps(found))
    flags = {"model_dir": run_dir, "output_dir": tmp_path / "e", "search_dir": tmp_path}
    error = commands.refuse(forks, "export", **flags)
    assert words in error
    assert not (tmp_path / "e").exists()


def test_a_folder_that_cannot_be_written_is_refused(
    forks: Forks, run_dir: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "file").write_text("")
    flags = {"architecture": "smallest", "output_dir": tmp_path / "file"}
    assert "is not a writable folder" in commands.refuse(
        forks, "export", model_dir=run_dir, **flags
    )


def test_predict_answers_as_the_session_does(
    forks: Forks, version_dir: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    ((patches, _),) = digits.batches("test[:2]", 2)
    paths = [tmp_path / f"{index}.png" for index in range(2)]
    for path, patch in zip(paths, patches, strict=True):
        path.write_bytes(tf.io.encode_png(patch).numpy())
    printed = commands.run(forks, "predict", *map(str, paths), export_dir=version_dir)
    answers = [json.loads(line) for line in printed.splitlines()]
    request = ("serving_default", {"images": patches.numpy()})
    (answer,) = verify.session_answers(version_dir, [request])
    assert isinstance(answer, dict), answer
    served = answer["probabilities"]
    assert [answer["image"] for answer in answers] == list(map(str, paths))
    assert [answer["label"] for answer in answers] == served.argmax(-1).tolist()
    assert [answer["name"] for answer in answers] == [LABELS[label] for label in served.argmax(-1)]
    probabilities = [answer["probability"] for answer in answers]
    np.testing.assert_allclose(probabilities, served.max(-1), atol=1e-5)


def test_predict_refuses_what_is_no_image_or_no_export(
    forks: Forks, version_dir: pathlib.Path, run_dir: pathlib.Path
) -> None:
    path = str(run_dir / "params.yaml")
    error = commands.refuse(forks, "predict", path, export_dir=version_dir)
    assert f"{path} is neither JPEG nor PNG" in error
    error = commands.refuse(forks, "predict", path, export_dir=run_dir)
    assert f"{run_dir} is not the folder of an exported version: give the folder of one" in error
    error = commands.refuse(forks, "predict", path, export_dir=version_dir.parent)
    assert error.endswith(f"exported version: it holds version 1; give {version_dir}")
