"""The report of a real run: its numbers, its words, and what a browser makes of it."""

from __future__ import annotations

import dataclasses
import html
import json
import pathlib
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.support.ui import WebDriverWait

from bignas_tf import files
from bignas_tf.api import reporting
from bignas_tf.reports import figures, inputs
from bignas_tf.selection import result as result_lib
from bignas_tf.selection.objectives import Quantity
from bignas_tf.selection.provenance import ImageSet
from tests.forks import Forks
from tests.selection import made_up_searches
from tests.tools import commands

pytestmark = pytest.mark.slow

COUNTED = ("mflops", "params_m", "activation_mb")
PLOTS = 4 + len(COUNTED)
EVIL = '</script><script>alert(1)</script><img src="x" onerror="alert(2)">'


@pytest.fixture(scope="module")
def report_dir(
    forks: Forks,
    run_dir: pathlib.Path,
    search_dir: pathlib.Path,
    version_dir: pathlib.Path,
    judged: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> pathlib.Path:
    """The report of the run that all tests of tools share."""
    folder = tmp_path_factory.mktemp("report")
    flags = {"model_dir": run_dir, "search_dir": search_dir, "output_dir": folder}
    done = forks.run("tools.report", *commands.arguments(flags))
    assert done.returncode == 0, done.stderr
    return folder


def test_the_page_tells_what_there_is(
    report_dir: pathlib.Path, run_dir: pathlib.Path, search_dir: pathlib.Path
) -> None:
    text = (report_dir / "report.html").read_text()
    result = result_lib.read(search_dir)
    for child in result.selected:
        assert f"child_{child.name}.json" in text
        assert child.reporting is not None
        top1, error = child.reporting.top1, child.reporting.error
        assert f"{100 * top1:.2f} ± {100 * error:.2f}%" in text
    assert f"python -m tools.train --experiment=bignas_small --config_file={run_dir.parent}" in text
    assert f"python -m tools.search --model_dir={run_dir}" in text
    assert result.source.index_sha256 in text
    assert "<td>export/child_0.08/1</td><td>saved_model</td>" in text
    names = {path.name for path in (report_dir / "report").iterdir()}
    plots = (
        "accuracy",
        "loss",
        "judgement",
        *(f"search_{name}" for name in (*COUNTED, "hypervolume")),
    )
    assert names == {*(f"{name}.png" for name in plots), "search_children.svg", ".written.json"}


def test_what_the_last_report_drew_of_a_search_that_is_gone_goes(tmp_path: pathlib.Path) -> None:
    (tmp_path / "mine.png").touch()
    (tmp_path / ".written.json").write_text('["../x.png", "mine.txt"')  # damaged
    for drawn in (["accuracy.png", "search_children.svg"], ["accuracy.png"]):
        for name in drawn:
            (tmp_path / name).touch()
        reporting._sweep(tmp_path, drawn)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"accuracy.png", "mine.png", ".written.json"}


def test_figures_show_the_numbers_of_the_search(
    run_dir: pathlib.Path, search_dir: pathlib.Path
) -> None:
    run = inputs.read(str(run_dir), [str(search_dir)])
    accuracy, loss = figures.of_training(run)
    (row,) = json.loads((run_dir / "learning_curves.json").read_text())
    for series in accuracy.series:
        assert (list(series.x), list(series.y)) == ([row["step"]], [100 * row["top1"][series.name]])
    assert [series.name for series in loss.series] == ["smallest", "biggest"]
    assert all(len(series.x) == len(series.y) >= 1 for series in loss.series)
    result = result_lib.read(search_dir)
    *fronts, _ = figures.of_search(run.searches[0])
    for figure, objective in zip(fronts, COUNTED, strict=True):
        shown = {series.name: series for series in figure.series}
        found = [*shown["coarse"].x, *shown["fine"].x]
        assert sorted(found) == sorted(c.costs[objective] for c in result.candidates)
        # The front rises from its cheapest child to the most accurate one there is.
        front = shown["front"]
        assert list(front.x) == sorted(front.x)
        assert list(front.y) == sorted(front.y)
        assert max(front.y) == 100 * max(c.ranking.top1 for c in result.candidates if c.ranking)
        assert list(shown["selected"].x) == [child.costs[objective] for child in result.selected]


def test_the_page_has_the_judgement(
    report_dir: pathlib.Path, run_dir: pathlib.Path, judged: str
) -> None:
    text = (report_dir / "report.html").read_text()
    assert "<h2>How good is this supernet?</h2>" in text
    judgement = json.loads((run_dir / "judgement.json").read_text())
    mean = f"{100 * judgement['summary']['random_mean']:.2f}%"
    assert f"<td>random children, mean of all resolutions</td><td>{mean}</td>" in text
    for warning in judgement["warnings"]:
        assert html.escape(f"Note: {warning}.") in text


