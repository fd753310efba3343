"""From a run to other formats and to every runtime, as a user types it."""

from __future__ import annotations

import json
import pathlib
import shutil

import numpy as np
import pytest

import bignas_tf as bignas
from tests import limits
from tests.forks import Forks
from tests.shared_runs import LICENCE

pytestmark = pytest.mark.slow


def _run(forks: Forks, tool: str, *arguments: str, code: int = 0, **flags: object) -> str:
    """Runs a tool that must exit with `code`; returns what it printed, or its error."""
    given = [f"--{flag}={value}" for flag, value in flags.items()]
    done = forks.run(f"tools.{tool}", *given, *arguments)
    assert done.returncode == code, done.stderr
    return f"{done.stdout}\n{done.stderr.splitlines()[-1]}" if code else done.stdout


def test_an_export_has_a_card_for_people(version_dir: pathlib.Path) -> None:
    card = json.loads((version_dir / "child.json").read_text())
    text = (version_dir / "card.md").read_text()
    top1 = card["accuracy"]["top1"]
    error = 100 * np.sqrt(top1 * (1 - top1) / 360)
    assert f"{100 * top1:.2f} ± {error:.2f}% (standard error) on 360 images of `test`" in text
    assert f"multiply-adds: {card['macs']:,}" in text
    assert f"licence: {LICENCE}" in text
    assert card["source"]["index_sha256"] in text


def test_conversion_reports_and_verification_runs_what_is_installed(
    forks: Forks, run_dir: pathlib.Path, version_dir: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    broken = shutil.copytree(version_dir, tmp_path / "1")
    flags = {"model_dir": run_dir, "export_dir": broken}
    printed = _run(forks, "convert", formats="float32", **flags)
    assert "float32: outside XNNPACK: 1 CAST" in printed
    assert f"{LICENCE}\0".encode() in (broken / "converted" / "child_float32.tflite").read_bytes()
    report = json.loads((broken / "converted" / "report.json").read_text())
    assert report["images"] == 360
    assert report["formats"]["saved_model"]["top1_lost_standard_error"] == 0.0
    (broken / "saved_model.pb").write_bytes(b"no graph")
    printed = _run(forks, "verify_export", str(broken), code=1)
    lines = {line[:28].strip(): line[28:] for line in printed.splitlines()}
    assert "saved_model.pb is damaged" in lines["C API session"]
    assert " ok" in lines["LiteRT float32"]
    assert "skipped: child_int8.tflite was not made" in lines["LiteRT int8"]
    failed = "C API session, saved_model_cli, Python without this project"
    assert printed.endswith(f"error: {broken} failed in: {failed}")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("child.json", "[]", "child.json is damaged, or not what tools.export writes: the file is"),
        ("labels.json", '{"0": "nought"}', "labels.json is {'0': 'nought'}; it takes a list"),
    ],
)
def test_a_damaged_export_is_named(
    forks: Forks,
    run_dir: pathlib.Path,
    version_dir: pathlib.Path,
    tmp_path: pathlib.Path,
    name: str,
    content: str,
    words: str,
) -> None:
    for each in ("child.json", "labels.json"):
        shutil.copy(version_dir / each, tmp_path)
    (tmp_path / name).write_text(content)
    assert words in _run(forks, "convert", model_dir=run_dir, export_dir=tmp_path, code=2)


def test_an_export_that_may_not_be_read_is_named(run_dir: pathlib.Path) -> None:
    run = bignas.load(run_dir)
    with limits.public_folder() as folder:
        (folder / "1").mkdir()
        with (
            limits.forbidden(folder / "1"),
            pytest.raises(bignas.UsageError, match=r"/1/child\.json cannot be read \(Permission"),
        ):
            bignas.convert(run, folder / "1", show=None)


def test_the_export_of_another_run_and_unknown_formats_are_refused(
    forks: Forks, run_dir: pathlib.Path, version_dir: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    card = json.loads((version_dir / "child.json").read_text())
    card["source"]["index_sha256"] = "0"
    (tmp_path / "child.json").write_text(json.dumps(card))
    error = _run(forks, "convert", model_dir=run_dir, export_dir=tmp_path, code=2)
    assert "now holds another checkpoint" in error
    flags = {"model_dir": run_dir, "export_dir": version_dir, "formats": "int4"}
    assert "format is 'int4'; choose from" in _run(forks, "convert", code=2, **flags)
    flags["formats"] = ""
    assert "no format is given: choose from" in _run(forks, "convert", code=2, **flags)
    assert "give one folder" in _run(forks, "verify_export", code=2)
    assert "give one folder" in _run(forks, "verify_export", "a", "--export_dir=b", code=2)
    said = _run(forks, "verify_export", f"--export_dir={tmp_path}", code=2)
    assert f"{tmp_path} is not the folder of an exported version" in said
