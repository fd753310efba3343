"""Experiments that come with the package, by name."""

from __future__ import annotations

import pathlib

import pytest

from bignas_tf import errors, packaged

ROOT = pathlib.Path(__file__).resolve().parent.parent


@pytest.mark.parametrize(
    ("path", "file"),
    [
        ("digits.yaml", "digits.yaml"),
        ("experiments/digits.yaml", "digits.yaml"),
        ("./experiments/digits.yaml", "digits.yaml"),
        ("ablations/small/cosine.yaml", "ablations/small/cosine.yaml"),
        ("experiments/ablations/imagenet/cosine.yaml", "ablations/imagenet/cosine.yaml"),
    ],
)
def test_a_packaged_file_is_found(
    path: str, file: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert packaged.experiment_file(path) == str(ROOT / "experiments" / file)


def test_a_file_of_the_working_directory_comes_first(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pathlib.Path("digits.yaml").touch()
    assert packaged.experiment_file("digits.yaml") == "digits.yaml"
    # But not where the package itself needs its own.
    assert packaged.packaged_file("digits.yaml") == str(ROOT / "experiments" / "digits.yaml")


@pytest.mark.parametrize("path", ["x.txt", "experiments/digit.yaml", "/digits.yaml", "../x.yaml"])
def test_another_is_refused_with_the_names_that_there_are(path: str) -> None:
    with pytest.raises(errors.UsageError) as refusal:
        packaged.experiment_file(path)
    message = str(refusal.value)
    assert message.startswith(f"{path} does not exist; ")
    assert "comes with adaptation.yaml, attentive_nas.yaml, cifar10.yaml, digits.yaml, " in message
    assert ".yaml, ablations/imagenet/*.yaml, ablations/small/*.yaml" in message
    assert ("digits.yaml'?" in message) == ("did you mean '" in message) == ("digit" in path)


def test_a_file_beside_the_one_that_is_missing_may_be_meant(tmp_path: pathlib.Path) -> None:
    (tmp_path / "photos.yaml").touch()
    with pytest.raises(errors.UsageError, match=r"did you mean 'photos\.yaml'\?$"):
        packaged.experiment_file(str(tmp_path / "fotos.yaml"))
    with pytest.raises(errors.UsageError, match=r"did you mean 'digits\.yaml'\?$"):
        packaged.experiment_file(str(tmp_path / "digts.yaml"))
    with pytest.raises(errors.UsageError, match=r"small/\*\.yaml$"):
        packaged.experiment_file(str(tmp_path / "zzz.yaml"))
    with pytest.raises(errors.UsageError, match="does not exist"):
        packaged.experiment_file(f"{'a' * 300}/x.yaml")


def test_a_remote_file_is_left_alone() -> None:
    assert packaged.experiment_file("gs://bucket/digits.yaml") == "gs://bucket/digits.yaml"