@pytest.fixture
def browser() -> Iterator[webdriver.Chrome]:
    """Headless Chromium, which writes down every request."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        pytest.skip("chromium and chromedriver are not on the PATH")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--window-size=1100,900"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options, webdriver.ChromeService(driver))
    yield chrome
    chrome.quit()


def _requests(browser: webdriver.Chrome) -> list[str]:
    events = [json.loads(each["message"])["message"] for each in browser.get_log("performance")]
    sent = [event for event in events if event["method"] == "Network.requestWillBeSent"]
    return [event["params"]["request"]["url"] for event in sent]


def test_a_browser_shows_every_plot_offline_and_what_is_pointed_at(
    browser: webdriver.Chrome, report_dir: pathlib.Path, search_dir: pathlib.Path
) -> None:
    address = (report_dir / "report.html").as_uri()
    browser.get(address)
    # Plotly draws when it has measured the page.
    WebDriverWait(browser, 120).until(
        lambda page: len(page.find_elements("css selector", ".js-plotly-plot .subplot")) == PLOTS
    )
    shown: dict[str, Any] = browser.execute_script(
        "const p = document.getElementById('figure-search_mflops');"
        "p.scrollIntoView();"
        "return p.data.map(t => [t.name, t.text]).filter(t => t[0] == 'fine')[0];"
    )
    assert len(shown[1]) >= 1
    points = browser.find_elements("css selector", "#figure-search_mflops .scatterlayer .point")
    candidates = result_lib.read(search_dir).candidates
    assert len(points) == len(candidates) + len(commands.BUDGETS)
    ActionChains(browser).move_to_element(points[0]).perform()
    (hover,) = WebDriverWait(browser, 120).until(
        lambda page: page.find_elements("css selector", "#figure-search_mflops .hovertext")
    )
    assert "top-1" in hover.text
    assert "stage 1: MB1 3x3" in hover.text
    buttons = browser.find_elements("css selector", "#figure-search_mflops .modebar-btn")
    names = [button.get_attribute("data-title") for button in buttons]
    # Plotly's own choice has one that sends the plot to its servers.
    assert names == ["Download plot as a PNG", "Zoom", "Pan", "Reset axes"]
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
    asked = [url for url in _requests(browser) if not url.startswith(("data:", "blob:"))]
    assert asked == [address]


def test_words_of_others_stay_data(
    forks: Forks, browser: webdriver.Chrome, tmp_path: pathlib.Path
) -> None:
    found = made_up_searches.result()
    first, *others = found.candidates
    failed = others[8]
    evil = dataclasses.replace(
        found,
        source=dataclasses.replace(found.source, checkpoint=EVIL),
        objectives={"mflops": Quantity(EVIL, "M")},
        ranking=ImageSet(EVIL, made_up_searches.IMAGES),
        candidates=(
            dataclasses.replace(first, phase=EVIL),
            *others[:8],
            dataclasses.replace(failed, failure=EVIL),
            *others[9:],
        ),
        selected=found.selected[:1],  # the other's budget limits parameters
        warnings=(EVIL,),
    )
    assert failed.failure
    run = made_up_searches.run(tmp_path / "<b>run", search=evil)
    files.write_json(run / "export" / "1" / "child.json", {})
    files.write_json(run / "export" / "1" / "labels.json", [EVIL])
    (run / "export" / "1" / "saved_model.pb").touch()
    done = forks.run("tools.report", f"--model_dir={run}")
    assert done.returncode == 0, done.stderr
    page = run / "report.html"
    assert "<script>alert(1)" not in page.read_text()
    browser.get(page.as_uri())  # an alert would fail the next command
    assert browser.find_elements("css selector", "img") == []
    assert browser.find_element("css selector", "h1").text == str(run)
    folded = browser.find_elements("css selector", "details")
    assert [each.get_attribute("textContent").count(EVIL) for each in folded] == [1, 1, 0]


def test_a_run_without_judgement_or_search_is_told_what_comes_next(
    forks: Forks, tmp_path: pathlib.Path
) -> None:
    made_up_searches.run(tmp_path)
    done = forks.run("tools.report", f"--model_dir={tmp_path}")
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "report.html").read_text()
    for tool in ("judge", "search"):
        assert f"python -m tools.{tool} --model_dir={tmp_path}" in text


def test_what_is_no_run_or_no_search_is_refused(forks: Forks, tmp_path: pathlib.Path) -> None:
    error = commands.refuse(forks, "report", model_dir=tmp_path)
    assert f"{tmp_path} is not the folder of a training run" in error
    run = made_up_searches.run(tmp_path / "run", search=made_up_searches.result())
    (run / "search" / "search.json").write_text("{}")
    error = commands.refuse(forks, "report", model_dir=run)
    assert "search/search.json is damaged, or not what tools.search writes: no 'settings'" in error
    assert not (run / "report.html").exists()
