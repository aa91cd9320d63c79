"""A report as one HTML page, as Markdown and as JSON: the same numbers in each."""

import base64
import html
import json
import pathlib
from collections.abc import Sequence
from typing import Any

from slider_jax import files
from slider_jax.evaluate import layout
from slider_jax.evaluate.pictures import Picture

FILES = ("index.html", "report.md", "report.json")
TYPES = {".png": "image/png", ".svg": "image/svg+xml"}
NOTHING = "–"
READING = (
    "Arrows say which way is better. [a, b] is the 95 % interval of a mean, or of "
    "what is made of sums over faces, such as a correlation, by the bootstrap over "
    "people; ± is the standard deviation over seeds. Of several runs the best is "
    "bold, on green where it is shown to be better than each other; ≈ marks those "
    "that it was not shown to differ from (p ≥ .05, signs of whole people flipped, or "
    "their sums swapped)."
)


def write(out: pathlib.Path, report: dict[str, Any], drawn: Sequence[Picture]) -> None:
    """Each file is there whole or not at all; pictures first, for pages name them."""
    (out / "pictures").mkdir(parents=True, exist_ok=True)
    for picture in drawn:
        with files.whole(out / "pictures" / picture.file) as scratch:
            scratch.write_bytes(picture.content)
    sources = {
        p.file: f"data:{TYPES[pathlib.Path(p.file).suffix]};base64,"
        + base64.b64encode(p.content).decode()
        for p in drawn
    }
    texts = (to_html(report, sources), to_markdown(report))
    texts += (json.dumps(report, indent=1, ensure_ascii=False) + "\n",)
    for name, text in zip(FILES, texts, strict=True):
        with files.whole(out / name) as scratch:
            scratch.write_text(text)


def to_markdown(report: dict[str, Any]) -> str:
    lines = [f"# {report['title']}", "", summary(report), "", READING, ""]
    lines += [f"- {note}" for note in report["notes"]]
    beside = lambda table: [p for p in report["pictures"] if p["table"] == table]
    for table in report["tables"]:
        lines += ["", *markdown_table(table)]
        for picture in beside(table["id"]):
            lines += ["", _markdown_picture(picture)]
    lines += ["", "## Pictures"]
    for picture in beside(""):
        lines += ["", f"### {picture['title']}", "", picture["caption"], ""]
        lines += [_markdown_picture(picture)]
    lines += ["", "## Runs", ""]
    for run in report["runs"]:
        about = json.dumps(run["about"], indent=1, ensure_ascii=False)
        lines += [f"### {run['name']} ({run['id']})", "", "```", about, "```", ""]
    made = json.dumps(report["made"], indent=1, ensure_ascii=False)
    return "\n".join([*lines, "## Made by", "", "```", made, "```", ""])


def _markdown_picture(picture):
    return f"![{picture['title']}](pictures/{picture['file']})"


def markdown_table(table: dict[str, Any]) -> list[str]:
    """With its heading, notes, and ratios: the paper's, and ours apart from them."""
    lines = [f"## {table['title']}", "", table["caption"], ""]
    heads, body = layout.grid(table)
    if body:
        lines += [_line(["", *(_head(h) for h in heads)])]
        lines += [_line(["---"] * (1 + len(heads)))]
    for label, cells in body:
        texts = [NOTHING if cell is None else cell["text"] for cell, _ in cells]
        best = [cell is not None and cell.get("best") for cell, _ in cells]
        texts = [f"**{t}**" if b else t for t, b in zip(texts, best, strict=True)]
        lines += [_line([_head(label), *texts])]
    lines += ["", *(f"- {note}" for note in table["notes"])] if table["notes"] else []
    if not body and not table["notes"]:
        lines += [f"Not measured: {table['absent']}."]
    if lean := layout.leans(table):
        lines += ["", lean]
    for words, ratios in layout.ratios(table):
        lines += ["", f"{words}:", "", _line(["", *ratios["columns"]])]
        lines += [_line(["---"] * (1 + len(ratios["columns"])))]
        lines += [_line([name, *values]) for name, values in ratios["rows"].items()]
    return lines


