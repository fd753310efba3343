"""Prediction and load test against a server; the commands that start one."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shutil
from collections.abc import Iterator

import numpy as np
import pytest
import tensorflow as tf

from bignas_tf import errors
from bignas_tf.exports import saved_model
from tests import kills
from tests.exports import servables
from tests.forks import Forks
from tests.tools.servers import TIMEOUT_S, RealServer, StandIn
from tools.serving import clients

pytestmark = pytest.mark.slow

SERVER = "tensorflow_model_server"
# The same graph, in other batches: float32 rounding.
TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("export")
    saved_model.export(servables.servable(servables.SPACE.smallest()), str(folder))
    return folder


@pytest.fixture(scope="module", params=["stand-in", SERVER])
def server(request: pytest.FixtureRequest, base: pathlib.Path) -> Iterator[StandIn | RealServer]:
    if request.param == SERVER and shutil.which(SERVER) is None:
        pytest.skip(f"{SERVER} is not on the PATH: nothing here has run against the real server")
    running = StandIn({"child": base / "1"}) if request.param == "stand-in" else RealServer(base)
    yield running
    running.close()


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[pathlib.Path]:
    """Files of several sizes."""
    folder, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    paths = []
    for side in (16, 24, 40):
        pixels = rng.integers(0, 256, (side, side + 3, 3)).astype(np.uint8)
        encode, ending = (tf.io.encode_jpeg, "jpg") if side == 24 else (tf.io.encode_png, "png")
        paths.append(folder / f"{side}.{ending}")
        paths[-1].write_bytes(encode(pixels).numpy())
    return paths


def _predict(
    server: StandIn | RealServer, rest: bool, images: list[bytes], model: str = "child"
) -> list[clients.Prediction]:
    client = clients.connect(server.rest if rest else server.grpc, model, rest, TIMEOUT_S)
    with contextlib.closing(client):
        return client.predict(images)


def _flags(server: StandIn | RealServer, rest: bool) -> list[str]:
    return [f"--server={server.rest}", "--rest"] if rest else [f"--server={server.grpc}"]


@pytest.mark.parametrize("rest", [False, True], ids=["gRPC", "REST"])
def test_a_server_answers_as_the_saved_model(
    server: StandIn | RealServer, rest: bool, base: pathlib.Path, images: list[pathlib.Path]
) -> None:
    encoded = [path.read_bytes() for path in images]
    expected = clients.LocalClient(str(base / "1")).predict(encoded)
    answers = _predict(server, rest, encoded)
    assert len({answer.probabilities[0] for answer in expected}) == len(images)
    for answer, wanted in zip(answers, expected, strict=True):
        assert (answer.classes, answer.labels) == (wanted.classes, wanted.labels)
        np.testing.assert_allclose(answer.probabilities, wanted.probabilities, atol=TOLERANCE)
        assert answer.labels == [servables.LABELS[number] for number in answer.classes]


@pytest.mark.parametrize("rest", [False, True], ids=["gRPC", "REST"])
def test_a_bad_image_is_named_and_the_server_lives_on(
    server: StandIn | RealServer, rest: bool, images: list[pathlib.Path]
) -> None:
    good = images[0].read_bytes()
    with pytest.raises(clients.RefusedError, match=r"^image 1 is neither JPEG nor PNG$"):
        _predict(server, rest, [good, b"nothing"])
    assert len(_predict(server, rest, [good])) == 1


@pytest.mark.parametrize("rest", [False, True], ids=["gRPC", "REST"])
def test_an_unknown_model_is_refused(
    server: StandIn | RealServer, rest: bool, images: list[pathlib.Path]
) -> None:
    with pytest.raises(errors.UsageError, match="does not serve 'other'"):
        _predict(server, rest, [images[0].read_bytes()], "other")


@pytest.mark.parametrize("rest", [False, True], ids=["gRPC", "REST"])
def test_predict_prints_what_the_server_says(
    forks: Forks,
    server: StandIn | RealServer,
    rest: bool,
    base: pathlib.Path,
    images: list[pathlib.Path],
) -> None:
    paths = list(map(str, images))
    asked = forks.run("tools.predict", *_flags(server, rest), *paths)
    alone = forks.run("tools.predict", f"--export_dir={base / '1'}", *paths)
    assert (asked.returncode, alone.returncode) == (0, 0), asked.stderr + alone.stderr
    for line, wanted in zip(asked.stdout.splitlines(), alone.stdout.splitlines(), strict=True):
        answer, expected = json.loads(line), json.loads(wanted)
        for both in ("image", "label", "name"):
            assert answer[both] == expected[both]
        assert answer["probability"] == pytest.approx(expected["probability"], abs=TOLERANCE)
        assert answer["top"][0] == [answer["name"], answer["probability"]]


def test_predict_takes_folders(
    forks: Forks, base: pathlib.Path, images: list[pathlib.Path], tmp_path: pathlib.Path
) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    for path, place in zip(images, ("a/b/2.PNG", "1.jpeg"), strict=False):
        shutil.copy(path, tmp_path / place)
    (tmp_path / "a" / "notes.txt").write_text("none")
    for hidden in (".checkpoints/a.png", "._a.png"):
        (tmp_path / hidden).parent.mkdir(exist_ok=True)
        (tmp_path / hidden).write_bytes(b"no image")
    os.mkfifo(tmp_path / "pipe.png")
    run = "tools.predict", f"--export_dir={base / '1'}"
    done = forks.run(*run, str(tmp_path), str(images[0]))
    assert done.returncode == 0, done.stderr
    assert f"{tmp_path}: ignored files: 1 .txt\n" in done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    places = [tmp_path / "1.jpeg", tmp_path / "a" / "b" / "2.PNG", images[0]]
    assert [answer["image"] for answer in answers] == list(map(str, places))
    assert answers[1]["top"] == answers[2]["top"]
    (tmp_path / "empty").mkdir()
    done = forks.run(*run, str(tmp_path / "empty"))
    assert done.returncode == 2
    assert done.stderr.endswith(f"error: {tmp_path / 'empty'} holds no PNG or JPEG file\n")


def test_predict_names_the_file_that_is_no_image(
    forks: Forks, server: StandIn | RealServer, images: list[pathlib.Path], tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "cut.jpg"
    path.write_bytes(images[1].read_bytes()[:-99])
    asked = list(map(str, [images[0], path, images[1]]))
    done = forks.run("tools.predict", f"--server={server.grpc}", *asked)
    assert done.returncode == 2
    warning, error = done.stderr.splitlines()[-2:]
    assert warning.startswith(f"warning: {path} cannot be decoded: it is damaged")
    assert error == "error: 1 of 3 images could not be classified"
    answered = [json.loads(line)["image"] for line in done.stdout.splitlines()]
    assert answered == [asked[0], asked[2]]
    done = forks.run(
        "tools.serving.load_test", f"--server={server.grpc}", *map(str, [*images, path])
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert f"error: {path} cannot be decoded: it is damaged" in done.stderr


@pytest.mark.parametrize("rest", [False, True], ids=["gRPC", "REST"])
def test_the_load_test_reports_each_concurrency(
    forks: Forks, server: StandIn | RealServer, rest: bool, images: list[pathlib.Path]
) -> None:
    flags = [*_flags(server, rest), "--concurrencies=1,3", "--requests=10", "--batch=2"]
    done = forks.run("tools.serving.load_test", *flags, *map(str, images))
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["concurrency"] for row in rows] == [1, 3]
    for row in rows:
        assert (row["requests"], row["failed"]) == (10, 0)
        assert 0 < row["p50_ms"] <= row["p90_ms"] <= row["p99_ms"]
        # Little's law has the mean, and a median is at most twice that; 1% for printed digits.
        busy = row["images_per_s"] / 2 * row["p50_ms"] / 1e3
        assert busy <= 2 * 1.01 * row["concurrency"]


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("predict", ["--server=localhost:1"], "no image was given"),
        ("predict", ["--server=localhost:1", "--export_dir=x", "a.png"], "export_dir"),
        ("predict", ["--server=localhost:1", "/nowhere/a.png"], "/nowhere/a.png cannot be read"),
        ("serving.load_test", ["--server=localhost:1"], "no image was given"),
        ("serving.load_test", ["--server=localhost:1", "--concurrencies=0", "a"], "numbers from 1"),
        ("serving.load_test", ["--server=localhost:1", "/nowhere/a.png"], "cannot be read"),
        (
            "serving.load_test",
            ["--server=localhost:1", "--requests=4", "a"],
            "too few for 8 clients",
        ),
        ("serving.start", ["--export_dir=/nowhere"], "--export_dir=/nowhere is no folder"),
        ("serving.start", ["--export_dir=/proc/tty"], "/proc/tty holds no exported version"),
        ("serving.start", ["--export_dir=gs://b/x"], "--export_dir=gs://b/x is remote; copy it"),
        ("serving.start", ["--export_dir=x", "--image=y"], "--image is for --docker"),
        ("serving.start", ["--export_dir=x", "--port=8501"], "--port and --rest_port are the same"),
        ("predict", ["--export_dir=x", "--model=child_4", "a.png"], "--model and --timeout_s are"),
    ],
)
def test_mistakes_are_one_line(forks: Forks, tool: str, arguments: list[str], words: str) -> None:
    done = forks.run(f"tools.{tool}", *arguments)
    assert done.returncode == 2, done.stderr
    assert words in done.stderr.splitlines()[-1]


def test_start_shows_its_command_line(forks: Forks, base: pathlib.Path) -> None:
    flags = [f"--export_dir={base}", "--show"]
    (line,) = forks.run("tools.serving.start", *flags, "--port=9").stdout.splitlines()
    config = f"--model_config_file={base}/models.config"
    assert line == f"{SERVER} --port=9 --rest_api_port=8501 {config}"
    (line,) = forks.run("tools.serving.start", *flags, "--docker", "--batching").stdout.splitlines()
    assert line == (
        f"docker run --rm --publish=8500:8500 --publish=8501:8501 "
        f"--mount=type=bind,source={base},target={base},readonly tensorflow/serving {config} "
        f"--enable_batching --batching_parameters_file={base}/batching.config"
    )


@pytest.mark.parametrize("place", ["{base}2", "/", "{base}/gone"])
def test_start_lists_what_is_there(
    forks: Forks, base: pathlib.Path, tmp_path: pathlib.Path, place: str
) -> None:
    """The folder was moved, or a model removed."""
    moved = shutil.copytree(base, tmp_path / "moved")
    config = (base / "models.config").read_text()
    (moved / "models.config").write_text(config.replace(str(base), place.format(base=moved)))
    (moved / "batching.config").unlink()
    done = forks.run("tools.serving.start", f"--export_dir={moved}", "--show")
    assert done.returncode == 0, done.stderr
    said = f"{moved}: models.config is written anew, for the models that are there\n"
    assert done.stderr.endswith(said)
    assert (moved / "models.config").read_text() == config.replace(str(base), str(moved))
    assert (moved / "batching.config").read_bytes() == (base / "batching.config").read_bytes()


def test_start_refuses_what_a_server_could_not_use(
    forks: Forks, base: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    moved = shutil.copytree(base, tmp_path / "moved")
    flags = f"--export_dir={moved}", "--show"
    (moved / "models.config").write_text("model_config_list { config { name: 'child'")
    done = forks.run("tools.serving.start", *flags)
    assert (done.returncode, done.stdout) == (2, "")
    assert "models.config cannot be read" in done.stderr
    config = (base / "models.config").read_text().replace(str(base), str(moved))
    pinned = 'name: "child" model_version_policy { specific { versions: 7 } }'
    (moved / "models.config").write_text(config.replace('name: "child"', pinned))
    done = forks.run("tools.serving.start", *flags)
    assert done.returncode == 2
    assert "pins version 7 of 'child'" in done.stderr
    (moved / "params.yaml").touch()
    done = forks.run("tools.serving.start", *flags)
    assert done.returncode == 2
    assert "is the folder of a training run; give that of an export" in done.stderr


def test_start_takes_the_folder_of_versions(forks: Forks, base: pathlib.Path) -> None:
    version = next(base.glob("*/1"), base / "1")
    done = forks.run("tools.serving.start", f"--export_dir={version}", "--show")
    said = f"error: {version} is one version; give the folder of versions, {version.parent}\n"
    assert done.returncode == 2
    assert done.stderr.endswith(said)


def test_start_completes_an_export_that_was_killed(forks: Forks, tmp_path: pathlib.Path) -> None:
    # The version has its name; its configurations are missing.
    assert kills.before_rename(2, kills.PUBLISH.format(names=["child"]), tmp_path)
    assert [path.name for path in tmp_path.glob("[!.]*")] == ["1"]
    done = forks.run("tools.serving.start", f"--export_dir={tmp_path}", "--show")
    assert done.returncode == 0, done.stderr
    assert f"--model_config_file={tmp_path}/models.config" in done.stdout
    assert 'name: "child"' in (tmp_path / "models.config").read_text()


@pytest.mark.skipif(shutil.which(SERVER) is not None, reason=f"{SERVER} is on the PATH")
def test_start_says_when_there_is_no_server(forks: Forks, base: pathlib.Path) -> None:
    done = forks.run("tools.serving.start", f"--export_dir={base}")
    assert done.returncode == 2
    assert f"{SERVER} is not on the PATH" in done.stderr
