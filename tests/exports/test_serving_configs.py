"""models.config lists every model, whoever writes it at the same time."""

from __future__ import annotations

import pathlib
import shutil
import threading
from concurrent import futures

import pytest
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from bignas_tf import errors
from bignas_tf.exports import serving_configs
from tests.exports.listing import listed

NAMES = ["child_1", "child_2"]
_ROUNDS = 20


def _add(base: pathlib.Path, name: str, version: str = "1") -> None:
    folder = base / name / version
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"")


def test_exports_at_once_are_all_listed(tmp_path: pathlib.Path) -> None:
    def export(base: pathlib.Path, name: str, ready: threading.Barrier) -> None:
        ready.wait()
        _add(base, name)
        serving_configs.update(base)

    # One of two that wrote what it had seen before would lose the other in two rounds of five.
    for number in range(_ROUNDS):
        base, ready = tmp_path / str(number), threading.Barrier(len(NAMES))
        base.mkdir()
        with futures.ThreadPoolExecutor(len(NAMES)) as pool:
            list(pool.map(lambda name, base=base, ready=ready: export(base, name, ready), NAMES))
        assert listed(base) == NAMES


def test_two_models_of_one_name_are_never_listed(tmp_path: pathlib.Path) -> None:
    """An export, and another in its folder "child": the server would not start."""
    _add(tmp_path, ".")
    _add(tmp_path, "child")
    for folder in (tmp_path, tmp_path / "child"):
        serving_configs.update(folder)
        assert listed(folder) == ["child"]


def test_folders_without_a_graph_are_no_models(tmp_path: pathlib.Path) -> None:
    _add(tmp_path, "child_2", "10")
    (tmp_path / "photos" / "2024").mkdir(parents=True)
    _add(tmp_path, "converted", "float32")
    _add(tmp_path, ".unverified-abc")
    serving_configs.update(tmp_path)
    assert listed(tmp_path) == ["child_2"]


def test_they_are_written_again_only_where_other_models_are_there(tmp_path: pathlib.Path) -> None:
    _add(tmp_path, "child_1")
    assert serving_configs.update(tmp_path)
    config = tmp_path / serving_configs.MODELS_FILE
    mine = config.read_text().replace("}", "model_version_policy { all {} } }", 1)
    mine = mine.replace("child_1", "mine", 1)  # its name
    config.write_text(mine)
    assert not serving_configs.update(tmp_path)
    assert config.read_text() == mine
    _add(tmp_path, "child_2")
    assert serving_configs.update(tmp_path)
    assert listed(tmp_path) == ["child_2", "mine"]
    assert "model_version_policy" in config.read_text()
    shutil.rmtree(tmp_path / "child_1")
    assert serving_configs.update(tmp_path)
    assert listed(tmp_path) == ["child_2"]


def test_names_stay_and_none_is_given_twice(tmp_path: pathlib.Path) -> None:
    """Of a folder that is reached by a link, too, and where an export adds a model."""
    (tmp_path / "real").mkdir()
    base = tmp_path / "link"
    base.symlink_to("real")
    _add(base, "child_1")
    (base / "latest").symlink_to("child_1")  # a model of its own
    assert serving_configs.update(base)
    config = base / serving_configs.MODELS_FILE
    config.write_text(config.read_text().replace('"child_1"', '"child_2"').replace("real", "link"))
    mine = config.read_text()
    assert not serving_configs.update(base)
    _add(base, "child_2")
    assert serving_configs.update(base)
    assert listed(base) == ["child_2", "child_2_", "latest"]
    assert config.read_text().startswith(mine.rstrip("}\n "))
    shutil.rmtree(base / "child_2")
    assert serving_configs.update(base)
    assert config.read_text() == mine


def test_a_folder_that_was_moved_gets_entries_of_its_new_place(tmp_path: pathlib.Path) -> None:
    for name in NAMES:
        _add(tmp_path / "old", name)
    assert serving_configs.update(tmp_path / "old")
    (tmp_path / "old").rename(tmp_path / "new")
    assert serving_configs.update(tmp_path / "new")
    assert listed(tmp_path / "new") == NAMES
    assert f"{tmp_path}/old" not in (tmp_path / "new" / serving_configs.MODELS_FILE).read_text()


