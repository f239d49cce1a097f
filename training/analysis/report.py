"""Writes an analysis to a folder: a PNG of each section, and one HTML file that needs nothing else."""

from __future__ import annotations

import base64
from collections.abc import Callable
from html import escape
from pathlib import Path
from string import Template

from training.analysis import style
from training.analysis.analysis import Analysis
from training.analysis.case import Finding
from training.analysis.section import Section
from training.analysis.table import Table
from training.run_folder import unwritable, write

FILE = "report.html"

_PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$name – training report</title>
<style>
body { font: 16px/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; color: #222; background: #fff;
       max-width: 62rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.7rem; margin: 0 0 .2rem; }
h2 { font-size: 1.25rem; margin: 2.6rem 0 .3rem; padding-top: .8rem; border-top: 1px solid #ddd; }
h3 { font-size: 1rem; margin: 0 0 .2rem; }
.verdict { font-size: 1.1rem; margin: .6rem 0 1rem; }
nav a { margin-right: 1rem; white-space: nowrap; }
a { color: #0072b2; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: 1rem 0; }
dt { color: #6b6b6b; } dd { margin: 0; }
.finding { border-left: 4px solid #d55e00; background: #fbf3ee; padding: .7rem 1rem; margin: .8rem 0; }
.finding.note { border-color: #0072b2; background: #eef4f9; }
.finding ul { margin: .4rem 0 0; padding-left: 1.2rem; }
.missing { color: #6b6b6b; }
img { max-width: 100%; height: auto; display: block; margin: .8rem 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .25rem .8rem .25rem 0; border-bottom: 1px solid #eee; vertical-align: top; }
th { color: #6b6b6b; font-weight: 600; border-bottom-color: #bbb; vertical-align: bottom; }
th.number, td.number { text-align: right; }
</style>
</head>
<body>
<h1>$name</h1>
<p class="verdict">$verdict</p>
$findings
<dl>$facts</dl>
$missing
<nav>$links</nav>
$sections
</body>
</html>
""")


def write_report(analysis: Analysis, folder: Path, drawn: Callable[[str], None] = lambda _: None) -> list[Path]:
    """Write pictures and report into a folder, which is made; each file whole or not at all.

    Args:
        analysis: what to write.
        folder: where to; files of an earlier analysis are replaced.
        drawn: is told of each section that was drawn.

    Returns:
        the files, the report first.

    Raises:
        RunError: the system does not let us.
    """
    with unwritable(folder):
        folder.mkdir(parents=True, exist_ok=True)
    pictures: dict[str, bytes] = {}
    for section in analysis.sections:
        pictures[section.name] = style.png(section.draw, section.size)
        write(folder / f"{section.name}.png", pictures[section.name])
        drawn(section.name)
    write(folder / FILE, page(analysis, pictures))
    return [folder / FILE, *(folder / f"{name}.png" for name in pictures)]


def page(analysis: Analysis, pictures: dict[str, bytes]) -> str:
    """The report as HTML, pictures (PNG, by section) inside."""
    return _PAGE.substitute(
        name=escape(analysis.evidence.name),
        verdict=escape(analysis.verdict),
        findings="\n".join(map(_finding, analysis.findings)),
        facts="".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in analysis.facts.items()),
        missing="".join(f'<p class="missing">{escape(text)}.</p>' for text in analysis.evidence.missing),
        links="".join(f'<a href="#{s.name}">{escape(s.title)}</a>' for s in analysis.sections),
        sections="\n".join(_section(section, pictures[section.name]) for section in analysis.sections),
    )


def _finding(finding: Finding) -> str:
    advice = "".join(f"<li>{escape(text)}</li>" for text in finding.advice)
    kind = "finding" if finding.is_problem else "finding note"
    return f'<div class="{kind}"><h3>{escape(finding.says)}</h3>What to try:<ul>{advice}</ul></div>'


def _section(section: Section, picture: bytes) -> str:
    data = base64.b64encode(picture).decode()
    return (
        f'<h2 id="{section.name}">{escape(section.title)}</h2>\n<p>{escape(section.text)}</p>\n'
        f'<img alt="{escape(section.title)}" src="data:image/png;base64,{data}">\n{_table(section.table)}'
    )


def _table(table: Table) -> str:
    if not table.rows:
        return ""
    kinds = [' class="number"' if numeric else "" for numeric in table.numeric]
    head = "".join(f"<th{k}>{escape(c.heading)}</th>" for k, c in zip(kinds, table.columns, strict=True))
    body = "\n".join(
        "<tr>" + "".join(f"<td{k}>{escape(cell)}</td>" for k, cell in zip(kinds, row, strict=True)) + "</tr>"
        for row in table.written()
    )
    return f'<div class="scroll"><table>\n<tr>{head}</tr>\n{body}\n</table></div>'
