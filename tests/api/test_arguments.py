"""Arguments are checked as a tool's flags are, before anything is scored or measured."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Callable
from concurrent import futures
from typing import Any

import numpy as np
import pytest
import tensorflow as tf  # noqa: F401  (the devices of the whole test run are set when it is in)

import bignas_tf as bignas
from bignas_tf import plain
from bignas_tf.api import arguments
from tests.selection import made_up_searches

NO_RUN: Any = None  # nothing of it may be looked at
NO_CONFIG: Any = None
NUMBER: Any = 5


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"children": 0}, "children is 0; it takes a whole number from 1"),
        ({"children": 2.5}, "children is 2.5; it takes a whole number from 1"),
        ({"children": True}, "children is True; it takes a whole number from 1"),
        ({"seed": -1}, "seed is -1; it takes a whole number from 0"),
        ({"images": -5}, "images is -5; it takes a whole number from 0"),
    ],
)
def test_a_judgement_that_cannot_be_made_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(bignas.UsageError, match=words):
        bignas.judge(NO_RUN, **given)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"children": 1}, "children is 1; it takes a whole number from 2"),
        ({"threads": 0}, "threads is 0; it takes a whole number from 1"),
    ],
)
def test_a_latency_table_that_cannot_be_compared_is_refused(
    tmp_path: pathlib.Path, given: dict[str, Any], words: str
) -> None:
    with pytest.raises(bignas.UsageError, match=words):
        bignas.latency_table("bignas_small", tmp_path / "t.json", **given)
    assert list(tmp_path.iterdir()) == []


def test_numbers_of_a_search_and_a_conversion_are_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(bignas.UsageError, match="threads is 0; it takes a whole number from 1"):
        bignas.search(NO_RUN, ["litert_ms=1"], tmp_path / "search", threads=0)
    with pytest.raises(bignas.UsageError, match="calibration_images is 0; it takes a whole"):
        bignas.convert(NO_RUN, tmp_path, calibration_images=0)
    with pytest.raises(bignas.UsageError, match="is 7, which only int8 reads; the formats are flo"):
        bignas.convert(NO_RUN, tmp_path, ["float32"], calibration_images=7)
    assert list(tmp_path.iterdir()) == []


def test_text_that_cannot_be_stored_is_refused() -> None:
    assert arguments.text("licence", "© 2026") == "© 2026"
    with pytest.raises(bignas.UsageError, match=r"^licence .*lone surrogates"):
        arguments.text("licence", "caf\udcff")


def test_the_folder_of_a_run_is_no_run(tmp_path: pathlib.Path) -> None:
    folder: Any = "runs/demo"
    words = r"run is 'runs/demo'; give what `train` returns, or `load` of its folder"
    uses: list[Callable[[], object]] = [
        lambda: bignas.search(folder, ["mflops=1"], tmp_path),
        lambda: bignas.evaluate(folder, "smallest"),
        lambda: bignas.confusion(folder, "smallest"),
        lambda: bignas.judge(folder),
        lambda: bignas.child(folder, "smallest"),
        lambda: bignas.export(folder, "smallest", tmp_path),
        lambda: bignas.export_family(folder, tmp_path, tmp_path),
        lambda: bignas.export_cascade(folder, tmp_path, tmp_path),
        lambda: bignas.convert(folder, tmp_path),
        lambda: bignas.finetune(folder, "smallest", NO_CONFIG, tmp_path),
        lambda: bignas.baseline(folder),
    ]
    for use in uses:
        with pytest.raises(bignas.UsageError, match=words):
            use()
    with pytest.raises(bignas.UsageError, match="config is 'bignas_small'; give what `configure`"):
        bignas.train("bignas_small", tmp_path)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        *(("backbone", "version"), ("finish_exports", "folder"), ("import_supernet", "checkpoint")),
        *(("read_baseline", "model_dir"), ("read_search", "folder"), ("report", "model_dir")),
        *(("unpack_demo", "model_dir"), ("verify", "version"), ("load", "model_dir")),
    ],
)
def test_what_is_no_path_is_refused(name: str, argument: str) -> None:
    call, given = getattr(bignas, name), {argument: None}
    if name == "import_supernet":
        given |= {"source": "attentive_nas", "model_dir": "run"}
    with pytest.raises(bignas.UsageError, match=f"^{argument} is None; it takes a path$"):
        call(**given)


def test_a_number_is_no_space_and_nothing_no_folder(tmp_path: pathlib.Path) -> None:
    with pytest.raises(bignas.UsageError, match=r"^search space is 5; it takes a path$"):
        bignas.search_space_of(NUMBER)
    for folders in ((None, tmp_path), (tmp_path, None)):
        with pytest.raises(bignas.UsageError, match=r"_dir is None; it takes a path$"):
            bignas.select(folders[0], ["mflops=3"], folders[1])  # type: ignore[arg-type]


def test_a_file_is_no_configuration(tmp_path: pathlib.Path) -> None:
    uses: list[Callable[[], object]] = [
        lambda: bignas.save_images("photos.yaml", tmp_path),  # type: ignore[arg-type]
        lambda: bignas.training_strategy("photos.yaml"),  # type: ignore[arg-type]
    ]
    for use in uses:
        with pytest.raises(bignas.UsageError, match=r"config is 'photos\.yaml'; give what `conf"):
            use()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"accuracy": "0.9"}, "^accuracy is '0.9'; it takes a number$"),
        ({"mean_cost": float("nan")}, "^mean_cost is nan; it takes a number$"),
        ({"cascade": ("child_1", "child_4")}, "^cascade is .*; it takes a Cascade, or its text$"),
    ],
)
def test_what_no_cascade_can_be_made_of_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(bignas.UsageError, match=words):
        bignas.export_cascade(NO_RUN, "search", "models", **given)


def test_a_name_is_no_configuration_of_the_garden(tmp_path: pathlib.Path) -> None:
    for call in (bignas.train_garden, lambda *given: bignas.export_garden(*given, tmp_path)):
        with pytest.raises(bignas.UsageError, match=r"^config is 'retinanet'; give what"):
            call("retinanet", tmp_path)  # type: ignore[arg-type]


def test_training_in_another_thread_is_refused(tmp_path: pathlib.Path) -> None:
    config = bignas.configure("bignas_small")
    with futures.ThreadPoolExecutor(1) as pool:
        training = pool.submit(bignas.train, config, tmp_path)
    with pytest.raises(bignas.UsageError, match="call it in the main thread"):
        training.result()


def test_a_budget_may_be_read_twice_and_given_alone() -> None:
    budget = bignas.budget(bignas.budget("mflops=4"))
    assert dict(budget.limits) == {"mflops": 4.0}
    bignas.check_budgets("bignas_small", budget, num_classes=10, input_channels=1)
    assert bignas.budget({"mflops": np.float32(4)}) == budget  # as search.json has them
    with pytest.raises(bignas.UsageError, match="a budget has no limit"):
        bignas.budget({})
    with pytest.raises(bignas.UsageError, match="objective is 1; choose from"):
        bignas.check_budgets("bignas_small", {1: 2, "mflops": 3})  # type: ignore[dict-item]
    with pytest.raises(bignas.UsageError, match=r"an architecture has the fields .*'1', 'a'"):
        bignas.cost("bignas_small", {1: 2, "a": 3})  # type: ignore[dict-item]


def test_numbers_from_the_least_to_the_most_pass() -> None:
    assert plain.whole("seed", np.int64(0), 0) == 0
    assert type(plain.whole("classes", np.int64(9), 1, 9)) is int
    with pytest.raises(
        bignas.UsageError, match=r"^classes is 10; it takes a whole number from 1 t"
    ):
        plain.whole("classes", 10, 1, 9)


def test_a_cost_takes_the_whole_numbers_of_numpy_too() -> None:
    child = "bignas_small", "smallest"
    counted = bignas.cost(*child, num_classes=np.int64(10), input_channels=np.uint8(1))
    assert counted == bignas.cost(*child, num_classes=10, input_channels=1)
    assert {type(figure) for figure in counted} == {int}
    with pytest.raises(bignas.UsageError, match=r"^num_classes is True; it takes a whole number"):
        bignas.cost(*child, num_classes=True)
    with pytest.raises(bignas.UsageError, match=r"^input_channels is 0; it .* from 1 to 16384$"):
        bignas.cost(*child, input_channels=0)


@pytest.mark.parametrize("minutes", [0.0, -1.0, float("nan"), float("inf"), "1", True])
def test_a_baseline_of_no_time_is_refused(minutes: Any) -> None:
    with pytest.raises(bignas.UsageError, match="it takes a number above 0"):
        bignas.baseline(NO_RUN, minutes=minutes)


def test_budgets_are_checked_without_a_run() -> None:
    small, costs = bignas.search_space_of("bignas_small"), {"num_classes": 10, "input_channels": 1}
    biggest = small.with_resolution(small.biggest(), max(small.eval_resolutions))
    most = bignas.cost(small, biggest, **costs)
    # Each is what the dearest child costs; times are not known before a search.
    bignas.check_budgets(small, [f"mflops={most.macs / 1e6}", "litert_ms=1e-9"], **costs)
    bignas.check_budgets("bignas_small", [f"params_m={most.params / 1e6}"], **costs)
    beyond = most.params / 1e6 + 1e-6
    with pytest.raises(bignas.UsageError, match=r"^every child fits .*params_m=.*; parameters"):
        bignas.check_budgets(small, [f"mflops=4,params_m={beyond:.6f}"], **costs)
    with pytest.raises(bignas.UsageError, match="no budget was given"):
        bignas.check_budgets(small, [], **costs)
    with pytest.raises(
        bignas.UsageError, match=r"^a budget's objective is 'litert'; choose from \['mf"
    ):
        bignas.check_budgets(small, ["mflops=4", "litert=4"], **costs)
    with pytest.raises(bignas.UsageError, match=r"^budget 4: write it as in 'mflops=4'$"):
        bignas.check_budgets(small, [4], **costs)  # type: ignore[list-item]


def test_a_single_value_is_a_list_of_one() -> None:
    path, budget = pathlib.Path("a.yaml"), bignas.Budget({"mflops": 4.0})
    for single in ("int8", path, budget, 28):
        assert arguments.listed(single) == [single]
    assert arguments.listed(("int8", path)) == ["int8", path]
    assert arguments.listed(()) == []


def test_text_in_place_of_a_list_is_not_taken_apart(tmp_path: pathlib.Path) -> None:
    formats = r"^format is 'int4'; choose from"
    with pytest.raises(bignas.UsageError, match=formats):
        bignas.convert(NO_RUN, tmp_path, "int4")
    with pytest.raises(bignas.UsageError, match=formats):
        bignas.finetune(NO_RUN, "smallest", NO_CONFIG, tmp_path, formats="int4")
    with pytest.raises(bignas.UsageError, match=r"is '28x'; choose from"):
        bignas.latency_table("bignas_small", tmp_path / "t.json", resolutions="28x")
    with pytest.raises(bignas.UsageError, match="mflops4"):
        bignas.check_budgets("bignas_small", "mflops4")
    # Mistakes of the whole path, not of a file "n".
    for config_files in ("none.yaml", pathlib.Path("none.yaml")):
        with pytest.raises(bignas.UsageError, match=r"none\.yaml"):
            bignas.configure("bignas_small", config_files)
        with pytest.raises(bignas.UsageError, match=r"none\.yaml"):
            bignas.import_supernet("alphanet", "c.pt", tmp_path, config_files=config_files)
        with pytest.raises(bignas.UsageError, match=r"none\.yaml"):
            bignas.configure_garden("retinanet_bignas", config_files)


def test_the_report_of_one_search_takes_its_folder(tmp_path: pathlib.Path) -> None:
    run = made_up_searches.run(tmp_path / "run", one=made_up_searches.result())
    page = bignas.report(run, search_dirs=run / "one", show=None)
    assert bignas.report(run, search_dirs=str(run / "one"), show=None) == page
    with pytest.raises(bignas.UsageError, match="nowhere/search"):
        bignas.report(run, search_dirs="nowhere", show=None)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: bignas.cost(NUMBER, "smallest"), "run is 5; give what `train` returns"),
        (lambda: bignas.load(NO_RUN), "model_dir is None; it takes a path"),
        (lambda: bignas.verify(NO_RUN), "version is None; it takes a path"),
        (lambda: bignas.configure("bignas_small", NUMBER), "config_files is 5; it takes a path"),
        (lambda: bignas.recipe(NO_RUN), "images is None; it takes a folder's path"),
        (lambda: bignas.recipe("/nowhere"), "images is '/nowhere'; it takes an existing folder"),
        (lambda: bignas.published(NUMBER), "the name of a published child is 5; it takes text"),
        (
            lambda: bignas.train(bignas.configure("bignas_small"), NUMBER),
            "model_dir is 5; it takes",
        ),
    ],
)
def test_what_is_no_path_or_name_is_refused(call: Callable[[], object], words: str) -> None:
    with pytest.raises(bignas.UsageError, match=re.escape(words)):
        call()
