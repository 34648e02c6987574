"""One HTML file out of template, style, script and data.

What comes from settings, captions, prompts and names is in JSON alone, and the script puts it on
the page as text. A content security policy names the one style and the one script by their hashes:
nothing else runs, whatever gets in, and nothing is loaded but pictures.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import Any

from lora_sweep.files import to_json

PARTS = Path(__file__).parent / "page"
STYLES = ("style.css", "parts.css", "windows.css")
SCRIPTS = (
    "dom.js",
    "tip.js",
    "data.js",
    "numbers.js",
    "state.js",
    "colours.js",
    "scales.js",
    "drawing.js",
    "places.js",
    "answer.js",
    "columns.js",
    "filter.js",
    "table.js",
    "table_notes.js",
    "grid_model.js",
    "grid.js",
    "training.js",
    "zoom.js",
    "curves.js",
    "curve_pointing.js",
    "tradeoff.js",
    "parallel.js",
    "importance.js",
    "tree.js",
    "tree_drawing.js",
    "details.js",
    "main.js",
)
"""In the order in which they build on each other."""


def render_page(content: Any, curves: Any, pictures: list[str]) -> str:
    """The whole page."""
    style = _joined(STYLES)
    script = f"(() => {{\n'use strict';\n{_joined(SCRIPTS)}}})();\n"
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "img-src data: file: 'self'; base-uri 'none'; form-action 'none'"
    )
    template = Template((PARTS / "template.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=html.escape(content["title"]),
        policy=html.escape(policy),
        style=style,
        content=script_json(content),
        curves=script_json(curves),
        pictures=script_json(pictures),
        script=script,
    )


def _joined(names: Sequence[str]) -> str:
    return "".join((PARTS / name).read_text(encoding="utf-8") for name in names)


def script_json(value: Any) -> str:
    """JSON that cannot end the script element it stands in."""
    text = to_json(value)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
