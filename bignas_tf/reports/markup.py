"""Pieces of HTML; all input is treated as text and escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence


def heading(level: int, text: str) -> str:
    return f"<h{level}>{html.escape(text)}</h{level}>"


def paragraph(text: str, strong: bool = False) -> str:
    kind = ' class="strong"' if strong else ""
    return f"<p{kind}>{html.escape(text)}</p>"


def code(text: str) -> str:
    return f"<pre>{html.escape(text)}</pre>"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    def line(kind: str, cells: Sequence[str]) -> str:
        return "<tr>" + "".join(f"<{kind}>{html.escape(c)}</{kind}>" for c in cells) + "</tr>"

    body = "".join(line("td", row) for row in rows)
    return f'<div class="wide"><table>{line("th", heads)}{body}</table></div>'


def folded(summary: str, content: str) -> str:
    """Content that a click unfolds."""
    return f"<details><summary>{html.escape(summary)}</summary>{content}</details>"
