"""Draws a figure twice: with Plotly for the page, with Matplotlib for papers."""

from __future__ import annotations

import html
import pathlib
from typing import Any

from tools.reports.figures import LINE, RINGS, Figure, Series

# Okabe and Ito's, which colour-blind readers tell apart; the front and the rings are grey.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_GREY = "#777777"
_PIXELS = 460


def to_html(figure: Figure) -> str:
    """A `div` with its script; the page must have Plotly's script before it."""
    from plotly import graph_objects

    traces = [_trace(series, colour) for series, colour in _coloured(figure)]
    axes = {"gridcolor": "rgba(128,128,128,0.25)", "zeroline": False}
    x_axis = {"title": html.escape(figure.x_label), **axes}
    if figure.log_x:
        x_axis |= {"type": "log", "dtick": "D1", "tickformat": "~g"}
    layout = {
        "xaxis": x_axis,
        "yaxis": {"title": html.escape(figure.y_label), **axes},
        "height": _PIXELS,
        "margin": {"t": 16, "r": 16, "b": 56, "l": 64},
        "legend": {"orientation": "h", "y": 1.0, "yanchor": "bottom"},
        "hoverlabel": {"align": "left"},
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": _GREY},
        "font": {"family": "system-ui, sans-serif", "color": "#888888"},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        # Plotly's own template would paint over the page's colours.
        "template": "none",
    }
    return graph_objects.Figure(traces, layout).to_html(
        full_html=False,
        include_plotlyjs=False,
        div_id=f"figure-{figure.name}",
        config={"displaylogo": False, "responsive": True},
    )


def _trace(series: Series, colour: str) -> dict[str, Any]:
    lines = series.style == LINE
    trace: dict[str, Any] = {
        # Many points need WebGL, which not every browser has; SVG does for a few thousand.
        "type": "scatter",
        "name": html.escape(series.name),
        "mode": "lines" if lines else "markers",
        "x": list(series.x),
        "y": list(series.y),
        "line": {"color": colour, "width": 2, "shape": "hv" if series.hover else "linear"},
        "marker": {"color": colour, "size": 7, "opacity": 0.7},
    }
    if series.style == RINGS:
        trace["marker"] = {
            "symbol": "circle-open",
            "size": 14,
            "color": colour,
            "line": {"width": 2},
        }
    if series.hover:
        texts = [html.escape(text).replace("\n", "<br>") for text in series.hover]
        trace |= {"text": texts, "hovertemplate": "%{text}<extra></extra>"}
        # The front passes through candidates, which tell the same.
        trace |= {"hoverinfo": "skip", "hovertemplate": None} if lines else {}
    return trace


def to_png(figure: Figure, path: pathlib.Path) -> None:
    """Writes the figure as PNG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    canvas, axes = pyplot.subplots(figsize=(7, 4.5), layout="constrained")
    for series, colour in _coloured(figure):
        if series.style == LINE:
            draw = "steps-post" if series.hover else "default"
            axes.plot(series.x, series.y, color=colour, label=series.name, drawstyle=draw)
        elif series.style == RINGS:
            axes.scatter(
                series.x, series.y, 90, facecolors="none", edgecolors=colour, label=series.name
            )
        else:
            axes.scatter(series.x, series.y, 14, color=colour, alpha=0.6, label=series.name)
    axes.set(xlabel=figure.x_label, ylabel=figure.y_label)
    if figure.log_x:
        axes.set_xscale("log")
        for formatter in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
            formatter("{x:g}")  # 0.5 and 2, where a log axis would write powers of ten
    axes.grid(alpha=0.3)
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    canvas.savefig(path, dpi=150)
    pyplot.close(canvas)


def _coloured(figure: Figure) -> list[tuple[Series, str]]:
    colours = iter(_COLOURS * len(figure.series))
    return [
        (series, _GREY if series.name in ("front", "selected") else next(colours))
        for series in figure.series
    ]
