"""What a report draws: plots as files, and what its page gives Plotly."""

from __future__ import annotations

import dataclasses
import json
import pathlib

import matplotlib
import pytest
from matplotlib import pyplot

from bignas_tf import files
from bignas_tf.reports import figures, inputs, page, render
from bignas_tf.selection.provenance import ImageSet
from tests import limits
from tests.selection import made_up_judgements, made_up_searches


def _read(folder: pathlib.Path) -> inputs.ReportedRun:
    return inputs.read(str(folder), [])


def test_a_plot_without_room_leaves_the_old_one_alone(tmp_path: pathlib.Path) -> None:
    run = _read(made_up_searches.run(tmp_path, search=made_up_searches.result()))
    figure, *_ = figures.of_search(run.searches[0])
    path = tmp_path / "plot.png"
    path.write_text("old")
    with limits.file_size(1000), pytest.raises(OSError, match=limits.WHY):
        render.to_png(figure, path)
    assert (path.read_text(), list(tmp_path.glob(".*"))) == ("old", [])


def test_drawing_leaves_the_backend_of_a_notebook_alone(tmp_path: pathlib.Path) -> None:
    run = _read(made_up_searches.run(tmp_path, search=made_up_searches.result()))
    before = matplotlib.get_backend()
    matplotlib.use("svg")
    figures = pyplot.get_fignums()  # what other tests of this process have left open
    try:
        render.to_png(next(iter(page.compose(run).figures)), tmp_path / "plot.png")
        assert matplotlib.get_backend() == "svg"
        assert pyplot.get_fignums() == figures
    finally:
        matplotlib.use(before)


def test_a_name_with_dollars_is_no_formula(tmp_path: pathlib.Path) -> None:
    ranking = ImageSet(r"a$\frac$b[90%:]", made_up_searches.IMAGES)
    result = dataclasses.replace(made_up_searches.result(), ranking=ranking)
    run = _read(made_up_searches.run(tmp_path, search=result))
    figure, *_ = page.compose(run).figures
    render.to_png(figure, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 0


def test_the_heat_map_shows_the_judgement(tmp_path: pathlib.Path) -> None:
    judgement, run = made_up_judgements.judgement().to_json(), made_up_searches.run(tmp_path)
    files.write_json(run / "judgement.json", judgement)
    report = page.compose(_read(run))
    (figure,) = report.figures
    render.to_png(figure, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 0
    # What Plotly is given in the page: the list that follows the name of the place.
    given = report.text.partition('"figure-judgement",')[2].lstrip()
    ((trace,), _) = json.JSONDecoder().raw_decode(given)
    assert trace["x"] == ["8", "9", "10"]
    assert trace["y"] == ["smallest", "random 1", "random 2", "biggest"]
    expected = [[100 * top1 for top1 in child["top1"].values()] for child in judgement["children"]]
    assert trace["z"] == expected
    second, top1 = judgement["children"][1], judgement["children"][1]["top1"]["9"]
    hover = trace["text"][1][1].split("<br>")
    assert hover[0] == "random 1"
    assert hover[1].startswith(f"top-1 {100 * top1:.2f} ± ")
    assert hover[2] == f"multiply-adds {second['macs']['9'] / 1e6:.4g} M"
    assert hover[3].startswith("9 px, stem ")


def test_words_of_a_judgement_stay_data(tmp_path: pathlib.Path) -> None:
    evil, judgement = "<script>alert(1)</script>", made_up_judgements.judgement().to_json()
    judgement["warnings"] = [evil]
    judgement["children"][0]["name"] = evil
    judgement["settings"]["split"] = evil
    run = made_up_searches.run(tmp_path)
    files.write_json(run / "judgement.json", judgement)
    text = page.compose(_read(run)).text
    assert "How good is this supernet?" in text
    assert "<script>alert(1)" not in text
