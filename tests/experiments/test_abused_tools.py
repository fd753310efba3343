"""Tools killed, two at once, something lacking: `experiments.abuse` does it to all of them."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import shlex
import signal
import subprocess
import sys
from xml.etree import ElementTree

import pytest
import tensorflow as tf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from bignas_tf import errors, files
from bignas_tf.exports import serving_configs
from bignas_tf.selection import result
from experiments.abuse import kills, lacks, machine, neighbours, small_run, strays, suite, trees
from experiments.abuse.neighbours import Meeting
from experiments.journal import Journal
from tests.forks import LIMIT_S, Forks
from tests.processes import Process
from tests.selection import made_up_searches

COST = small_run.Command("cost", (), "--search_space={folder}/space.yaml --architecture=smallest")
REFUSED = "error: run/journal.jsonl belongs to a search that is running; wait until it ends"


@pytest.fixture
def place(tmp_path: pathlib.Path) -> small_run.Place:
    return small_run.Place(tmp_path)


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "journal.jsonl"


def test_a_tool_is_killed_and_started_again(place: small_run.Place, path: pathlib.Path) -> None:
    lines: list[str] = []
    for _ in range(2):
        with Journal(path, {}) as journal:
            outcome = kills.check(COST, place, 2, 0, journal, lines.append)
        assert (outcome["cases"], outcome["problems"]) == (2, {})
        # The second time both cases are in the journal.
        assert lines == ["cost 1/2: as it should", "cost 2/2: as it should"]


def test_a_tool_that_fails_before_its_kill_is_a_problem(tmp_path: pathlib.Path) -> None:
    wrong = small_run.Command("cost", (), "--architecture=nowhere")
    with pytest.raises(errors.RunError, match="exit code 2 before it was killed: "):
        kills.kill(wrong, tmp_path, LIMIT_S)


def test_two_tools_at_once(place: small_run.Place, path: pathlib.Path) -> None:
    with Journal(path, {}) as journal:
        meeting = Meeting("two costs", (), COST, COST, (COST,))
        outcome = neighbours.check(meeting, place, 3, 0, journal, lambda line: None)
    assert outcome == {"meeting": "two costs", "cases": 3, "refused": 0, "problems": {}}


def test_a_tool_where_something_is_lacking(place: small_run.Place, path: pathlib.Path) -> None:
    tried = [
        lacks.BY_NAME["a plain name"],
        lacks.BY_NAME["a possible path"],
        lacks.BY_NAME["an absolute path"],
        lacks.BY_NAME["a home"],
    ]
    with Journal(path, {}) as journal:
        outcomes = machine.check(COST, tried, place, 1, 0, journal, lambda line: None)
    assert [(each["lack"], each["ended"], each["problems"]) for each in outcomes] == [
        ("a plain name", {"worked": 1}, {}),
        ("a possible path", {"refused": 1}, {}),
        ("an absolute path", {"worked": 1}, {}),
        ("a home", {"worked": 1}, {}),
    ]


@pytest.mark.parametrize(
    ("ends", "problem"),
    [
        ([(0, ""), (0, "warning: slow")], ""),
        ([(0, ""), (2, f"a line\n{REFUSED}\n")], ""),
        ([(2, REFUSED), (2, REFUSED)], "none did its work"),
        ([(0, ""), (2, "error: there is no such folder")], "exit code 2: error: there is no"),
        ([(0, "Traceback (most recent call last):\n  lost\n"), (0, "")], "a traceback: "),
        ([(0, ""), (-9, "")], "exit code -9"),
    ],
)
def test_how_two_tools_may_end(ends: list[tuple[int, str]], problem: str) -> None:
    found = neighbours.problem_of(neighbours.BY_NAME["two searches in a folder"], ends)
    assert found.startswith(problem)
    assert bool(found) == bool(problem)


def test_a_search_is_compared_with_one_of_the_same_step(tmp_path: pathlib.Path) -> None:
    assert neighbours.found_by(tmp_path) is None
    made_up = made_up_searches.result()
    result.write(tmp_path, made_up)
    text = (tmp_path / "search.json").read_text()
    assert neighbours.found_by(tmp_path) == (made_up.source.step, text)


@pytest.mark.parametrize(
    ("code", "said", "ended"),
    [
        (0, "a warning", "worked"),
        (1, "a warning\nerror: x cannot be written: No space left on device", "refused"),
        # What clears a line of progress ends as a line does.
        (1, "50%|###\r      \rerror: x cannot be written: No space left on device", "refused"),
        (1, "error: x cannot be written: No space left on device\nand more", "failed"),
        (1, "error: one\nerror: No space left on device", "failed"),
        (1, "error: it did not verify", "failed"),
        (1, f"error: No space left on device {'x' * 2000}", "failed"),
        (3, "error: No space left on device", "failed"),
        (-6, "", "failed"),
        (1, "Traceback (most recent call last):\nerror: No space left on device", "failed"),
    ],
)
def test_how_a_tool_may_end_on_a_full_disk(code: int, said: str, ended: str) -> None:
    found, problem = machine.judge(code, [], said, lacks.BY_NAME["room on the disk"])
    assert found == ended
    assert bool(problem) == (ended == "failed")


def test_only_a_lack_of_memory_may_end_a_process() -> None:
    assert machine.judge(-6, [], "terminate called", lacks.BY_NAME["memory"]) == ("aborted", "")
    assert machine.judge(2, [], "error: no such file", lacks.BY_NAME["a home"])[0] == "failed"


def test_only_a_lack_of_memory_lets_a_tool_do_without_a_part_and_it_says_so() -> None:
    warned = ["0.02: 15.61%", "warning: 2 of 28 children failed, at 8 px: MemoryError"]
    assert machine.judge(0, warned, "", lacks.BY_NAME["memory"]) == ("did without a part", "")
    assert machine.judge(0, warned[:1], "", lacks.BY_NAME["memory"]) == ("worked", "")
    assert machine.judge(0, warned, "", lacks.BY_NAME["a network"]) == ("worked", "")


def test_a_process_that_cannot_even_tell_its_error_has_not_succeeded(forks: Forks) -> None:
    statement = "import os; os.close(2); raise ValueError"
    assert forks.run("timeit", "-n1", "-r1", statement).returncode == 1


def test_a_process_may_end_before_a_signal_reaches_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with Process("timeit", "-n1", "-r1", "pass") as process:
        code, _ = process.end()
        monkeypatch.setattr(Process, "running", True)  # as it was a moment ago
        process.send(signal.SIGTERM)
    assert code == 0


def test_what_a_tool_leaves_is_compared() -> None:
    right = trees.agreeing({"a": "1", "times": "2"}, {"a": "1", "times": "3"})
    assert trees.difference(right, {"a": "1", "times": "4"}) == ""
    assert trees.difference(right, {"a": "1"}) == "missing: times"
    assert trees.difference(right, {"a": "2", "times": "3"}) == "other bytes: a"
    more = {"a": "1", "times": "3", ".unverified-x": "5"}
    assert trees.difference(right, more) == "left: .unverified-x"
    assert trees.lost(right, more) == ""
    with pytest.raises(errors.RunError, match="different files"):
        trees.agreeing({"a": "1"}, {"b": "1"})


def test_the_order_of_a_graph_s_nodes_is_not_compared(tmp_path: pathlib.Path) -> None:
    found = []
    for names in (["a", "b"], ["b", "a"], ["b", "c"]):
        model = SavedModel()
        function = model.meta_graphs.add().graph_def.library.function.add()
        for name in names:
            function.node_def.add(name=name)
        (tmp_path / "saved_model.pb").write_bytes(model.SerializeToString())
        found.append(trees.tree(tmp_path))
    assert found[0] == found[1] != found[2]
    (tmp_path / "saved_model.pb").write_bytes(b"cut off")
    assert trees.tree(tmp_path).keys() == found[0].keys()


def test_the_name_of_a_folder_is_not_compared(tmp_path: pathlib.Path) -> None:
    """However a file spells it: a record of the command, and a server's configuration."""
    found = []
    for name in ("plain", "l'été & <目录>"):
        folder = tmp_path / name
        (folder / "1").mkdir(parents=True)
        (folder / "1" / "saved_model.pb").touch()
        command = shlex.join(["export", f"--model_dir={folder}/run"])
        files.write_json(folder / "command.json", {"command": command})
        serving_configs.update(folder)
        found.append(trees.tree(folder))
    assert found[0] == found[1]


