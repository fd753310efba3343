"""The quickstart on folders of images that it has not seen before, without a YAML file."""

from __future__ import annotations

import contextlib
import io
import json
import pathlib
import re
import signal

import numpy as np
import pytest
import yaml
from PIL import Image
from sklearn import datasets

import bignas_tf as bignas
from bignas_tf.training import initial_weights
from tests.data import photos
from tests.forks import ROOT, Forks
from tests.processes import Process
from tests.selection import digits
from tests.tools import commands
from tools import own_images, training_time

pytestmark = pytest.mark.slow

MINUTES = 0.001  # the least number of steps
TRAINED = 0.002
BUDGET = 0.05
SPACE = bignas.search_space_of("bignas_small")


def _no_trial(*_: str, **__: str) -> str:
    raise AssertionError("so short a run is not worth a trial")


def _range(classes: int, channels: int) -> str:
    """What a message says of the multiply-adds of the space's children."""
    sides = SPACE.eval_resolutions
    ends = (SPACE.smallest(), min(sides)), (SPACE.biggest(), max(sides))
    costs = [bignas.cost(SPACE, SPACE.with_resolution(*end), classes, channels) for end in ends]
    return "from {} to {} M".format(*(cost.macs / 1e6 for cost in costs))


def _make_smaller(config: pathlib.Path) -> None:
    """Edits a configuration as its user might: a smaller space, and less to train and to search."""
    stages = [{"widths": [8, 12], "depths": [1], "kernels": [3], "expands": [2], "stride": 2}]
    space = digits.SPACE | {
        "stages": stages, "base_resolution": 28, "eval_resolutions": [8, 10]
    }  # fmt: skip
    (config.parent / "space.yaml").write_text(yaml.safe_dump(space))
    values = yaml.safe_load(config.read_text())
    values["task"]["model"]["search_space"] = str(config.parent / "space.yaml")
    values["task"]["evaluation"] = {"children": []}
    values["task"]["sandwich"] = {"num_random": 0}
    values["task"]["selection"] |= {
        "resolutions": [8, 10], "depth_multipliers": [1.0], "rounds": 1, "mutants": 1
    }  # fmt: skip
    values["trainer"] |= digits.EXPERIMENT["trainer"]
    config.write_text(yaml.safe_dump(values))


@pytest.fixture(scope="module")
def quick(forks: Forks, tmp_path_factory: pytest.TempPathFactory) -> tuple[pathlib.Path, str]:
    """The folder of a run on a small colour folder without splits, and what was printed."""
    folder = tmp_path_factory.mktemp("quick")
    images = photos.write(folder / "photos", {"cat": 50, "dog": 50, "owl": 30})
    (images / "owl" / "late.webp").write_bytes(b"RIFF")
    with contextlib.redirect_stdout(io.StringIO()) as chosen:
        path, _ = own_images.prepare(str(images), str(folder / "run"), MINUTES, _no_trial)
    _make_smaller(pathlib.Path(path))
    # As if a quickstart had been interrupted after its training: the plain model trains as long as
    # the supernet did, which would be minutes on a busy machine.
    commands.run(
        forks, "train", experiment="bignas_small", config_file=path, model_dir=folder / "run"
    )
    (folder / "run" / training_time.FILE).write_text(json.dumps({"minutes": TRAINED}))
    flags = {
        "images": images,
        "minutes": MINUTES,
        "budgets_mflops": BUDGET,
        "run_dir": f"{folder / 'run'}/",  # as the shell completes it
    }
    done = forks.run("tools.quickstart", *commands.arguments(flags), fork_children=True)
    assert done.returncode == 0, done.stderr
    return folder / "run", chosen.getvalue() + done.stdout


def test_sigterm_reaches_the_training_and_its_step_is_saved(tmp_path: pathlib.Path) -> None:
    images, run_dir = photos.write(tmp_path / "photos", {"cat": 60, "dog": 60}), tmp_path / "run"
    with contextlib.redirect_stdout(io.StringIO()):
        path, _ = own_images.prepare(str(images), str(run_dir), MINUTES, _no_trial)
    _make_smaller(pathlib.Path(path))
    values = yaml.safe_load(pathlib.Path(path).read_text())
    values["trainer"] |= {"train_steps": 100_000, "steps_per_loop": 1, "summary_interval": 1}
    pathlib.Path(path).write_text(yaml.safe_dump(values))
    flags = commands.arguments(
        {"images": images, "minutes": MINUTES, "budgets_mflops": BUDGET, "run_dir": run_dir}
    )
    # Its tools are modules of the checkout.
    with Process("tools.quickstart", *flags, environment={"PYTHONPATH": str(ROOT)}) as quickstart:
        quickstart.until("step 5/")
        quickstart.send(signal.SIGTERM)
        code, said = quickstart.end()
    assert code == 1, said
    assert re.search(r"^error: stopped by SIGTERM; step \d+ is saved", said, re.M)
    assert said.endswith("error: train stopped with exit code 1\n")


