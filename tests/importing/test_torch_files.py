"""Files of PyTorch are read as they were saved, and nothing in them is run."""

from __future__ import annotations

import contextlib
import os
import pathlib
import pickle
import zipfile
from typing import Any

import numpy as np
import pytest

from bignas_tf import errors
from bignas_tf.importing import torch_files
from tests.importing.goldens import ATTENTIVE_NAS, FILES

both_formats = pytest.mark.parametrize("name", ["zip.pth", "legacy.pth"])


@both_formats
def test_tensors_come_back_as_they_were_saved(name: str) -> None:
    # torch.save of: a transposed arange, halves, a scalar, nothing, and two views of one storage.
    content = torch_files.read(FILES / name)
    assert (content["epoch"], content["names"]) == (3, ["x", ["y", 2]])
    state = content["state_dict"]
    np.testing.assert_array_equal(state["a.weight"], [[0, 3], [1, 4], [2, 5]])
    np.testing.assert_array_equal(state["half"], np.array([1.5, -2.0], np.float16))
    np.testing.assert_array_equal(state["bfloat"], np.array([1.5, -3.0], np.float32))
    assert (state["long"].shape, state["long"].dtype, int(state["long"])) == ((), np.int64, 7)
    assert state["empty"].shape == (0, 3)
    np.testing.assert_array_equal(state["shared"], [2, 3, 4, 5])
    np.testing.assert_array_equal(state["again"], [4, 5, 6, 7, 8, 9])


def test_objects_of_others_code_are_left_out() -> None:
    content = torch_files.read(ATTENTIVE_NAS)
    assert content["args"] is None  # an object of their class Config
    assert content["state_dict"]["module.first_conv.conv.conv.weight"].shape == (8, 3, 3, 3)


class _Attack:
    """Unpickled as usual, it would make a file."""

    def __init__(self, made: pathlib.Path) -> None:
        self.made = made

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.made}",)


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_file_is_not_run(tmp_path: pathlib.Path, zipped: bool) -> None:
    made, path = tmp_path / "made", tmp_path / "attack.pth"
    attack = pickle.dumps({"epoch": 1, "state_dict": _Attack(made)})
    if zipped:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("attack/data.pkl", attack)
    else:
        head = [pickle.dumps(each) for each in (0x1950A86A20F9469CFC6C, 1001)]
        sizes = pickle.dumps({"little_endian": True})
        path.write_bytes(b"".join([*head, sizes, attack, pickle.dumps([])]))
    assert torch_files.read(path) == {"epoch": 1, "state_dict": None}
    assert not made.exists()
    pickle.loads(attack)  # the same bytes, read without care
    assert made.exists()


def _archive(path: pathlib.Path, compressed: bool, **files: bytes) -> pathlib.Path:
    """A zip archive as PyTorch makes them, of such files."""
    with zipfile.ZipFile(path, "w", 8 if compressed else 0) as archive:
        for name, content in files.items():
            archive.writestr(f"a/{name.replace('__', '.')}", content)
    return path


def test_a_list_that_holds_itself_many_times_is_read_once(tmp_path: pathlib.Path) -> None:
    nested: list[Any] = []
    for _ in range(40):
        nested = [nested, nested]
    content = torch_files.read(_archive(tmp_path / "a.pth", False, data__pkl=pickle.dumps(nested)))
    for _ in range(40):
        assert content[0] is content[1]
        content = content[0]
    assert content == []


@pytest.mark.parametrize(
    ("shape", "strides"), [((150_000_000,), (0,)), ((2,), (1,)), ((-1,), (1,)), ((1,), (-1,))]
)
def test_a_tensor_larger_than_its_numbers_is_refused(
    tmp_path: pathlib.Path, shape: tuple[int, ...], strides: tuple[int, ...]
) -> None:
    tensor = torch_files._Tensor(("0", "<f4", 1), 0, shape, strides, halved=False)
    with pytest.raises(ValueError, match="reaches beyond its storage"):
        tensor.filled(np.zeros(1, np.float32))


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({"compressed": True, "data__pkl": pickle.dumps(1)}, "compressed, which PyTorch does not"),
        ({"compressed": False, "version": b"3"}, "without one data.pkl"),
        (
            {"compressed": False, "data__pkl": pickle.dumps(1), "byteorder": b"big"},
            "numbers are big-endian",
        ),
    ],
)
def test_an_archive_that_pytorch_does_not_make_is_refused(
    tmp_path: pathlib.Path, files: dict[str, Any], problem: str
) -> None:
    path = _archive(tmp_path / "a.pth", **files)
    with pytest.raises(errors.UsageError, match=problem):
        torch_files.read(path)


def test_an_encrypted_archive_is_refused(tmp_path: pathlib.Path) -> None:
    path = _archive(tmp_path / "a.pth", False, data__pkl=pickle.dumps(1))
    content = bytearray(path.read_bytes())
    content[6] |= 1  # of the file's own header, and of the archive's list
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(errors.UsageError, match="encrypted"):
        torch_files.read(path)


def test_a_file_changes_nothing_of_the_reader(tmp_path: pathlib.Path) -> None:
    attack = b"ctorch._utils\n_rebuild_parameter\n(N}X\x0c\0\0\0__defaults__K\x05\x85stb."
    path = _archive(tmp_path / "a.pth", False, data__pkl=attack)
    with pytest.raises(errors.UsageError, match="is not a file that PyTorch saved"):
        torch_files.read(path)


def test_an_object_with_a_large_number_takes_no_memory(tmp_path: pathlib.Path) -> None:
    # LONG_BINPUT: an empty list is object 4,294,967,295 of the file, a table of 34 GB.
    attack = b"\x80\x02]r\xff\xff\xff\xff."
    path = _archive(tmp_path / "a.pth", False, data__pkl=attack)
    assert torch_files.read(path) == []


@both_formats
def test_a_cut_file_is_refused(name: str, tmp_path: pathlib.Path) -> None:
    whole, path = (FILES / name).read_bytes(), tmp_path / "cut.pth"
    for length in range(0, len(whole), 23):
        path.write_bytes(whole[:length])
        with pytest.raises(errors.UsageError, match=r"cut\.pth is not a file that PyTorch saved"):
            torch_files.read(path)


@both_formats
def test_a_flipped_bit_is_refused_or_changes_values_alone(
    name: str, tmp_path: pathlib.Path
) -> None:
    whole, path = (FILES / name).read_bytes(), tmp_path / "flipped.pth"
    rng = np.random.default_rng(0)
    for place in rng.integers(0, len(whole), 200):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        with contextlib.suppress(errors.UsageError):
            torch_files.read(path)


def test_what_is_no_such_file_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.UsageError, match="is not a file; give the checkpoint"):
        torch_files.read(tmp_path)
    text = tmp_path / "text.pth"
    text.write_text("weights")
    with pytest.raises(errors.UsageError, match="is not a file that PyTorch saved"):
        torch_files.read(text)
    archive = tmp_path / "archive.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("readme", "nothing")
    with pytest.raises(errors.UsageError, match="is not a file that PyTorch saved"):
        torch_files.read(archive)
