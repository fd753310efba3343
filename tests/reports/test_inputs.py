"""What a report reads and tells; names of any kind do no harm."""

from __future__ import annotations

import dataclasses
import math
import os
import pathlib
from typing import Any

import pytest
import tensorflow as tf

from bignas_tf import errors, files
from bignas_tf.accuracy import Accuracy
from bignas_tf.api import reporting
from bignas_tf.reports import curves, figures, inputs, page, words
from bignas_tf.search_space import presets
from bignas_tf.selection import baseline
from bignas_tf.selection import result as result_lib
from bignas_tf.selection.baseline import Baseline
from tests import kills, limits, vanishing
from tests.selection import made_up_judgements, made_up_searches


def _read(folder: pathlib.Path) -> inputs.ReportedRun:
    return inputs.read(str(folder), [])


def test_points_and_what_is_told_of_them_are_those_of_the_search(tmp_path: pathlib.Path) -> None:
    result = made_up_searches.result()
    run = _read(made_up_searches.run(tmp_path, search=result))
    mflops, params, area = figures.of_search(run.searches[0])
    assert area.name == "search_hypervolume"
    assert "cheaper than 0.1 M multiply-adds or 0.005 M parameters" in area.reading
    assert [len(each.x) for each in area.series] == [len(run.searches[0].result.candidates)] * 2
    for figure, name in ((mflops, "mflops"), (params, "params_m")):
        shown = {series.name: series for series in figure.series}
        candidates = [c for c in result.candidates if c.ranking]
        assert len(candidates) < len(result.candidates)
        points = [
            point
            for phase in ("coarse", "fine")
            for point in zip(shown[phase].x, shown[phase].y, strict=True)
        ]
        expected = [(c.costs[name], 100 * c.ranking.top1) for c in candidates if c.ranking]
        assert sorted(points) == sorted(expected)
        front = [result.candidates[index].costs[name] for index in result.front(name)]
        assert list(shown["front"].x) == front
        assert list(shown["selected"].x) == [child.costs[name] for child in result.selected]
    first, top1 = mflops.series[0].hover[0], result.to_json()["candidates"][0]["ranking_top1"]
    error = math.sqrt(top1 * (1 - top1) / 400)
    assert first[0] == f"top-1 {100 * top1:.2f} ± {100 * error:.2f}%"
    assert first[1].startswith("multiply-adds 0.0")
    assert first[3:5] == ["8 px, stem 4, head 16", "stage 1: MB1 3x3 4"]


def test_the_page_tells_limits_failures_exports_and_files(tmp_path: pathlib.Path) -> None:
    folder = made_up_searches.run(tmp_path, search=made_up_searches.result())
    child = {"accuracy": {"split": "test", "top1": 0.75, "images": 300}}
    files.write_json(folder / "export" / "1" / "child.json", child)
    row = {
        "top1": 0.5, "top1_standard_error": 0.25, "agreement": 0.875,
        "milliseconds": {"1": 1.25, "2": 0.75}, "bytes": 2000,
    }  # fmt: skip
    version = folder / "export" / "1"
    (version / "saved_model.pb").touch()
    (version / "proof.npz").write_bytes(b"proof")
    measured = {"formats": {"int8": row}, "proof_sha256": files.sha256(version / "proof.npz")}
    files.write_json(version / "converted" / "report.json", measured)
    report = page.compose(_read(folder))
    assert "≤ 0.1 M multiply-adds, ≤ 0.005 M parameters" in report.text
    assert "2 candidates failed" in report.text
    cells = "int8</td><td>50.00 ± 25.00%</td><td>87.50%</td><td>2</td><td>1: 1.250, 2: 0.750</td>"
    assert f"<td>export/1</td><td>{cells}" in report.text
    (version / "proof.npz").write_bytes(b"that of another export")
    report = page.compose(_read(folder))
    assert "<td>export/1</td><td>converted from another export: convert again</td>" in report.text
    assert cells not in report.text
    (version / "saved_model.pb").unlink()  # it is the file of an architecture
    assert "Exports" not in page.compose(_read(folder)).text
    assert "<td>search/search.json</td>" in report.text
    assert report.drawings["search_children"].count("<rect") == sum(
        sum(child.architecture.depths) for child in made_up_searches.result().selected
    )


