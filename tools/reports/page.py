"""Puts a report together: one HTML file that asks for nothing outside itself."""

from __future__ import annotations

import html
import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from bignas_tf.search_space.architecture import Architecture
from bignas_tf.selection import result as result_lib
from tools.reports import drawing, figures, render
from tools.reports.figures import Figure
from tools.reports.inputs import Export, Run, Search

_PAGE = string.Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
:root { color-scheme: light dark; --ink: #222; --soft: #666; --rule: #ddd; --paper: #fff; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ddd; --soft: #999; --rule: #444; --paper: #181818; }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
       max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.3rem; margin-top: 2.5rem; } h3 { font-size: 1.05rem; }
p, .small { color: var(--soft); } p.strong { color: var(--ink); }
table { border-collapse: collapse; font-size: 0.9rem; display: block; overflow-x: auto; }
th, td { text-align: right; padding: 0.25rem 0.8rem; border-bottom: 1px solid var(--rule);
         font-variant-numeric: tabular-nums; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
pre { overflow-x: auto; padding: 0.7rem; border: 1px solid var(--rule); border-radius: 4px;
      font-size: 0.85rem; }
.drawing { overflow-x: auto; } svg text { fill: var(--ink); font-size: 11px; }
svg text.name { font-size: 14px; font-weight: 600; }
</style>
<script>$plotly</script></head><body>
$body
</body></html>
""")


def page(run: Run) -> tuple[str, list[Figure]]:
    """The page, and the figures in it."""
    from plotly import offline

    shown = list(figures.of_training(run))
    body = [f"<h1>{html.escape(run.name)}</h1>", *_summary(run), "<h2>Training</h2>"]
    body += map(_figure, shown)
    if not shown:
        body.append(_paragraph("No learning curves were recorded; see task.evaluation."))
    body += _how(run.how)
    for search in run.searches:
        found = list(figures.of_search(search))
        shown += found
        body += _search(run, search, found)
    if not run.searches:
        body.append(
            "<h2>Search</h2>"
            + _paragraph("This run has not been searched yet. The next command is")
            + f"<pre>python -m tools.search --model_dir={html.escape(run.name)} "
            f"--budgets_mflops=… --output_dir={html.escape(run.name)}/search</pre>"
        )
    body += _exports(run.exports)
    content = {
        "title": html.escape(f"{run.name}: report"),
        "plotly": offline.get_plotlyjs(),
        "body": "\n".join(body),
    }
    return _PAGE.substitute(content), shown


def _summary(run: Run) -> Iterator[str]:
    space = run.space
    yield _paragraph(
        f"Search space {space.name}: {space.count_architectures():.2g} children at "
        f"{min(space.eval_resolutions)} to {max(space.eval_resolutions)} px, all in one set of "
        "shared weights."
    )


def _search(run: Run, search: Search, found: Iterable[Figure]) -> Iterator[str]:
    result = search.result
    scored = sum(each["ranking_top1"] is not None for each in result["candidates"])
    settings = result["settings"]
    yield f"<h2>Search: {html.escape(search.name)}</h2>"
    yield _paragraph(
        f"{scored} children scored on {result['ranking']['images']} images of "
        f"{result['ranking']['split']} ({settings['selection'].get('strategy')}). Trust the "
        f"accuracy on {result['reporting']['split']}, whose images took no part in the choice."
    )
    yield _selected(result)
    for warning in result["warnings"]:
        yield f'<p class="strong">Note: {html.escape(warning)}.</p>'
    children = [
        (entry["name"], Architecture.from_json(entry["architecture"]))
        for entry in result["selected"]
    ]
    yield "<h3>Side by side</h3>"
    yield f'<div class="drawing">{drawing.to_svg(run.space, children)}</div>'
    yield _paragraph(
        "A box is a block: its depthwise kernel (also its colour), its expansion, and its output "
        "channels (also its width)."
    )
    yield from map(_figure, found)
    yield from _failures(result["candidates"])
    source = settings["source"]
    yield from _how(search.how)
    yield _paragraph(
        f"Weights: {source['checkpoint']}, step {source['step']}; SHA-256 of its index "
        f"{source['index_sha256']}."
    )


def _selected(result: Mapping[str, Any]) -> str:
    objectives = result["objectives"]
    heads = ["budget", *(f"{o['title']} ({o['unit']})" for o in objectives.values())]
    heads += [f"top-1 on {result[split]['split']}" for split in ("ranking", "reporting")]
    rows = []
    for entry in result["selected"]:
        costs = [_cost(entry, name) for name in objectives]
        accuracies = [_percent(entry, split) for split in ("ranking", "reporting")]
        file = result_lib.child_file("", entry["name"]).name
        rows.append([", ".join(_limits(entry["budget"])), *costs, *accuracies, file])
    return _table([*heads, "file"], rows)


def _limits(budget: Mapping[str, float]) -> Iterator[str]:
    for name, limit in budget.items():
        yield f"{name} {limit:g}"


def _cost(entry: Mapping[str, Any], name: str) -> str:
    spread = entry["spreads"].get(name)
    return f"{entry['costs'][name]:.4g}" + (f" ± {spread:.2g}" if spread else "")


def _percent(entry: Mapping[str, Any], split: str) -> str:
    top1, error = entry[f"{split}_top1"], entry[f"{split}_error"]
    return "unknown" if top1 is None else f"{100 * top1:.2f} ± {100 * error:.2f}%"


def _failures(candidates: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    failed = [each for each in candidates if each["failure"]]
    if failed:
        lines = "".join(f"<li>{html.escape(each['failure'])}</li>" for each in failed)
        yield f"<details><summary>{len(failed)} children failed</summary><ul>{lines}</ul></details>"


def _exports(exports: Sequence[Export]) -> Iterator[str]:
    if not exports:
        return
    yield "<h2>Exports</h2>"
    rows = []
    for export in exports:
        accuracy = export.card.get("accuracy", {})
        formats = (export.formats or {}).get("formats", {})
        if not formats:
            top1 = f"{100 * accuracy['top1']:.2f}%" if accuracy else "unknown"
            rows.append([export.name, "saved_model", top1, "", ""])
        for name, row in formats.items():
            times = ", ".join(f"{key}: {ms:.3f}" for key, ms in row["milliseconds"].items())
            size = f"{row['bytes'] / 1000:.0f}" if "bytes" in row else ""
            rows.append([export.name, name, f"{100 * row['top1']:.2f}%", size, times])
    yield _table(["export", "format", "top-1", "KB", "ms of one image, by threads"], rows)
    yield _paragraph("Times were taken on the machine that converted the export.")


def _figure(figure: Figure) -> str:
    return (
        f"<h3>{html.escape(figure.title)}</h3>{render.to_html(figure)}{_paragraph(figure.reading)}"
    )


def _how(how: Mapping[str, Any] | None) -> Iterator[str]:
    if how is None:
        yield _paragraph("The command was not recorded.")
        return
    versions = ", ".join(f"{name} {version}" for name, version in how["versions"].items())
    yield f"<pre>{html.escape(how['command'])}</pre>{_paragraph(versions)}"


def _paragraph(text: str) -> str:
    return f"<p>{html.escape(text)}</p>"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    def line(kind: str, cells: Sequence[str]) -> str:
        return "<tr>" + "".join(f"<{kind}>{html.escape(c)}</{kind}>" for c in cells) + "</tr>"

    return f"<table>{line('th', heads)}{''.join(line('td', row) for row in rows)}</table>"
