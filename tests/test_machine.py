"""What is said of the machine and of the packages that results depend on."""

from __future__ import annotations

import json
import pathlib

import pytest

from bignas_tf import machine


def test_versions_are_those_of_what_is_installed(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "tensorflow_tpu-2.20.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Name: tensorflow-tpu\nVersion: 2.20.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert machine.version("there-is-no-such-package", "tensorflow-tpu") == "2.20.0"
    assert machine.version("numpy", "tensorflow-tpu") == machine.versions()["numpy"]
    assert machine.version("there-is-no-such-package") == "unknown"
    assert "unknown" not in machine.versions().values()


def test_all_that_is_said_of_a_machine_is_json() -> None:
    described = machine.describe()
    assert json.loads(json.dumps(described)) == described
    assert machine.title() == f"{described['processor']}, {described['cores']} cores"
