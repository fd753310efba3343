"""The wheel: what is in it, and the command `bignas` where there is no checkout.

It is built with the setuptools of requirements.txt.
"""

from __future__ import annotations

import email
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence

import pytest
import yaml

from bignas_tf import commands
from tests.selection import digits

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDERS = ("bignas_tf", "tools", "experiments")
FILES = ("pyproject.toml", "setup.py", "README.md", "LICENSE", *map(str, ROOT.glob("*.txt")))
_PIP = (sys.executable, "-m", "pip", "--quiet", "--isolated", "--disable-pip-version-check")
_OFFLINE = ("--no-index", "--no-deps", "--no-build-isolation")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A copy, because a build leaves folders behind."""
    copy = tmp_path_factory.mktemp("checkout")
    for folder in FOLDERS:
        ignored = shutil.ignore_patterns("__pycache__", "results")
        shutil.copytree(ROOT / folder, copy / folder, ignore=ignored)
    for file in FILES:
        shutil.copy(ROOT / file, copy)
    return copy


@pytest.fixture(scope="module")
def wheel(checkout: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([*_PIP, "wheel", *_OFFLINE, f"--wheel-dir={folder}", checkout], check=True)
    (path,) = folder.iterdir()
    return path


class Installed:
    """The wheel in its own folder; what it needs comes from the environment of the tests."""

    def __init__(self, wheel: pathlib.Path, folder: pathlib.Path) -> None:
        subprocess.run([*_PIP, "install", *_OFFLINE, f"--target={folder}", wheel], check=True)
        self.folder = folder

    def bignas(self, *arguments: str, cwd: pathlib.Path) -> subprocess.CompletedProcess[str]:
        return self.run([str(self.folder / "bin" / "bignas"), *arguments], cwd)

    def run(self, command: Sequence[str], cwd: pathlib.Path) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"PYTHONPATH": str(self.folder)}
        return subprocess.run(
            command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300
        )


@pytest.fixture(scope="module")
def installed(wheel: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return Installed(wheel, tmp_path_factory.mktemp("installed"))


def _names(wheel: pathlib.Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def _relative(folder: str, pattern: str) -> set[str]:
    return {path.relative_to(ROOT / folder).as_posix() for path in (ROOT / folder).rglob(pattern)}


def test_one_package_lands_beside_those_of_others(wheel: pathlib.Path) -> None:
    top = {name.partition("/")[0] for name in _names(wheel)}
    assert {name for name in top if not name.endswith(".dist-info")} == {"bignas_tf"}
    assert len(top) == 2


def test_the_wheel_has_every_module_and_every_experiment(wheel: pathlib.Path) -> None:
    names = _names(wheel)
    inside = {name.removeprefix("bignas_tf/") for name in names if name.startswith("bignas_tf/")}
    # The scripts for Google Cloud copy a checkout to the TPU's hosts.
    tools = {name for name in _relative("tools", "*.py") if not name.startswith("gcp/")}
    modules = _relative("bignas_tf", "*.py") | {f"tools/{name}" for name in tools}
    experiments = {f"experiments/{name}" for name in _relative("experiments", "*.yaml")}
    assert inside == modules | experiments | {"py.typed", "demo.zip"}
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_the_requirements_are_those_of_the_checkout(wheel: pathlib.Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (path,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        metadata = email.message_from_bytes(archive.read(path))
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    pins = {line.partition("#")[0].strip() for line in lines} - {""}
    required = {each for each in metadata.get_all("Requires-Dist", []) if ";" not in each}
    assert required == pins
    assert metadata["License-Expression"] == "Apache-2.0"
    assert f"\nversion: {metadata['Version']}\n" in (ROOT / "CITATION.cff").read_text()


def test_a_sub_command_answers_outside_a_checkout(
    installed: Installed, tmp_path: pathlib.Path
) -> None:
    done = installed.bignas("cost", "--architecture=BigNASModel-S", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["macs"] == 241949056


def test_help_speaks_of_bignas_alone(installed: Installed, tmp_path: pathlib.Path) -> None:
    overview = installed.bignas("--help", cwd=tmp_path)
    assert overview.returncode == 0
    for name in commands.NAMES:
        done = installed.bignas(name, "--help", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        summary = done.stdout.partition("\n")[0]
        assert re.search(rf"^  {name} +{re.escape(summary)}$", overview.stdout, re.MULTILINE)
        for said in (done.stdout, overview.stdout):
            assert not re.search(r"python -m|\btools\.[a-z]", said)


def test_one_tool_starts_another_even_from_within_a_checkout(installed: Installed) -> None:
    code = (
        "import subprocess; from bignas_tf import commands\n"
        "print(commands.spelling('serve'), commands.process('serve')[1:], flush=True)\n"
        "subprocess.run([*commands.process('cost'), '--architecture=BigNASModel-S'], check=True)"
    )
    done = installed.run([sys.executable, "-P", "-c", code], cwd=ROOT)
    assert done.returncode == 0, done.stderr
    how, answer = done.stdout.splitlines()
    assert how == "bignas serve ['-P', '-m', 'bignas_tf.tools.serving.start']"
    assert json.loads(answer)["params"] == 4521252


def test_a_mention_of_a_tool_is_translated_but_no_path_is(
    installed: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "what tools.export wrote; python -m tools.serving.start; /a/tools.export, tools.exports"
    code = f"from bignas_tf import commands; print(commands.translated({text!r}))"
    done = installed.run([sys.executable, "-P", "-c", code], cwd=ROOT)
    expected = "what bignas export wrote; bignas serve; /a/tools.export, tools.exports\n"
    assert done.stdout == expected
    assert commands.translated(text) == text
    # As .venv/bin/bignas of a checkout calls it.
    monkeypatch.setenv("BIGNAS_BY_NAME", "1")
    assert commands.translated(text) == expected.rstrip()
    assert commands.spelling("serve") == "bignas serve"


def test_training_takes_a_packaged_experiment(installed: Installed, tmp_path: pathlib.Path) -> None:
    tiny = {
        "task": {
            "model": {"search_space": "space.yaml"},
            "train_data": {"base_size": 8, "global_batch_size": 4},
            "sandwich": {"num_random": 0},
            "evaluation": {"children": []},
        },
        "trainer": digits.EXPERIMENT["trainer"],
    }
    (tmp_path / "space.yaml").write_text(yaml.safe_dump(digits.SPACE))
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(tiny))
    flags = ("--config_file=digits.yaml", "--config_file=tiny.yaml", "--model_dir=run")
    done = installed.bignas("train", *flags, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    written = json.loads((tmp_path / "run" / "command.json").read_text())
    assert written["command"] == f"bignas train {' '.join(flags)}"
    assert "source: digits" in (tmp_path / "run" / "params.yaml").read_text()


def test_an_editable_install_runs_the_checkout(
    checkout: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    target = tmp_path / "site"
    subprocess.run([*_PIP, "install", *_OFFLINE, f"--target={target}", "-e", checkout], check=True)
    code = (
        # A folder of --target is not searched for .pth files, as site-packages is.
        f"import site; site.addsitedir({str(target)!r})\n"
        "import bignas_tf; print(bignas_tf.__file__)\n"
        "from bignas_tf.tools import bignas; bignas.main()"
    )
    command = [sys.executable, "-P", "-c", code, "cost", "--architecture=BigNASModel-S"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    file, answer = done.stdout.splitlines()
    assert file == str(checkout / "bignas_tf" / "__init__.py")
    assert json.loads(answer)["macs"] == 241949056


def test_a_checkout_has_the_command_too(tmp_path: pathlib.Path) -> None:
    """`make env` makes it; here from a copy of the Makefile, in a folder with a space."""
    root = tmp_path / "a checkout"
    (root / ".venv" / "bin").mkdir(parents=True)
    for name in ("bignas_tf", "tools"):
        (root / name).symlink_to(ROOT / name)
    shutil.copy(ROOT / "Makefile", root)
    python = root / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    subprocess.run(["make", "--silent", ".venv/bin/bignas"], cwd=root, check=True)
    command = [root / ".venv" / "bin" / "bignas", "cost", "--architecture=smallest"]
    printed = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert json.loads(printed.stdout)["macs"] > 0