@pytest.mark.parametrize("budgets", ["x", "nan", "", "0", "4,"])
def test_budgets_are_checked_before_anything_is_trained(
    forks: Forks, tmp_path: pathlib.Path, budgets: str
) -> None:
    error = commands.refuse(forks, "quickstart", run_dir=tmp_path / "run", budgets_mflops=budgets)
    assert "is not a positive number" in error or "no budget" in error
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("run_dir", ["photos", "photos/run", "."])
def test_a_run_among_the_images_is_refused(
    forks: Forks, tmp_path: pathlib.Path, run_dir: str
) -> None:
    images = photos.write(tmp_path / "photos", {"cat": 60, "dog": 60})
    before = sorted(tmp_path.rglob("*"))
    flags = {"images": images, "run_dir": tmp_path / run_dir}
    assert "one is in the other" in commands.refuse(forks, "quickstart", **flags)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("budgets", ["1,100", "0.5,4"])
def test_budgets_outside_the_costs_of_the_children_are_refused_before_anything_is_trained(
    forks: Forks, tmp_path: pathlib.Path, budgets: str
) -> None:
    run_dir = tmp_path / "run"
    wrong = next(text for text in budgets.split(",") if not 1 <= float(text) <= 10)
    fits = "no" if float(wrong) < 1 else "every"
    error = commands.refuse(forks, "quickstart", run_dir=run_dir, budgets_mflops=budgets)
    assert f"{fits} child fits budget mflops={wrong};" in error
    for experiment in ("fashion_mnist", "digits"):  # whichever it would be
        task = bignas.configure("bignas_small", [f"experiments/{experiment}.yaml"]).task
        assert task.model.search_space == SPACE.name
        assert _range(task.train_data.num_classes, task.train_data.channels) in error
    images = photos.write(tmp_path / "photos", {"cat": 60, "dog": 60})
    error = commands.refuse(
        forks, "quickstart", images=images, run_dir=run_dir, budgets_mflops=budgets
    )
    assert _range(2, 3) in error
    assert not run_dir.exists()


