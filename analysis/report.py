"""HTML pages in one file each: text, tables and figures, without anything that a browser would have to fetch."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from .units import numeric

CSS = """
:root { --ink: #22272e; --soft: #59636e; --line: #d9dee5; --accent: #4477aa; }
body { margin: 0; background: #fff; color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 64rem; margin: 0 auto; padding: 2.5rem 1.5rem 4rem; }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 .5rem; letter-spacing: -.01em; }
h2 { font-size: 1.3rem; margin: 3rem 0 .75rem; padding-top: 1.25rem; border-top: 1px solid var(--line); }
p { max-width: 46rem; margin: .6rem 0; }
.lead { font-size: 1.1rem; color: var(--soft); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: 1rem; margin: 1.75rem 0; }
.cards div { border: 1px solid var(--line); border-top: 3px solid var(--accent); border-radius: 4px;
  padding: .8rem 1rem; display: flex; flex-direction: column; justify-content: space-between; }
.cards dt { color: var(--soft); font-size: .85rem; }
.cards dd { margin: 0; font-size: 1.45rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }
th, td { padding: .32rem .8rem .32rem 0; text-align: left; white-space: nowrap; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; }
.number { text-align: right; }
td:last-child { white-space: normal; }
figure { margin: 1.25rem 0; }
figure svg { display: block; width: 100%; height: auto; }
figcaption { color: var(--soft); font-size: .875rem; max-width: 46rem; margin-top: .4rem; }
@media print { main { max-width: none; padding: 0; } h2, figure, .wide { break-inside: avoid; } }
"""


def page(title: str, lead: str, parts: Iterable[str]) -> str:
    """Return an HTML document of `parts`, which are HTML; `title` and `lead` are text."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{CSS}</style>\n</head>\n<body>\n<main>\n"
        f'<h1>{escape(title)}</h1>\n<p class="lead">{escape(lead)}</p>\n'
        + "\n".join(parts)
        + "\n</main>\n</body>\n</html>\n"
    )


def heading(text: str) -> str:
    return f"<h2>{escape(text)}</h2>"


def paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def cards(figures: Iterable[tuple[str, str]]) -> str:
    """Return the few figures that matter most, each a name and a value."""
    items = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in figures)
    return f'<dl class="cards">{items}</dl>'


def table(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Return a table of at least one row; columns of numbers are aligned on the right."""
    lines = [["" if cell is None else str(cell) for cell in row] for row in rows]
    names = list(columns) or [""] * len(lines[0])
    kinds = [' class="number"' if numeric(line[index] for line in lines) else "" for index in range(len(names))]

    def line(tag: str, cells: Iterable[str]) -> str:
        inner = (f"<{tag}{kind}>{escape(cell)}</{tag}>" for kind, cell in zip(kinds, cells, strict=True))
        return f"<tr>{''.join(inner)}</tr>\n"

    body = "".join(line("td", cells) for cells in lines)
    head = f"<thead>{line('th', names)}</thead>\n" if any(names) else ""
    return f'<div class="wide"><table>\n{head}<tbody>{body}</tbody>\n</table></div>'


def figure(svg: str, caption: str) -> str:
    """Return a figure: an SVG element and what is to be seen in it."""
    return f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>"
