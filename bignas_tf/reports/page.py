"""Puts a report together: one HTML file that loads nothing from outside."""

from __future__ import annotations

import dataclasses
import html
import string
from collections.abc import Mapping, Sequence

from bignas_tf.reports import figures, sections
from bignas_tf.reports.figures import Figure
from bignas_tf.reports.inputs import ReportedRun

# The policy blocks every request of the browser, even if a label or a library makes one.
_PAGE = string.Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none';
 script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
:root { color-scheme: light dark; --ink: #222; --soft: #5f5f5f; --rule: #ddd; --paper: #fff; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ddd; --soft: #a0a0a0; --rule: #444; --paper: #181818; }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
       max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1, p { overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.3rem; margin-top: 2.5rem; } h3 { font-size: 1.05rem; }
p { color: var(--soft); } p.strong { color: var(--ink); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.85rem; }
th, td { text-align: right; vertical-align: bottom; padding: 0.25rem 0.5rem;
         border-bottom: 1px solid var(--rule); font-variant-numeric: tabular-nums; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
td { white-space: nowrap; }
details td { white-space: normal; vertical-align: top; text-align: left; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; padding: 0.7rem; font-size: 0.85rem;
      border: 1px solid var(--rule); border-radius: 4px; }
svg text { fill: var(--ink); }
.js-plotly-plot :is(.infolayer, .xaxislayer-above, .yaxislayer-above) text {
  fill: var(--ink) !important; }
</style>
<script>$plotly</script></head><body>
<noscript><p class="strong">The plots need JavaScript; report/ has them as PNG.</p>
</noscript>
$body
</body></html>
""")


@dataclasses.dataclass(frozen=True)
class Page:
    """A report: the page, the figures in it, and drawings of children as SVG by their names."""

    text: str
    figures: Sequence[Figure]
    drawings: Mapping[str, str]


def compose(run: ReportedRun) -> Page:
    """The report of a run."""
    from plotly import offline

    shown = list(figures.of_training(run))
    body = [f"<h1>{html.escape(run.name)}</h1>", *sections.summary(run)]
    body += sections.training(run, shown)
    heat_map = [figures.of_judgement(run.judgement)] if run.judgement else []
    shown += heat_map
    body += sections.judged(run, heat_map)
    drawings = {}
    for search in run.searches:
        drawn, plots = sections.drawing_of(run, search), list(figures.of_search(search))
        drawings[f"{search.key}_children"] = drawn
        shown += plots
        body += sections.search(run, search, drawn, plots)
    if not run.searches:
        body += sections.not_searched(run)
    body += sections.baseline(run.baseline)
    body += sections.exports(run.exports)
    for number, cascade in enumerate(run.cascades, 1):
        plot = figures.of_cascade(cascade, number)
        shown.append(plot)
        body += sections.cascade(cascade, plot)
    body += sections.files(run.files)
    content = {
        "title": html.escape(f"{run.name}: report"),
        "plotly": offline.get_plotlyjs(),
        "body": "\n".join(body),
    }
    return Page(_PAGE.substitute(content), shown, drawings)