def summary(report: dict[str, Any]) -> str:
    data, made, options = report["data"], report["made"], report["options"]
    quick = " A quick look (--fast)." if options["fast"] else ""
    real = report["real_pairs"]
    commit = (made["commit"] or "unknown")[:10]
    devices = ", ".join(sorted(set(made["devices"])))
    text = (
        f"{data['people']} test people of {data['folder']} ({data['size']} px; "
        f"{data['pairs_faces']} faces in sessions, {data['single_faces']} single), up "
        f"to {options['pairs']} pairs a table, seed {options['seed']}. No training "
        f"person is in any number.{quick} {made['when']}, commit {commit}, on "
        f"{devices}, jax {made['versions']['jax']}, data {data['sha256'][:12]}."
    )
    if real:
        text += (
            f" The judge of identity tells {real['pairs']} real pairs of one person "
            f"from as many of two with {real['accuracy']:.1%}, at a cosine of "
            f"{real['value']:.3f}."
        )
    return text


def _head(one):
    """Of a column, or of a row; a reference is in italics."""
    if "role" in one:
        return one["name"] if one["role"] == "run" else f"*{one['name']}*"
    unit = f" ({one['unit']})" if one["unit"] else ""
    return f"{one['title']} {one['arrow']}{unit}"


def _line(cells):
    return "| " + " | ".join(str(c).replace("|", "\\|") for c in cells) + " |"


STYLE = """
:root { --ink: #1f242d; --faint: #69717f; --line: #e1e4ea; --paper: #fff;
  --band: #f5f7fa; --best: #e4f0e6; --accent: #2f669e; }
* { box-sizing: border-box }
body { margin: 0; background: var(--band); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif }
main { max-width: 1280px; margin: 0 auto; padding: 32px 24px 64px }
h1 { font-size: 30px; margin: 0 0 8px; letter-spacing: -.02em }
h2 { font-size: 19px; margin: 0 0 4px } h3 { font-size: 15px; margin: 18px 0 4px }
p { margin: 6px 0; max-width: 90ch } .faint { color: var(--faint); font-size: 13.5px }
section { background: var(--paper); border: 1px solid var(--line);
  border-radius: 10px; padding: 20px 22px; margin: 18px 0 }
.scroll { overflow-x: auto } table { border-collapse: collapse; margin: 12px 0 }
th, td { padding: 7px 10px; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--line); font-variant-numeric: tabular-nums }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0;
  background: var(--paper) }
th { font-size: 13px; white-space: normal; vertical-align: bottom;
  border-bottom: 2px solid var(--ink) }
th small, td small { display: block; color: var(--faint); font-weight: 400;
  font-size: 11.5px }
th b, td b { color: var(--accent) }
td.floor, td.ceiling, tr.floor td, tr.ceiling td { color: var(--faint) }
.tall { max-height: 620px; overflow: auto; border-bottom: 1px solid var(--line) }
.tall th { position: sticky; top: 0; background: var(--paper) }
.tall th:first-child { z-index: 1 } .tall td { padding: 3px 10px }
tr.floor td:first-child, tr.ceiling td:first-child { font-style: italic }
td.best { font-weight: 700 } td.clear { background: var(--best) }
ul { margin: 8px 0; padding-left: 20px } li { margin: 3px 0 }
.paper { border-left: 3px solid var(--line); padding-left: 14px; margin-top: 14px }
.paper table { font-size: 13px } .notes { background: #fff8e6; border-color: #efdfb0 }
.figures { display: flex; flex-wrap: wrap; gap: 8px 32px }
figure { margin: 14px 0; max-width: 620px } figcaption { margin-bottom: 8px }
figure img { max-width: 100%; border: 1px solid var(--line); border-radius: 6px;
  display: block }
pre { background: var(--band); padding: 12px; overflow-x: auto; font-size: 12px;
  border-radius: 6px } summary { cursor: pointer }
"""