def test_what_a_tool_left_running_is_found(tmp_path: pathlib.Path) -> None:
    assert strays.left(tmp_path) == ""
    waits = [sys.executable, "-S", "-c", "print(flush=True); input()"]
    variables = os.environ | strays.variables(tmp_path)
    pipe = subprocess.PIPE
    with subprocess.Popen(waits, env=variables, stdin=pipe, stdout=pipe) as process:
        assert process.stdout is not None
        process.stdout.readline()  # before its first word, its variables may not be in place yet
        assert strays.left(tmp_path, 0).endswith("-S -c print(flush=True); input()")
        assert strays.left(tmp_path / "other", 0) == ""
        process.kill()
    assert strays.left(tmp_path) == ""


def test_files_in_different_folders_are_compared_without_their_paths(
    tmp_path: pathlib.Path,
) -> None:
    found = []
    for name in ("plain", "é &"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "file").write_text(f"{folder}/run {json.dumps(str(folder))}")
        found.append(trees.tree(folder))
    assert found[0] == found[1]


def test_examples_are_compared_whatever_the_order_of_their_features(
    tmp_path: pathlib.Path,
) -> None:
    image, label, other = (
        tf.train.Features(feature={name: tf.train.Feature(int64_list={"value": [value]})})
        for name, value in (("image", 1), ("label", 2), ("label", 3))
    )
    found = []
    for number, features in enumerate([(image, label), (label, image), (image, other)]):
        packed = b"".join(each.SerializeToString() for each in features)
        folder = tmp_path / str(number)
        folder.mkdir()
        with tf.io.TFRecordWriter(str(folder / "x.tfrecord-00000-of-00001")) as writer:
            writer.write(b"\n" + bytes([len(packed)]) + packed)  # field 1 of tf.train.Example
        found.append(trees.tree(folder))
    assert found[0] == found[1] != found[2]


