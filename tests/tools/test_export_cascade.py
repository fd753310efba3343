"""A cascade of a search's children, as a user makes it."""

from __future__ import annotations

import contextlib
import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from bignas_tf.exports import verify
from tests.forks import Forks
from tests.selection import digits
from tests.tools import commands
from tests.tools.commands import BUDGETS
from tests.tools.servers import StandIn
from tools.serving import clients

pytestmark = pytest.mark.slow

SMALL, LARGE = (f"child_{budget}" for budget in BUDGETS)


def test_its_figures_are_those_of_what_is_served(
    forks: Forks,
    run_dir: pathlib.Path,
    search_dir: pathlib.Path,
    family_dir: pathlib.Path,
    tmp_path: pathlib.Path,
) -> None:
    ((patches, labels),) = digits.batches("test", 360)
    request = ("serving_default", {"images": patches.numpy()})
    (alone,) = verify.session_answers(family_dir / SMALL / "1", [request])
    assert isinstance(alone, dict), alone
    threshold = round(float(np.median(alone["top_probabilities"][:, 0])), 5)
    flags = {"model_dir": run_dir, "search_dir": search_dir, "output_dir": tmp_path / "models"}
    cascade = f"{SMALL}:{threshold},{LARGE}"
    (tmp_path / "models.config").write_text(
        f'model_config_list {{ config {{ name: "ours" base_path: "{tmp_path}/models" '
        'model_platform: "tensorflow" model_version_policy { specific { versions: 7 } } } }'
    )
    done = forks.run("tools.export_cascade", *commands.arguments(flags | {"cascade": cascade}))
    version = tmp_path / "models" / "1"
    assert (done.returncode, done.stdout) == (0, f"{version}\n"), done.stderr
    assert "models.config pins 'ours' to version 7, which servers keep" in done.stderr
    card = json.loads((version / "cascade.json").read_text())
    assert card["given"]
    assert card["cascade"] == {"children": [SMALL, LARGE], "thresholds": [threshold]}
    (answer,) = verify.session_answers(version, [request])
    assert isinstance(answer, dict), answer
    right = answer["logits"].argmax(-1) == labels.numpy()
    assert card["accuracy"] == {"split": "test", "top1": right.mean(), "images": 360}
    assert 0.4 < card["shares"][0] < 0.6
    shares = np.bincount(answer["answered_by"], minlength=2) / 360
    assert card["shares"] == shares.tolist()
    small, large = (card["children"][name] for name in (SMALL, LARGE))
    mean = small["cost"] + shares[1] * large["cost"]
    assert card["mean_cost"] == pytest.approx(mean, rel=1e-12)
    for name, child in ((SMALL, small), (LARGE, large)):
        found = json.loads((search_dir / f"{name}.json").read_text())
        assert child["architecture"] == found["architecture"]
        assert child["cost"] == found["costs"]["mflops"]
        assert child["accuracy"]["top1"] == found["reporting_top1"]
    _check_clients(tmp_path / "models", patches.numpy()[:20], answer["answered_by"][:20])
    error = commands.refuse(
        forks, "convert", model_dir=run_dir, export_dir=version, formats="float32"
    )
    assert "is a cascade; export the search's children one by one" in error


def _check_clients(base: pathlib.Path, patches: np.ndarray, answered_by: np.ndarray) -> None:
    """Clients say which child has answered."""
    assert len(set(answered_by.tolist())) == 2
    images = [tf.io.encode_png(patch).numpy() for patch in patches]
    with contextlib.closing(StandIn({"child": base / "1"})) as server:
        for client in (
            clients.LocalClient(str(base / "1")),
            clients.connect(server.grpc, "child", False, 60),
            clients.connect(server.rest, "child", True, 60),
        ):
            with contextlib.closing(client):
                told = [each.answered_by for each in client.predict(images)]
            assert told == answered_by.tolist()


def test_images_that_choose_and_judge_are_refused(
    forks: Forks, run_dir: pathlib.Path, search_dir: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    result = json.loads((search_dir / "search.json").read_text())
    result["settings"]["selection"]["ranking_split"] = "test[:50%]"
    (tmp_path / "search.json").write_text(json.dumps(result))
    given = {"model_dir": run_dir, "search_dir": tmp_path, "output_dir": tmp_path / "models"}
    error = commands.refuse(forks, "export_cascade", **given)
    assert "an accuracy that chose a child cannot judge it" in error


def test_a_child_is_not_asked_twice(
    forks: Forks, run_dir: pathlib.Path, search_dir: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    select = {
        "select": search_dir,
        "budgets_mflops": "0.02,0.08,0.0801",
        "output_dir": tmp_path / "three",
    }
    done = forks.run("tools.search", *commands.arguments(select))
    assert done.returncode == 0, done.stderr
    given = {"model_dir": run_dir, "search_dir": tmp_path / "three", "output_dir": tmp_path / "m"}
    error = commands.refuse(forks, "export_cascade", **given, cascade="child_0.08:0.7,child_0.0801")
    assert "child_0.08 and child_0.0801 are the same child; leave one of them out" in error


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"cascade": "child_9:0.5,child_0.08"}, "no child 'child_9' in the search; it has child_"),
        ({"cascade": "child_0.02,child_0.08"}, "write child_1:0.8,child_4"),
        ({"mean_cost": 0.001}, "mean cost 0.001: the cheapest child alone takes 0.0"),
        ({"objective": "litert_ms"}, "objective is 'litert_ms'; choose from ['mflops'"),
        ({"objective": "params_m"}, "'params_m': a cascade holds all its children"),
        ({"accuracy": 1.5}, "accuracy 1.5: give a fraction above 0, up to 1"),
        (
            {"accuracy": 0.9, "mean_cost": 1},
            "give at most one of --accuracy, --mean_c",
        ),
    ],
)
def test_what_cannot_be_is_refused_before_children_are_scored(
    forks: Forks,
    run_dir: pathlib.Path,
    search_dir: pathlib.Path,
    tmp_path: pathlib.Path,
    flags: dict[str, object],
    message: str,
) -> None:
    given = {"model_dir": run_dir, "search_dir": search_dir, "output_dir": tmp_path / "models"}
    assert message in commands.refuse(forks, "export_cascade", **given, **flags)
    assert not (tmp_path / "models").exists()