def _policy(base: pathlib.Path, name: str, version: int) -> None:
    """Pins a model to a version, as a user does who rolls back."""
    config = base / serving_configs.MODELS_FILE
    pin = f"model_version_policy {{ specific {{ versions: {version} }} }}"
    text = config.read_text()
    assert text.count(f'name: "{name}"') == 1
    config.write_text(text.replace(f'name: "{name}"', f'name: "{name}" {pin}'))


@pytest.mark.parametrize("alone", [True, False])
def test_what_a_user_wrote_goes_along_with_a_folder_that_is_moved(
    tmp_path: pathlib.Path, alone: bool
) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    names = ["."] if alone else NAMES
    for name in names:
        _add(old, name)
    serving_configs.update(old)
    name = "child" if alone else NAMES[0]
    _policy(old, name, 1)
    before = (old / serving_configs.MODELS_FILE).read_text()
    shutil.copytree(old, new)
    assert serving_configs.update(new)
    after = (new / serving_configs.MODELS_FILE).read_text()
    assert "versions: 1" in after
    assert str(old) not in after
    assert after.count("config {") == before.count("config {")
    serving_configs.check_pins(new)


def test_models_of_other_folders_stay_and_so_do_comments_in_a_copy(tmp_path: pathlib.Path) -> None:
    """A server has one file of models, so people add theirs to it, also one of the same name."""
    base, other = tmp_path / "base", tmp_path / "other"
    _add(base, "child_1")
    serving_configs.update(base)
    for folder in (base, other):
        _add(folder, "child_2")
    config = base / serving_configs.MODELS_FILE
    content = text_format.Parse(config.read_text(), model_server_config_pb2.ModelServerConfig())
    content.model_config_list.config.add(name="previous", base_path=f"{other}/child_2")
    config.write_text(f"# by hand\n{text_format.MessageToString(content)}")
    assert serving_configs.update(base)
    assert listed(base) == ["child_1", "child_2", "previous"]
    assert f'"{other}/child_2"' in config.read_text()
    assert f'"{base}/child_2"' in config.read_text()
    assert "by hand" in (base / f"{serving_configs.MODELS_FILE}.old").read_text()
    shutil.rmtree(other)
    assert serving_configs.update(base)
    assert listed(base) == ["child_1", "child_2"]


def test_a_pin_to_a_version_that_is_gone_is_refused(tmp_path: pathlib.Path) -> None:
    _add(tmp_path, "child_1", "2")
    _add(tmp_path, "child_1", "10")
    serving_configs.update(tmp_path)
    _policy(tmp_path, "child_1", 2)
    serving_configs.check_pins(tmp_path)
    assert serving_configs.held_back(tmp_path / "child_1" / "2") == ""
    _add(tmp_path, "child_1", "3_old")  # no version
    told = serving_configs.held_back(tmp_path / "child_1" / "10")
    assert "models.config pins 'child_1' to version 2, which servers keep" in told
    shutil.rmtree(tmp_path / "child_1" / "2")
    with pytest.raises(errors.UsageError, match=r"pins version 2 of 'child_1', .* there are 10$"):
        serving_configs.check_pins(tmp_path)


def test_a_tuned_batching_is_kept(tmp_path: pathlib.Path) -> None:
    _add(tmp_path, "child_1")
    serving_configs.update(tmp_path)
    batching = tmp_path / serving_configs.BATCHING_FILE
    batching.write_text("max_batch_size { value: 8 }\n")
    _add(tmp_path, "child_2")
    assert serving_configs.update(tmp_path)
    assert batching.read_text() == "max_batch_size { value: 8 }\n"


def test_a_damaged_file_is_refused_and_kept_where_it_is_written_anew(
    tmp_path: pathlib.Path,
) -> None:
    _add(tmp_path, "child_1")
    serving_configs.update(tmp_path)
    config = tmp_path / serving_configs.MODELS_FILE
    whole = config.read_text()
    for damaged in (whole.rstrip("}\n "), whole.rstrip()[:-1], f"{whole}unknown: 1\n", "\xff"):
        config.write_bytes(damaged.encode("latin-1"))
        with pytest.raises(errors.UsageError, match=r"models.config cannot be read \(.*; mend it"):
            serving_configs.check(tmp_path)
        assert serving_configs.update(tmp_path)
        kept = tmp_path / f"{serving_configs.MODELS_FILE}.old"
        assert kept.read_bytes() == damaged.encode("latin-1")
        assert config.read_text() == whole
