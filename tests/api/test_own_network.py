"""A network of one's own: trained, continued, judged and searched as the project's own is."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import sys
import types
from typing import Any

import numpy as np
import pytest

import bignas_tf as bignas
from bignas_tf.accuracy import Accuracy
from bignas_tf.api import cards
from bignas_tf.modeling.elastic_model import ElasticModel
from bignas_tf.search_space import presets
from experiments.residual_network import SPACE, ResidualNetwork
from tests.training import runs

NAME = "experiments.residual_network.ResidualNetwork"
# Tracing takes its time by blocks.
SMALL = dataclasses.replace(
    SPACE,
    stages=(dataclasses.replace(SPACE.stages[1], depths=(1,)),),
    train_resolutions=(8, 12),
    eval_resolutions=(8, 12),
    base_resolution=14,
)


def _config(folder: pathlib.Path, overrides: str = "") -> Any:
    (folder / "space.yaml").write_text(presets.to_yaml(SMALL))
    of_digits = "task.selection.calibration_split=train,"
    return runs.parse(folder, f"{of_digits}task.model.network={NAME},{overrides}")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> bignas.Run:
    """Six steps; nothing changes it."""
    folder = tmp_path_factory.mktemp("own_network")
    return bignas.train(_config(folder), folder / "run", show=None)


def test_its_weights_come_back(trained: bignas.Run) -> None:
    loaded = bignas.load(trained.model_dir)
    for run in (trained, loaded):
        assert type(run.supernet) is ResidualNetwork
    pairs = zip(trained.supernet.get_weights(), loaded.supernet.get_weights(), strict=True)
    assert all(np.array_equal(before, after) for before, after in pairs)
    child = trained.space.biggest()
    assert bignas.evaluate(loaded, child) == bignas.evaluate(trained, child)


@pytest.mark.slow
def test_a_continued_run_ends_with_the_same_weights(
    trained: bignas.Run, tmp_path: pathlib.Path
) -> None:
    config = _config(tmp_path, "trainer.train_steps=3")
    bignas.train(config, tmp_path / "run", show=None)
    again = bignas.train(_config(tmp_path), tmp_path / "run", show=None)
    pairs = zip(trained.supernet.get_weights(), again.supernet.get_weights(), strict=True)
    assert all(np.array_equal(whole, continued) for whole, continued in pairs)
    with pytest.raises(bignas.UsageError, match=r"task.model.network was .* and is now ''"):
        bignas.train(_config(tmp_path, "task.model.network=''"), tmp_path / "run", show=None)


def test_it_is_judged_and_searched_by_its_own_costs(
    trained: bignas.Run, tmp_path: pathlib.Path
) -> None:
    judged = bignas.judge(trained, children=1, output=tmp_path / "judgement.json", show=None)
    smallest, _, biggest = judged.children
    assert bignas.cost(trained, "smallest").macs == smallest.macs[8]
    assert smallest.macs[8] == trained.supernet.cost_of(trained.space.smallest()).macs
    middle = (smallest.macs[8] + biggest.macs[12]) / 2e6
    found = bignas.search(
        trained,
        {"mflops": middle},
        tmp_path / "search",
        params_override="task.selection.strategy=random,task.selection.evaluations=4",
        show=None,
    )
    (selected,) = found.selected
    counted = trained.supernet.cost_of(selected.architecture)
    assert selected.costs["mflops"] == counted.macs / 1e6 <= middle
    assert selected.costs["params_m"] == counted.params / 1e6
    searches = [tmp_path / "search"]
    page = bignas.report(
        trained.model_dir, search_dirs=searches, output_dir=tmp_path / "report", show=None
    )
    assert selected.name in page.read_text()


def test_its_children_are_exported_converted_and_answer(
    trained: bignas.Run, tmp_path: pathlib.Path
) -> None:
    child = dataclasses.replace(SMALL.biggest(), resolution=8)  # which is not that of patches
    version = bignas.export(trained, child, tmp_path / "export", show=None)
    card = json.loads((version / "child.json").read_text())
    assert card["network"] == NAME
    assert card["verified"]["signatures"] == [
        "child", "float_images", "image_bytes", "patches", "serving_default"
    ]  # fmt: skip
    assert "its layers are those of `experiments.res" in (version / "card.md").read_text()
    outcomes = bignas.verify(version, show=None)
    assert all(each.passed for each in outcomes)
    assert not outcomes[0].skipped
    report = bignas.convert(trained, version, ["float32", "int8"], calibration_images=16, show=None)
    assert report.formats["float32"].accuracy.top1 == card["accuracy"]["top1"]
    for use in (bignas.backbone, lambda version: bignas.backbone(version, 8, 8)):
        with pytest.raises(bignas.UsageError, match=f"is a child of {NAME}, a network of a user"):
            use(version)


def test_costs_counted_with_numpy_are_written_as_numbers(
    trained: bignas.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = SMALL.smallest()
    counted = trained.supernet.cost_of(child)
    arrays = bignas.Cost(*map(np.int64, counted))
    monkeypatch.setattr(trained.supernet, "cost_of", lambda _: arrays)
    assert json.loads(json.dumps(bignas.cost(trained, child))) == list(counted)
    card = cards.card(trained, trained.config.task, child, arrays, Accuracy(0.5, 10), "")
    assert bignas.Cost(*(json.loads(json.dumps(card))[name] for name in counted._fields)) == counted


@pytest.mark.slow
def test_the_children_of_its_search_are_exported_alone_and_as_a_cascade(
    trained: bignas.Run, tmp_path: pathlib.Path
) -> None:
    costs = [bignas.cost(trained, name).macs / 1e6 for name in ("smallest", "biggest")]
    chosen = "task.selection.strategy=random,task.selection.evaluations=4"
    folder = tmp_path / "search"
    found = bignas.search(
        trained, [{"mflops": cost} for cost in costs], folder, params_override=chosen, show=None
    )
    made = bignas.export_family(trained, folder, tmp_path / "family", show=None)
    assert [version.parent.name for version in made] == list(found.children)
    names = ",".join(found.children)
    cascade = bignas.export_cascade(
        trained, folder, tmp_path / "cascade", cascade=names.replace(",", ":0.135,"), show=None
    )
    images = np.zeros([3, 14, 14, 1], np.uint8)
    for version in (*made, cascade):
        assert len(bignas.Classifier(version).predict(images)) == 3


@pytest.mark.parametrize(
    ("what", "call"),
    [
        ("a standalone child", lambda run, folder: bignas.child(run, "smallest")),
        ("counting layer by layer", lambda run, folder: bignas.cost(run, "smallest", 7)),
        (
            "counting layer by layer",
            lambda run, folder: bignas.search(run, "litert_ms=1", folder),
        ),
        ("fine-tuning", lambda run, folder: bignas.finetune(run, "smallest", None, folder)),
        ("the baseline", lambda run, folder: bignas.baseline(run, "smallest")),
    ],
)
def test_what_needs_the_projects_own_network_says_so(
    trained: bignas.Run, tmp_path: pathlib.Path, what: str, call: Any
) -> None:
    with pytest.raises(
        bignas.UsageError, match=f"^{what} needs the project's own network; .*{NAME}"
    ):
        call(trained, tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_a_run_of_another_network_gives_no_weights(
    trained: bignas.Run, tmp_path: pathlib.Path
) -> None:
    config = _config(tmp_path, f"task.init_checkpoint={trained.model_dir},task.model.network=''")
    with pytest.raises(bignas.UsageError, match=r"was trained with task.model.network='experi"):
        bignas.train(config, tmp_path / "run", show=None)


class _Uncounted(ElasticModel):
    pass


def test_a_network_without_costs_is_named() -> None:
    with pytest.raises(bignas.UsageError, match="a child of _Uncounted costs; give the class a"):
        _Uncounted(SMALL, 10).cost_of(SMALL.smallest())


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nowhere.Network", "cannot be imported: No module named 'nowhere'; name a class as in"),
        ("experiments.residual_network.Nothing", "has no attribute 'Nothing'"),
        ("Network", "cannot be imported: Empty module name"),
        ("..Network", "cannot be imported: the 'package' argument is required"),
        ("pathlib.Path", ", which is no subclass of ElasticModel"),
        ("bignas_tf.ElasticModel", ", which is no subclass of ElasticModel with `logits`"),
        ("numpy.pi", ", which is no subclass of ElasticModel"),
    ],
)
def test_what_is_no_network_is_refused_before_anything_is_read(
    tmp_path: pathlib.Path, name: str, told: str
) -> None:
    with pytest.raises(bignas.UsageError, match=f"task.model.network is '{name}'.*{told}"):
        _config(tmp_path, f"task.model.network={name}")


def test_a_constructor_that_takes_other_arguments_is_named(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Narrow(ResidualNetwork):
        def __init__(self, space: bignas.SearchSpace) -> None:
            super().__init__(space)

    class Deaf(ResidualNetwork):
        def __init__(self, space: bignas.SearchSpace, **rules: Any) -> None:
            super().__init__(space, rules["num_classes"], rules["input_channels"])

    module = types.ModuleType("my_networks")
    vars(module).update(Narrow=Narrow, Deaf=Deaf)
    monkeypatch.setitem(sys.modules, "my_networks", module)
    masked = "task.model.execution=mask"
    for name, told in (
        ("Narrow", "its constructor takes other arguments than ElasticModel: got an unexpected"),
        ("Deaf", "its execution is 'slice' and should be 'mask'; its constructor has to hand all"),
    ):
        config = _config(tmp_path, f"{masked},task.model.network=my_networks.{name}")
        with pytest.raises(bignas.UsageError, match=f"network=my_networks.{name}: {told}"):
            bignas.train(config, tmp_path / "run", show=None)
