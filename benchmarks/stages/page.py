"""gpu.html: targets and steps, for people."""

from html import escape
from typing import Any

STYLE = """
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100%; margin: 1rem 0 }
th, td { padding: .3rem .6rem; text-align: left; vertical-align: top; border-bottom: 1px solid #8884 }
td.n { text-align: right; font-variant-numeric: tabular-nums }
pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; font-size: 12px }
.passed, .met { color: #1a7f37 }
.failed, .missed { color: #cf222e; font-weight: 600 }
.out-of-time, .interrupted, .skipped { color: #bc6c00 }
"""
VERDICTS = {True: "met", False: "missed", None: "not measured"}


def _cell(text: Any, kind: str = "") -> str:
    return f'<td class="{kind.replace(" ", "-")}">{escape(str(text))}</td>'


def page(content: dict[str, Any]) -> str:
    """The page of gpu.json's content."""
    rows = [
        f"<tr>{_cell(t['target'])}{_cell(t['wanted'])}{_cell(t['measured'] or '')}"
        f"{_cell(VERDICTS[t['met']], VERDICTS[t['met']])}</tr>"
        for t in content["targets"]
    ]
    steps = []
    for entry in content["steps"]:
        tests = ", ".join(f"{count} {word}" for word, count in entry.get("tests", {}).items())
        end = "" if entry["state"] == "passed" else "\n".join(entry.get("end", []))
        steps.append(
            f"<tr>{_cell(entry['stage'])}{_cell(entry['step'])}{_cell(entry['state'], entry['state'])}"
            f"{_cell(format(entry['seconds'], '.1f'), 'n')}{_cell(tests)}"
            f"<td><pre>{escape(end)}</pre></td></tr>"
        )
    title = f"deeplab_caffe on {content.get('gpu') or 'a machine without a GPU (rehearsal)'}"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style><h1>{escape(title)}</h1><p>{escape(str(content.get('begun', '')))}</p>"
        "<h2>Targets</h2><table><tr><th>target<th>wanted<th>measured<th></tr>" + "".join(rows) + "</table>"
        "<h2>Steps</h2><table><tr><th>stage<th>step<th>result<th>seconds<th>tests<th>its end</tr>"
        + "".join(steps)
        + "</table></html>\n"
    )