def test_a_cascade_is_plotted_and_told(tmp_path: pathlib.Path) -> None:
    folder = made_up_searches.run(tmp_path)
    files.write_json(folder / "cascade" / "1" / "cascade.json", made_up_searches.CASCADE)
    (folder / "cascade" / "1" / "saved_model.pb").touch()
    report = page.compose(_read(folder))
    plot = next(each for each in report.figures if each.name == "cascade_1")
    assert plot.series[0].hover[1] == [
        "child_1:0.875,child_4",
        "top-1 80.00 ± 2.00% on the images that choose",
        "top-1 75.00 ± 2.50% on others",
    ]
    shown = {series.name: (list(series.x), list(series.y)) for series in plot.series}
    assert shown == {
        "cascades": ([1, 1.5], [50, 75]),
        "children alone": ([1, 4], [50, 75]),
        "exported": ([1.5], [75]),
    }
    assert "<td>child_1</td><td>62.50%</td><td>50.00 ± 2.89%</td><td>1</td>" in report.text
    assert "<td>child_1:0.875,child_4</td><td>all</td>" in report.text


def test_a_search_that_is_named_twice_is_reported_once(tmp_path: pathlib.Path) -> None:
    folder = made_up_searches.run(tmp_path, search=made_up_searches.result())
    read = inputs.read(str(folder), [f"{folder}/search", f"{folder}/./search/"])
    assert [each.key for each in read.searches] == ["search"]


def test_a_family_whose_export_was_killed_is_whole_in_the_report(tmp_path: pathlib.Path) -> None:
    run, names = made_up_searches.run(tmp_path), ["child_1", "child_2"]
    # The whole has its name, and the first of the two its version.
    assert kills.before_rename(2, kills.PUBLISH.format(names=names), run / "family")
    assert [path.parent.name for path in run.glob("family/[!.]*/1")] == ["child_1"]
    files.write_json(run / "family" / ".unverified-abcd1234" / "child_3" / "child.json", {})
    exports = [each.name for each in _read(run).exports]
    assert exports == ["family/child_1/1", "family/child_2/1"]


def test_a_run_that_may_not_be_read_is_named() -> None:
    with limits.public_folder() as folder:
        run = made_up_searches.run(folder / "run")
        with (
            limits.forbidden(run),
            pytest.raises(errors.UsageError, match=r"params\.yaml cannot be read \(Perm"),
        ):
            _read(run)


@pytest.mark.parametrize("listing", [0, 1])
def test_a_folder_that_training_renames_meanwhile_is_no_obstacle(
    tmp_path: pathlib.Path, listing: int
) -> None:
    run = made_up_searches.run(tmp_path)
    (run / "ckpt-6_temp" / "part").mkdir(parents=True)
    # It is listed for what a kill left, and once for all else.
    with vanishing.before_listing(run / "ckpt-6_temp", listing):
        read = _read(run)
    assert not (run / "ckpt-6_temp").exists()
    assert [name for name, _ in read.files] == ["params.yaml", "search_space.yaml"]


def test_a_search_that_a_link_leads_to_is_reported(tmp_path: pathlib.Path) -> None:
    result = made_up_searches.result()
    run = made_up_searches.run(tmp_path / "run", **{"first": result, "second": result})
    made_up_searches.run(run, **{".hidden": result, "deep/search": result})
    (run / "second").rename(tmp_path / "elsewhere")
    (run / "second").symlink_to(tmp_path / "elsewhere")
    assert [each.name for each in _read(run).searches] == ["first", str(run / "second")]


