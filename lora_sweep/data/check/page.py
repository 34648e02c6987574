"""The contact sheet: one HTML file that needs no other, with every thumbnail and what was found."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterator
from pathlib import Path

from lora_sweep.data.check.findings import Finding, Kind
from lora_sweep.data.check.run import MAX_THUMBNAILS, Checked, open_thumbnail
from lora_sweep.files import atomic_path

STYLE = """
:root { color-scheme: light dark; font: 15px/1.45 system-ui, sans-serif }
body { margin: 2rem auto; max-width: 76rem; padding: 0 1rem }
ul.kinds { padding-left: 1.2rem }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: 1rem;
  align-items: start }
figure { margin: 0; padding: .6rem; border: 1px solid #8886; border-radius: .4rem }
figure.found { border-color: #c60 }
img, .none { display: block; width: 100%; height: 12rem; object-fit: contain; background: #8882 }
.none { line-height: 12rem; text-align: center }
figcaption { overflow-wrap: anywhere; margin-top: .5rem }
.name { font-weight: 600 } .size, .reason { opacity: .7 }
.found ul { margin: .4rem 0 0; padding-left: 1.1rem; color: #a40 }
del { color: #c00 }
@media (prefers-color-scheme: dark) { .found ul { color: #fa6 } del { color: #f77 } }
"""
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def write_sheet(path: Path, checked: Checked, summary: list[str]) -> Path:
    """Write the contact sheet in one step, picture by picture; raises StoreError.

    At most 500 pictures are on it, those with findings first.
    """
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for part in _parts(checked, summary):
            file.write(part)
    return path


def _parts(checked: Checked, summary: list[str]) -> Iterator[str]:
    by_picture = checked.findings.by_picture()
    shown = sorted(by_picture) + [i for i in range(checked.num_looked) if i not in by_picture]
    shown = shown[:MAX_THUMBNAILS]
    title = f"{_text(checked.name)}: {checked.findings.total} findings"
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    yield f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    yield f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
    yield "".join(f"<p>{_text(line)}</p>\n" for line in summary)
    yield f'<ul class="kinds">\n{"".join(_kind(checked, kind) for kind in Kind)}</ul>\n'
    if len(shown) < checked.num_looked:
        yield f"<p>{len(shown)} of {checked.num_looked} pictures are shown.</p>\n"
    yield "<main>\n"
    for index in shown:
        yield _figure(checked, index, by_picture.get(index, []))
    yield "</main>\n</body>\n</html>\n"


def _kind(checked: Checked, kind: Kind) -> str:
    count = checked.findings.counts[kind]
    if not count:
        return ""
    of_set = [found for found in checked.findings.of_kind(kind) if found.picture is None]
    lines = "".join(f"<li>{_text(found.text)}</li>" for found in of_set)
    reason = f'<span class="reason">{_text(kind.reason)}</span>'
    return f"<li>{_text(kind.title)}: {count}. {reason}<ul>{lines}</ul></li>\n"


def _figure(checked: Checked, index: int, found: list[Finding]) -> str:
    data = checked.thumbnails.get(index) or open_thumbnail(checked.entries[index].path)
    picture = '<div class="none">cannot be shown</div>'
    if data is not None:
        encoded = base64.b64encode(data).decode("ascii")
        picture = f'<img alt="" src="data:image/jpeg;base64,{encoded}">'
    height, width = checked.sizes_HW.get(index, (0, 0))
    size = f' <span class="size">{width} x {height}</span>' if width else ""
    items = "".join(f"<li>{_text(f'{each.kind.title}: {each.text}')}</li>" for each in found)
    return (
        f'<figure class="{"found" if found else "good"}">{picture}<figcaption>'
        f'<span class="name">{_text(checked.where(index))}</span>{size}<br>'
        f"{_caption(checked, index)}{f'<ul>{items}</ul>' if items else ''}</figcaption></figure>\n"
    )


def _caption(checked: Checked, index: int) -> str:
    """The caption, with the words that no encoder sees struck out."""
    caption = checked.caption(index)
    lost = checked.asked.tokens.words_lost(caption, checked.asked.abstractions)
    kept = caption[: len(caption) - len(lost)]
    return _text(kept) + (f"<del>{_text(lost)}</del>" if lost else "")


def _text(value: str) -> str:
    return html.escape(value.encode("utf-8", "replace").decode("utf-8"))