def test_a_run_is_not_continued_on_other_images(
    forks: Forks, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = [
        str(photos.write(tmp_path / name / "photos", {"cat": 60, "dog": 60})) for name in "ab"
    ]
    run_dir = str(tmp_path / "run")
    path, budgets = own_images.prepare(folders[0], run_dir, MINUTES, _no_trial)
    before = pathlib.Path(path).read_bytes()
    error = commands.refuse(forks, "quickstart", images=folders[1], run_dir=run_dir)
    assert f"{path} is of a run on {folders[0]}, and --images is {folders[1]}; " in error
    assert "or if the images have only moved, set task.train_data.input_path in that file" in error
    # By another name they are the same images, with the configuration that is there.
    (tmp_path / "link").symlink_to(folders[0])
    capsys.readouterr()
    again = own_images.prepare(str(tmp_path / "link"), run_dir, 60.0, _no_trial)
    assert again == (path, budgets)
    printed = capsys.readouterr().out
    assert f"continuing the run of {path} on {tmp_path / 'link'}, for as many steps" in printed
    assert pathlib.Path(path).read_bytes() == before


def test_budgets_of_a_run_that_is_continued_are_those_of_its_own_space(
    tmp_path: pathlib.Path,
) -> None:
    images = str(photos.write(tmp_path / "photos", {"cat": 60, "dog": 60}))
    path, _ = own_images.prepare(images, str(tmp_path / "run"), MINUTES, _no_trial)
    _make_smaller(pathlib.Path(path))
    again = own_images.prepare(images, str(tmp_path / "run"), MINUTES, _no_trial, [BUDGET])
    assert again == (path, [BUDGET])
    with pytest.raises(bignas.UsageError, match=r"every child fits .*=4; .* of 'digits'"):
        own_images.prepare(images, str(tmp_path / "run"), MINUTES, _no_trial, [4.0])


@pytest.mark.parametrize("text", ["task: {", "task: 3", "task: {train_data: {input_path: null}}"])
def test_a_configuration_that_cannot_be_read_is_named(tmp_path: pathlib.Path, text: str) -> None:
    images = str(photos.write(tmp_path / "photos", {"cat": 60, "dog": 60}))
    path = tmp_path / "quickstart.yaml"
    path.write_text(text)
    with pytest.raises(bignas.UsageError, match=f"^{path} is damaged, or not what .* writes: "):
        own_images.prepare(images, str(tmp_path), MINUTES, _no_trial)


def test_a_colour_folder_goes_through_to_an_export_a_report_and_a_table(
    quick: tuple[pathlib.Path, str],
) -> None:
    run_dir, printed = quick
    for name in ("quickstart.yaml", "search/child_0.05.json", "export/1/saved_model.pb"):
        assert (run_dir / name).is_file()
    assert (run_dir / "report.html").is_file()
    table = printed[printed.rindex("\nbudget (M)") :].splitlines()
    assert [line.split("  ")[0].strip() for line in table[2:4]] == ["", "plain Keras"]
    assert any(line.lstrip().startswith("0.05 ") for line in table)
    plain = json.loads((run_dir / "plain_keras.json").read_text())
    assert plain["steps"] >= 1
    assert plain["minutes"] == TRAINED
    assert "minutes; as many as the supernet took)" in table[3]
    assert plain["images"] == 20  # 15% of 130
    assert f"configuration:  {run_dir}/quickstart.yaml" in table
    report = (run_dir / "report.html").read_text()
    assert f"({plain['steps']:,} steps of fit): top-1 {100 * plain['top1']:.2f} ± " in report


def test_it_says_what_was_found_and_chosen(quick: tuple[pathlib.Path, str]) -> None:
    run_dir, printed = quick
    assert "130 images (all 130), 3 classes, colour, 24 px" in printed
    assert "not read: 1 .webp\n" in printed
    data = yaml.safe_load((run_dir / "quickstart.yaml").read_text())["task"]["train_data"]
    assert (data["base_size"], data["channels"], data["tfds_split"]) == (28, 3, "all[:90]")


def test_the_configuration_can_be_trained_on(quick: tuple[pathlib.Path, str]) -> None:
    run_dir, printed = quick
    override = f"task.init_checkpoint={run_dir}"
    assert f"--config_file={run_dir}/quickstart.yaml --params_override={override}," in printed
    assert f"--model_dir={run_dir}_longer\n" in printed
    config = bignas.configure("bignas_small", [run_dir / "quickstart.yaml"], override)
    start = initial_weights.load(config.task, bignas.search_space_of(run_dir / "space.yaml"))
    assert start.step == config.trainer.train_steps


def test_grey_pictures_in_splits_are_prepared(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images, labels = datasets.load_digits(return_X_y=True)
    for index, (pixels, label) in enumerate(zip(images[:600], labels[:600], strict=True)):
        folder = tmp_path / "digits" / ("test" if index % 5 == 0 else "train") / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        grey = np.kron(pixels.reshape(8, 8) * (255 / 16), np.ones((2, 2))).astype(np.uint8)
        Image.fromarray(grey).save(folder / f"{index}.png")
    folders = str(tmp_path / "digits"), str(tmp_path / "run")
    path, _ = own_images.prepare(*folders, MINUTES, _no_trial)
    printed = capsys.readouterr().out
    assert "600 images (test 120, train 480), 10 classes, grey, 16 px" in printed
    data = bignas.configure("bignas_small", [path]).task.train_data
    assert (data.channels, data.flip, data.tfds_split) == (1, False, "train[:408]")


def test_a_folder_for_data_that_cannot_be_written_does_not_end_in_digits(
    forks: Forks, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "file").touch()
    flags = {"data_dir": tmp_path / "file" / "data", "run_dir": tmp_path / "run"}
    done = forks.run("tools.quickstart", *commands.arguments(flags))
    assert done.returncode == 2
    assert "file/data" in done.stderr
    assert "digits" not in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("images", "side", "words"),
    [
        ({"cat": 30, "dog": 30}, 16, "has 60 images of 2 classes; at least 100 are needed"),
        ({"cat": 120}, 16, "has one class, 'cat'; at least two are needed: add a folder"),
        (
            {"train/cat": 60, "train/dog": 60, "test/cat": 30},
            16,
            "class 'dog' in one split only ('dog' in 'train')",
        ),
        ({"cat": 60, "dog": 60}, 6, "6 pixels wide or high"),
        ({"cat": 60, "dog": 0}, 16, "class 'dog' without a JPEG or PNG image"),
    ],
)
def test_what_cannot_be_learned_from_is_refused_with_advice(
    forks: Forks, tmp_path: pathlib.Path, images: dict[str, int], side: int, words: str
) -> None:
    photos.write(tmp_path / "photos", images, side=side)
    run_dir = tmp_path / "run"
    error = commands.refuse(forks, "quickstart", images=tmp_path / "photos", run_dir=run_dir)
    assert words in error
    assert not run_dir.exists()


def test_images_of_another_kind_are_named(forks: Forks, tmp_path: pathlib.Path) -> None:
    images = tmp_path / "photos"
    for name in ("cat", "dog"):
        (images / name).mkdir(parents=True)
        (images / name / "1.webp").write_bytes(b"RIFF")
    error = commands.refuse(forks, "quickstart", images=images, run_dir=tmp_path / "run")
    assert "holds no images" in error
    assert "2 .webp" in error


@pytest.mark.parametrize("minutes", [0, -1, "nan"])
def test_minutes_that_are_none_are_refused(
    forks: Forks, tmp_path: pathlib.Path, minutes: object
) -> None:
    photos.write(tmp_path / "photos", {"cat": 60, "dog": 60}, side=8)
    error = commands.refuse(
        forks,
        "quickstart",
        images=tmp_path / "photos",
        minutes=minutes,
        run_dir=tmp_path / "run",
    )
    assert "it takes a number above 0" in error
