"""Draws a figure twice: with Plotly for the page, with Matplotlib for papers."""

from __future__ import annotations

import html
import math
import pathlib
from typing import TYPE_CHECKING, Any

import numpy as np

from bignas_tf import scratch
from bignas_tf.reports.figures import (
    FRONT,
    LINE,
    POINTS,
    RINGS,
    SELECTED,
    STEPS,
    Cells,
    Figure,
    Series,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's, which colour-blind readers tell apart, and a marker for each as Plotly and
# Matplotlib name it; the front and the rings are grey.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_MARKERS = (
    ("circle", "o"), ("diamond", "D"), ("triangle-up", "^"), ("square", "s"), ("x", "X"),
    ("triangle-down", "v"),
)  # fmt: skip
_GREY = "#777777"
_SCALE = "viridis"  # of a heat map; readable without colours
_PIXELS = 460
_ROW_PIXELS = 30  # of a heat map, at least
# Named, because the default has a button that uploads the plot to Plotly's servers.
_BUTTONS = [["toImage"], ["zoom2d", "pan2d", "resetScale2d"]]
_CONFIG = {
    "displaylogo": False, "modeBarButtons": _BUTTONS, "plotlyServerURL": "", "responsive": True
}  # fmt: skip


def to_html(figure: Figure) -> str:
    """A `div` with its script; the page must have Plotly's script before it."""
    from plotly import graph_objects

    if figure.cells:
        traces = [_heat(figure.cells)]
    else:
        traces = [_trace(series, number) for number, series in enumerate(figure.series)]
    axes: dict[str, Any] = {"gridcolor": "rgba(128,128,128,0.25)", "zeroline": False}
    x_axis: dict[str, Any] = {"title": html.escape(figure.x_label), **axes}
    if figure.log_x:
        # D1 names every digit of a decade, D2 only 1, 2 and 5.
        x_axis |= {"type": "log", "dtick": "D1" if _decades(figure) < 0.7 else "D2"}
        x_axis["tickformat"] = "~g"
    y_axis: dict[str, Any] = {"title": html.escape(figure.y_label), **axes}
    if figure.cells:
        x_axis["type"] = "category"
        y_axis |= {"type": "category", "autorange": "reversed", "automargin": True}
    layout = {
        "xaxis": x_axis,
        "yaxis": y_axis,
        "height": _PIXELS * _height(figure),
        "margin": {"t": 40, "r": 16, "b": 56, "l": 64},
        "legend": {"orientation": "h", "y": 1.0, "yanchor": "bottom"},
        "hovermode": "closest",
        "hoverlabel": {"align": "left", "bgcolor": "#ffffff", "font": {"color": "#222222"}},
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": _GREY, "activecolor": _COLOURS[0]},
        "font": {"family": "system-ui, sans-serif"},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        # Plotly's own template would paint over the page's colours.
        "template": "none",
    }
    return graph_objects.Figure(traces, layout).to_html(
        full_html=False, include_plotlyjs=False, div_id=f"figure-{figure.name}", config=_CONFIG
    )


def _decades(figure: Figure) -> float:
    values = [value for series in figure.series for value in series.x]
    return math.log10(max(values) / min(values)) if values else 0.0


def _height(figure: Figure) -> float:
    """Of a figure, by that of most."""
    return max(1.0, _ROW_PIXELS * len(figure.cells.rows) / _PIXELS) if figure.cells else 1.0


def _heat(cells: Cells) -> dict[str, Any]:
    return {
        "type": "heatmap",
        "x": list(map(html.escape, cells.columns)),
        "y": list(map(html.escape, cells.rows)),
        "z": [list(row) for row in cells.values],
        "texttemplate": "%{z:.1f}",
        "text": [["<br>".join(map(html.escape, lines)) for lines in row] for row in cells.hover],
        "hovertemplate": "%{text}<extra></extra>",
        "colorscale": _SCALE,
        "colorbar": {"title": {"text": html.escape(cells.unit), "side": "right"}},
        "xgap": 1,
        "ygap": 1,
    }


