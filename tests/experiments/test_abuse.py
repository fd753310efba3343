"""Damaged files: each reader reads or refuses them; `experiments.abuse` tries thousands."""

from __future__ import annotations

import importlib.util
import pathlib
import sys

import numpy as np
import pytest

from bignas_tf import errors, files
from bignas_tf.selection import judgement as judgement_lib
from bignas_tf.selection import result
from bignas_tf.selection.journal import Journal, Record
from experiments.abuse import damaged, readers, requests
from experiments.abuse.readers import Reader
from experiments.abuse.ways import WAYS
from tests.selection import made_up_judgements, made_up_searches

FORMS = 20
# Their files come of training, or are read with the whole folder of a run.
OF_A_RUN = {"params.yaml", "checkpoint", "ckpt-2000.index", "command.json"}
QUICK = [
    reader
    for reader in readers.READERS
    if reader.file not in OF_A_RUN and not reader.file.startswith("export/")
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A file for every reader that needs no training."""
    folder = tmp_path_factory.mktemp("valid")
    made_up_searches.run(folder)
    found = made_up_searches.result()
    result.write(folder / "search", found)
    judgement_lib.write(folder / judgement_lib.FILE, made_up_judgements.judgement())
    child = found.candidates[0].architecture
    files.write_json(folder / "search" / "child_4.json", child.to_json())
    with Journal(folder / "search" / "journal.jsonl", {"checkpoint": "ckpt-2000"}) as journal:
        for each in found.candidates[:4]:
            journal.add(Record("ranking_top1", each.architecture, 0.5, failure=None))
    readers.make_others(folder)
    return folder


@pytest.mark.parametrize("reader", QUICK, ids=lambda reader: reader.file)
def test_a_damaged_file_is_read_or_refused(folder: pathlib.Path, reader: Reader) -> None:
    outcome = damaged.check(reader, folder, FORMS, seed=0)
    assert outcome.failures == {}
    assert outcome.cases == FORMS
    assert outcome.refused > 0


def test_what_is_neither_is_told(folder: pathlib.Path) -> None:
    path = folder / "budget.txt"

    def careless(where: pathlib.Path) -> None:
        text = path.read_bytes()
        if text != b"mflops=4,params_m=0.2":
            path.write_bytes(b"overwritten")
            assert text.isascii()

    forms: list[bytes] = []
    reader = Reader(path.name, careless, readers.READERS[0].damaged)
    outcome = damaged.check(reader, folder, FORMS, 0, lambda kind, form: forms.append(form))
    assert sum(outcome.failures.values()) == len(forms) > 0
    assert "the file was changed" in outcome.failures
    assert outcome.to_json()["failures"] == outcome.failures
    assert path.read_text() == "mflops=4,params_m=0.2"


def test_forms_do_not_depend_on_what_is_imported(
    folder: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / "budget.txt"
    forms: list[list[bytes]] = [[], []]
    for number in range(2):

        def keep(where: pathlib.Path, number: int = number) -> None:
            forms[number].append(path.read_bytes())

        damaged.check(Reader(path.name, keep, readers.READERS[0].damaged), folder, 100, 0)
        source = tmp_path / "others.py"
        constants = (f"x{n} = {n**5 % 99_991}, {chr(64 + n) * n!r}" for n in range(1, 50))
        source.write_text("\n".join(constants))
        spec = importlib.util.spec_from_file_location("others", source)
        assert spec is not None
        monkeypatch.setitem(sys.modules, "others", importlib.util.module_from_spec(spec))
    assert len(set(forms[0])) > 50
    assert forms[0] == forms[1]


def test_a_folder_that_is_not_of_a_finished_quickstart_names_what_is_missing(
    tmp_path: pathlib.Path,
) -> None:
    for name in (
        "search_space.yaml", "judgement.json", "search/search.json", "export/1/weights.npz",
        "ckpt-2000.index",
    ):  # fmt: skip
        with pytest.raises(
            errors.UsageError, match=f"^--model_dir={tmp_path} is .* has no {name};"
        ):
            readers.check_run(tmp_path)
        files.write_text(tmp_path / name, "")
    readers.check_run(tmp_path)


class _Broken:
    """A way to a server that cannot be reached."""

    closed = False

    def good(self, image: bytes) -> np.ndarray:
        """See `Way`."""
        raise ConnectionError(image)

    def odd(self, rng: np.random.Generator, good: bytes) -> str:
        """See `Way`."""
        raise AssertionError(rng, good)

    def resident_mb(self) -> float:
        """See `Way`."""
        return 0.0

    def close(self) -> None:
        """See `Way`."""
        self.closed = True


def test_a_server_that_never_answers_is_told_and_closed() -> None:
    way = _Broken()
    outcome = requests.check(way, b"", 60, 0)
    assert outcome["failures"] == ["request 0: ConnectionError"]
    assert way.closed


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_a_served_child_lives_through_odd_requests(version_dir: pathlib.Path, way: str) -> None:
    image = requests.good_image(version_dir)
    outcome = requests.check(WAYS[way](version_dir), image, 60, 0)
    assert outcome["failures"] == []
    assert outcome["answered"] + outcome["refused"] == 60
    assert outcome["answered"] > 0
    assert outcome["refused"] > 0