def to_html(report: dict[str, Any], sources: dict[str, str]) -> str:
    """Self-contained: `sources` are the pictures as data URIs, by file."""
    e = html.escape
    parts = [f"<h1>{e(report['title'])}</h1>", f"<p>{e(summary(report))}</p>"]
    parts += [f'<p class="faint">{e(READING)}</p>']
    if notes := report["notes"]:
        parts += [f'<section class="notes">{_list(notes)}</section>']
    figures: dict[str, list[str]] = {}
    for p in report["pictures"]:
        figures.setdefault(p["table"], []).append(
            f"<figure><figcaption><h3>{e(p['title'])}</h3>"
            f'<span class="faint">{e(p["caption"])}</span></figcaption>'
            f'<img alt="{e(p["title"])}" src="{sources[p["file"]]}"></figure>'
        )
    for table in report["tables"]:
        parts += ["<section>", *_html_table(table)]
        parts += [*figures.get(table["id"], []), "</section>"]
    parts += ['<section><h2>Pictures</h2><div class="figures">', *figures.get("", [])]
    parts += ["</div></section>"]
    parts += ["<section><h2>Runs, and how this was made</h2>"]
    made = [(f"{run['name']} ({run['id']})", run["about"]) for run in report["runs"]]
    for title, about in [*made, ("Versions, commit, hardware", report["made"])]:
        text = json.dumps(about, indent=1, ensure_ascii=False)
        parts += [
            f"<details><summary>{e(title)}</summary><pre>{e(text)}</pre></details>"
        ]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{e(report['title'])}</title><style>{STYLE}</style><main>"
        + "\n".join([*parts, "</section>"])
        + "</main></html>\n"
    )


def _html_table(table):
    e = html.escape
    parts = [f"<h2>{e(table['title'])}</h2>"]
    parts += [f'<p class="faint">{e(table["caption"])}</p>']
    heads, body = layout.grid(table)
    if body:
        kind = "scroll tall" if table["down"] else "scroll"
        top = "".join(f"<th>{_html_head(head)}</th>" for head in heads)
        parts += [f'<div class="{kind}"><table><tr><th></th>{top}</tr>']
        for label, cells in body:
            role = label["role"]
            line = "".join(_html_cell(*cell) for cell in cells)
            parts += [f'<tr class="{role}"><td>{_html_head(label)}</td>{line}</tr>']
        parts += ["</table></div>"]
    elif not table["notes"]:
        parts += [f"<p>Not measured: {e(table['absent'])}.</p>"]
    parts += [_list(table["notes"])] if table["notes"] else []
    if lean := layout.leans(table):
        parts += [f'<p class="faint">{e(lean)}</p>']
    for words, ratios in layout.ratios(table):
        heads = "".join(f"<th>{e(c)}</th>" for c in ratios["columns"])
        rows = "".join(
            f"<tr><td>{e(name)}</td>" + "".join(f"<td>{v}</td>" for v in values)
            for name, values in ratios["rows"].items()
        )
        parts += [
            f'<div class="paper"><p class="faint">{e(words)}</p>'
            f'<div class="scroll"><table><tr><th></th>{heads}</tr>{rows}</table></div>'
            "</div>"
        ]
    return parts


def _html_head(one):
    e = html.escape
    if "role" in one:
        return e(one["name"])
    return f"{e(one['title'])} <b>{one['arrow']}</b><small>{e(one['unit'])}</small>"


def _html_cell(cell, role):
    if cell is None:
        return f"<td>{NOTHING}</td>"
    number, _, spread = cell["text"].partition(" ")
    small = f" <small>{html.escape(spread)}</small>" if spread else ""
    kinds = [name for name in ("best", "clear") if cell.get(name)]
    kinds += [role] * (role != "run")
    kind = f' class="{" ".join(kinds)}"' if kinds else ""
    return f"<td{kind}>{number}{small}</td>"


def _list(notes):
    items = "".join(f"<li>{html.escape(note)}</li>" for note in notes)
    return f"<ul>{items}</ul>"