def _trace(series: Series, number: int) -> dict[str, Any]:
    colour = _colour(series, number)
    trace: dict[str, Any] = {
        # Many points need WebGL, which not every browser has; SVG does for a few thousand.
        "type": "scatter",
        "name": html.escape(series.name),
        "mode": "lines" if _is_line(series) else "markers",
        "x": list(series.x),
        "y": list(series.y),
        "line": {
            "color": colour, "width": 2, "shape": "hv" if series.style == STEPS else "linear"
        },
    }  # fmt: skip
    if series.style == POINTS:
        symbol = _MARKERS[number % len(_MARKERS)][0]
        trace["marker"] = {"color": colour, "symbol": symbol, "size": 7, "opacity": 0.7}
    if series.style == RINGS:
        trace["marker"] = {
            "symbol": "circle-open", "size": 15, "color": colour, "line": {"width": 2.5}
        }  # fmt: skip
    if series.style == STEPS:
        # It passes through candidates, which have the same text.
        trace["hoverinfo"] = "skip"
    elif series.hover:
        trace["text"] = ["<br>".join(map(html.escape, lines)) for lines in series.hover]
        trace["hovertemplate"] = "%{text}<extra></extra>"
    return trace


def to_png(figure: Figure, path: pathlib.Path) -> None:
    """Writes the figure as PNG, into a folder that exists."""
    import matplotlib
    from matplotlib.figure import Figure as Canvas

    # Names may hold dollars, which would begin a formula.
    with matplotlib.rc_context({"text.parse_math": False}):
        # Not by pyplot, whose backend and figures are the caller's.
        canvas = Canvas(figsize=(7, 4.5 * _height(figure)), layout="constrained")
        axes = canvas.subplots()
        if figure.cells:
            _draw_cells(axes, figure.cells)
        else:
            _draw_series(axes, figure)
        axes.set(xlabel=figure.x_label, ylabel=figure.y_label)
        with scratch.file(path) as stream:
            canvas.savefig(stream, format="png", dpi=150)


def _draw_cells(axes: Axes, cells: Cells) -> None:
    image = axes.imshow(cells.values, _SCALE, aspect="auto")
    axes.figure.colorbar(image, label=cells.unit)
    axes.set_xticks(range(len(cells.columns)), cells.columns)
    axes.set_yticks(range(len(cells.rows)), cells.rows)
    shades = np.asarray(image.norm(np.array(cells.values)))
    for y, row in enumerate(cells.values):
        for x, value in enumerate(row):
            ink = "black" if shades[y, x] > 0.5 else "white"
            axes.text(x, y, f"{value:.1f}", ha="center", va="center", color=ink, fontsize=8)


def _draw_series(axes: Axes, figure: Figure) -> None:
    for number, series in enumerate(figure.series):
        _draw(axes, series, number)
    if figure.log_x:
        axes.set_xscale("log")
        for formatter in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
            formatter("{x:g}")  # 0.5 and 2, where a log axis would write powers of ten
    axes.grid(alpha=0.3)
    axes.legend()


def _draw(axes: Axes, series: Series, number: int) -> None:
    colour = _colour(series, number)
    if _is_line(series):
        draw = "steps-post" if series.style == STEPS else "default"
        axes.plot(series.x, series.y, label=series.name, color=colour, drawstyle=draw)
    elif series.style == RINGS:
        style: dict[str, Any] = {"facecolors": "none", "edgecolors": colour, "linewidths": 1.5}
        axes.scatter(series.x, series.y, 90, label=series.name, **style)
    else:
        marker = _MARKERS[number % len(_MARKERS)][1]
        style = {"color": colour, "alpha": 0.6, "marker": marker}
        axes.scatter(series.x, series.y, 14, label=series.name, **style)


def _is_line(series: Series) -> bool:
    """Whether it is drawn as one: of a single point there would be nothing to see."""
    return series.style in (LINE, STEPS) and len(series.x) > 1


def _colour(series: Series, number: int) -> str:
    grey = series.name in (FRONT, SELECTED)
    return _GREY if grey else _COLOURS[number % len(_COLOURS)]