def test_half_a_file_of_examples_is_compared_as_it_is(tmp_path: pathlib.Path) -> None:
    (tmp_path / "x.tfrecord").write_bytes(b"half")
    half = trees.tree(tmp_path)
    (tmp_path / "x.tfrecord").write_bytes(b"hall")
    assert trees.difference(half, trees.tree(tmp_path)) == "other bytes: x.tfrecord"


def test_a_command_line_takes_a_folder_with_a_space() -> None:
    plain = dataclasses.replace(COST, words=())
    assert plain.arguments("a b")[1] == "--search_space=a b/space.yaml"


def test_the_suite_in_random_order(tmp_path: pathlib.Path, path: pathlib.Path) -> None:
    names = "abcdefgh"
    tests = tmp_path / "tests"
    for file in ("test_one.py", "test_two.py"):
        # Another passes unless the first has run before it.
        body = [f"def test_{name}():\n    seen.append({name!r})" for name in names]
        lines = ["seen = []", *body, "def test_late():\n    assert not seen"]
        files.write_text(tests / file, "\n".join(lines) + "\n")
    with Journal(path, {}) as journal:
        runs = suite.check(tmp_path, 3, 0, 1, journal, tests)
    assert [run["order"] for run in runs] == [0, 1, 2]
    assert all(run["passed"] + run["problem"].count("test_late") == 18 for run in runs)
    assert any("test_one::test_late" in run["problem"] for run in runs)
    orders = [_tests_of(tmp_path / f"suite_{run['order']}.xml") for run in runs]
    assert orders[0] != orders[1]
    assert {order[0].partition("::")[0] for order in orders} == {"test_one", "test_two"}


def test_a_run_that_ends_badly_without_a_failed_test_is_a_problem(
    tmp_path: pathlib.Path, path: pathlib.Path
) -> None:
    (tmp_path / "tests").mkdir()
    with Journal(path, {}) as journal:
        (run,) = suite.check(tmp_path, 1, 0, 1, journal, tmp_path / "tests")
    assert run["problem"] == "ended with exit code 5; see suite_0.txt"


def _tests_of(report: pathlib.Path) -> list[str]:
    cases = ElementTree.parse(report).iter("testcase")
    return [f"{case.get('classname')}::{case.get('name')}" for case in cases]
