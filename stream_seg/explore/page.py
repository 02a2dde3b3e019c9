"""One self-contained HTML page: sections, sentences, tables and pictures. No script, no network, the same bytes again.

Pictures are matplotlib's, as SVG inside the page: text stays text, it prints sharp, and a screen reader hears the
caption. Colours are those of Okabe and Ito, told apart by the colour-blind.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from html import escape
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
WIDTH = 6.4  # inches of a picture over the whole width of the page


class Section(NamedTuple):
    """A heading and what stands under it, as HTML; `anchor` is its place in the list of contents."""

    title: str
    anchor: str
    parts: Sequence[str]


def page(title: str, intro: Sequence[str], sections: Sequence[Section]) -> str:
    """The whole document. `intro`: HTML under the title."""
    contents = "".join(f'<li><a href="#{one.anchor}">{escape(one.title)}</a></li>' for one in sections)
    body = "\n".join(
        f'<section id="{one.anchor}"><h2>{escape(one.title)}</h2>\n{chr(10).join(one.parts)}\n</section>'
        for one in sections
    )
    style = resources.files(__package__).joinpath("page.css").read_text()
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<header><h1>{escape(title)}</h1>\n"
        f"{chr(10).join(intro)}\n<nav><ol>{contents}</ol></nav></header>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def paragraph(text: str) -> str:
    """A paragraph of plain text; what stands between backticks is to be typed.

    >>> paragraph("`spend` < 5")
    '<p><code>spend</code> &lt; 5</p>'
    """
    return f"<p>{_marked(text)}</p>"


def warning(text: str) -> str:
    """A paragraph that must not be overlooked."""
    return f'<p class="warning" role="note"><strong>Note.</strong> {_marked(text)}</p>'


def _marked(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def rows(head: Sequence[str], body: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> str:
    """A table; the columns numbered in `right` are numbers."""

    def cells(row: Sequence[str], tag: str) -> str:
        return "".join(
            f"<{tag}{' class=number' if i in right else ''}>{escape(cell)}</{tag}>" for i, cell in enumerate(row)
        )

    lines = "".join(f"<tr>{cells(row, 'td')}</tr>\n" for row in body)
    return f'<div class="wide"><table><thead><tr>{cells(head, "th")}</tr></thead>\n<tbody>{lines}</tbody></table></div>'


def side_by_side(parts: Sequence[str]) -> str:
    """Pictures or paragraphs in columns where the page is wide enough, else one under the other."""
    return f'<div class="pair">{"".join(parts)}</div>'


def picture(figure: Figure, caption: str, *, broad: bool = False) -> str:
    """A figure with its caption, which says in a sentence what there is to see.

    `broad`: on a narrow screen it keeps its size and is moved sideways in its own frame: its text stays legible.
    """
    import matplotlib as mpl  # noqa: PLC0415  # a quarter of a second that a page without pictures does not need

    out = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "stream_seg", "font.family": "sans-serif"}):
        figure.savefig(out, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
    svg = out.getvalue()
    head, _, rest = svg[svg.index("<svg") :].partition(">")
    width = float(re.findall(r'width="([\d.]+)pt"', head)[0]) * 4 / 3  # px
    head = re.sub(r' (?:width|height)="[\d.]+pt"', "", head)
    least = f";min-width:{min(width, 560):.0f}px" if broad else ""
    spoken = f'role="img" aria-label="{escape(caption, quote=True)}" style="max-width:{width:.0f}px{least}"'
    shown = f"{head} {spoken}>{rest}"
    shown = f'<div class="wide">{shown}</div>' if broad else shown
    return f"<figure>{shown}<figcaption>{escape(caption)}</figcaption></figure>"