def test_a_run_in_a_bucket_is_reported_as_the_same_run_here(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = made_up_searches.result()
    local = made_up_searches.run(tmp_path / "run", **{"search": result, "again": result})
    child = {"accuracy": {"split": "test", "top1": 0.75, "images": 300}}
    for name in ("1", ".unverified-abcd1234"):
        files.write_json(local / "export" / name / "child.json", child)
        (local / "export" / name / "saved_model.pb").touch()
    files.write_json(local / "judgement.json", made_up_judgements.judgement().to_json())
    files.write_json(local / "command.json", {"command": "train", "versions": {}})
    files.write_json(local / "learning_curves.json", [{"step": 1, "top1": {"smallest": 0.5}}])
    with tf.summary.create_file_writer(str(local / "train")).as_default():
        tf.summary.scalar("loss_biggest", 3.0, 10)
    remote = f"ram://{tmp_path.name}/run"
    for path in filter(pathlib.Path.is_file, local.rglob("*")):
        copy = f"{remote}/{path.relative_to(local)}"
        tf.io.gfile.makedirs(os.path.dirname(copy))
        tf.io.gfile.copy(path, copy)
    reported = _read(local)
    assert [each.name for each in reported.searches] == ["again", "search"]
    assert [each.name for each in reported.exports] == ["export/1"]
    assert reported.losses == {"biggest": ([10], [3.0])}
    walk, walked = tf.io.gfile.walk, list[str]()

    def noted(base: str) -> Any:
        walked.append(base)
        return walk(base)

    monkeypatch.setattr(tf.io.gfile, "walk", noted)
    assert inputs.read(remote, []) == dataclasses.replace(reported, name=remote)
    assert walked.count(remote) == 1  # a request for each file's size
    with pytest.raises(errors.UsageError, match=f"{remote} is remote.* with output_dir"):
        reporting.report(remote)
    page_file = reporting.report(remote, output_dir=tmp_path / "here", show=None)
    assert f"<h1>{remote}</h1>" in page_file.read_text()


def test_searches_of_one_name_have_plots_of_their_own(tmp_path: pathlib.Path) -> None:
    result = made_up_searches.result()
    run = made_up_searches.run(tmp_path, **{"a/search": result, "a_search": result})
    report = page.compose(inputs.read(str(run), [str(run / "a/search"), str(run / "a_search")]))
    names = [figure.name for figure in report.figures]
    assert names == [
        f"{key}_{plot}"
        for key in ("a-search", "a-search-2")
        for plot in ("mflops", "params_m", "hypervolume")
    ]
    assert list(report.drawings) == ["a-search_children", "a-search-2_children"]


def test_a_network_trained_alone_is_told_where_there_is_one(tmp_path: pathlib.Path) -> None:
    run = made_up_searches.run(tmp_path)
    assert "trained alone" not in page.compose(_read(run)).text
    biggest = presets.get("bignas_small").biggest()
    scored = Accuracy(0.75, images=300)
    alone = Baseline(
        biggest, 8_553_856, 437_322, 1_200, minutes=8.25, split="test", accuracy=scored
    )
    files.write_json(run / "plain_keras.json", alone.to_json())
    assert baseline.read(str(run)) == alone
    text = page.compose(_read(run)).text
    assert "for 8.2 minutes (1,200 steps of fit): top-1 75.00 ± 2.50% on test, for 8.554 M" in text
    files.write_json(run / "plain_keras.json", alone.to_json() | {"steps": "many"})
    with pytest.raises(errors.UsageError, match=r"plain_keras\.json is damaged"):
        _read(run)


def test_names_that_come_out_alike_get_different_keys(tmp_path: pathlib.Path) -> None:
    result, names = made_up_searches.result(), ["a", "a_3", "a_2", "a-", "a~"]
    run = made_up_searches.run(tmp_path, **dict.fromkeys(names, result))
    keys = [
        each.key for each in inputs.read(str(run), [str(run / name) for name in names]).searches
    ]
    assert keys == ["a", "a-3", "a-2", "a-4", "a-5"]


def test_a_search_of_a_long_path_has_plots(tmp_path: pathlib.Path) -> None:
    run = made_up_searches.run(tmp_path / "run")
    search = tmp_path / ("long" * 30) / ("longer" * 30)
    result_lib.write(search, made_up_searches.result())
    page_file = reporting.report(str(run), search_dirs=[search], show=None)
    assert len(list((page_file.parent / "report").glob("*longerlonger*_mflops.png"))) == 1


def test_a_step_written_twice_counts_once(tmp_path: pathlib.Path) -> None:
    # The second writer is that of a run which was killed, and resumed from step 10. Its file comes
    # first by name, as the tenth of a second does.
    for name, losses in (("9", {10: 3.0, 20: 2.0, 30: 9.0}), ("10", {20: 1.5, 30: 1.0})):
        writer = tf.summary.create_file_writer(str(tmp_path / name))
        with writer.as_default():
            for step, loss in losses.items():
                tf.summary.scalar("loss_biggest", loss, step)
        writer.close()
        (written,) = (tmp_path / name).iterdir()
        written.rename(tmp_path / f"events.out.tfevents.1.{name}.v2")
    assert curves.losses(str(tmp_path)) == {"biggest": ([10, 20, 30], [3.0, 1.5, 1.0])}


def test_the_size_of_a_space_is_written_however_large_it_is() -> None:
    sizes = [words.large(number) for number in (80, 5_432_100_000, 54**192)]
    assert sizes == ["80", "5.4e+09", "1e+333"]
