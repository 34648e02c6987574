"""Pieces that web pages of 1995 to 2003 were made of: tiles, counters, badges, bevels."""

# ruff: noqa: E501  HTML is easier to read when its lines are not cut

from __future__ import annotations

import random
from dataclasses import dataclass
from urllib.parse import quote

COMIC = "'Comic Neue','Comic Sans MS',cursive"
TIMES = "'Liberation Serif','Times New Roman',serif"
ARIAL = "'Liberation Sans',Arial,sans-serif"
MONO = "'Liberation Mono','Courier New',monospace"


@dataclass(frozen=True)
class Page:
    """One page: what it is about and how it is dressed."""

    name: str
    layout: str
    caption: str
    title: str
    tagline: str
    links: list[str]
    items: list[str]
    art: list[str]
    """Names of clip_art drawings."""
    tile: str
    """Background: a name of background()."""
    colors: tuple[str, str, str, str]
    """Background, panel, accent, text."""
    font: str = TIMES
    heldout: bool = False


def svg_url(svg: str) -> str:
    """A CSS url() that holds an SVG."""
    return f"url('data:image/svg+xml,{quote(svg)}')"


def background(tile: str, base: str, accent: str, seed: int) -> str:
    """CSS background of a page: a tile in the page's colours."""
    rng = random.Random(seed)
    head = '<svg xmlns="http://www.w3.org/2000/svg" width="{0}" height="{0}" shape-rendering="crispEdges">'

    def tiled(side: int, inner: str) -> str:
        return f"background:{base} {svg_url(head.format(side) + inner + '</svg>')}"

    def dots(side: int, count: int, colors: list[str], sizes: tuple[int, ...]) -> str:
        return "".join(
            f'<rect x="{rng.randrange(side)}" y="{rng.randrange(side)}" width="{(s := rng.choice(sizes))}" '
            f'height="{s}" fill="{rng.choice(colors)}"/>'
            for _ in range(count)
        )

    match tile:
        case "stars":
            return tiled(256, dots(256, 90, ["#fff", "#aac", "#ffd", accent], (1, 1, 2, 3)))
        case "noise":
            return tiled(96, dots(96, 500, [accent, "#ffffff55", "#00000033"], (1, 2)))
        case "leaves":
            leaf = "".join(
                f'<g transform="translate({x} {y}) rotate({r})"><path d="M0,0 C8,-14 30,-14 38,0 C30,14 8,14 0,0Z" '
                f'fill="{accent}"/><path d="M0,0 H38" stroke="{base}"/></g>'
                for x, y, r in ((14, 24, 30), (70, 20, -50), (30, 84, -20), (84, 76, 60))
            )
            return tiled(112, leaf)
        case "hearts":
            return tiled(64, f'<path d="M16,12 c-6,-9 -16,0 0,13 c16,-13 6,-22 0,-13Z M48,42 c-6,-9 -16,0 0,13 '
                             f'c16,-13 6,-22 0,-13Z" fill="{accent}"/>')  # fmt: skip
        case "clouds":
            return tiled(200, "".join(
                f'<ellipse cx="{x}" cy="{y}" rx="{r}" ry="{r * 0.6}" fill="{accent}"/>'
                for x, y, r in ((50, 60, 28), (76, 50, 30), (102, 62, 24), (150, 150, 24), (172, 144, 20))
            ))  # fmt: skip
        case "checks":
            return tiled(40, f'<rect width="20" height="20" fill="{accent}"/><rect x="20" y="20" width="20" '
                             f'height="20" fill="{accent}"/>')  # fmt: skip
        case "grid":
            return tiled(32, f'<path d="M0,0 H32 M0,0 V32" stroke="{accent}"/>')
        case "lines":
            return tiled(4, f'<rect width="4" height="2" fill="{accent}"/>')
        case "bubbles":
            return tiled(120, "".join(
                f'<circle cx="{x}" cy="{y}" r="{r}" fill="none" stroke="{accent}" stroke-width="3"/>'
                for x, y, r in ((26, 30, 18), (84, 20, 10), (70, 80, 24), (20, 92, 11))
            ))  # fmt: skip
        case "bricks":
            return tiled(
                48,
                f'<path d="M0,0 H48 M0,24 H48 M0,0 V24 M24,24 V48" stroke="{accent}" stroke-width="3"/>',
            )
        case "sidebar":
            return (
                f"background:linear-gradient(90deg,{accent} 0 150px,#0003 150px 158px,{base} 158px)"
            )
        case "gradient":
            return f"background:linear-gradient({base},{accent})"
        case _:
            return f"background:{base}"


def counter(number: int, style: str = "green") -> str:
    """An odometer that says how many visitors there were."""
    ink, ground = {"green": ("#3f3", "#000"), "red": ("#f33", "#200"), "white": ("#fff", "#333")}[
        style
    ]
    digits = "".join(
        f'<span style="display:inline-block;width:20px;margin:1px;text-align:center;font:bold 22px {MONO};color:{ink};'
        f'background:linear-gradient({ground},#444 50%,{ground} 52%)">{d}</span>'
        for d in f"{number:06d}"
    )
    return f'<span style="display:inline-block;border:3px inset #999;background:#000;padding:1px">{digits}</span>'


def badge(text: str, ground: str, ink: str, edge: str) -> str:
    """A button of 88 x 31 pixels for the foot of a page."""
    return (
        f'<span style="display:inline-block;width:88px;height:31px;overflow:hidden;margin:3px;font:bold 11px/14px {ARIAL};'
        f"background:{ground};color:{ink};border:2px outset {edge};text-align:center;vertical-align:middle;"
        f'box-sizing:border-box">{text}</span>'
    )


def badges(seed: int, count: int = 6) -> str:
    """A row of small buttons."""
    rng = random.Random(seed)
    texts = ["Best viewed<br>800 x 600", "Made by<br>hand", "Sign my<br>guestbook", "Join the<br>webring",
             "Free<br>clip art", "Site of<br>the week", "MIDI<br>music ON", "Frames<br>free zone", "Y2K<br>ready!",
             "HTML<br>2 the max"]  # fmt: skip
    looks = [("#000080", "#ffff00", "#8080ff"), ("#000", "#0f0", "#777"), ("#c00", "#fff", "#f88"),
             ("#ffcc00", "#000", "#fff0a0"), ("#008080", "#fff", "#7cc"), ("#ddd", "#006", "#fff")]  # fmt: skip
    return "".join(badge(text, *rng.choice(looks)) for text in rng.sample(texts, count))


def rainbow_rule() -> str:
    """A horizontal line in all colours."""
    return (
        '<div style="height:6px;margin:12px 0;background:linear-gradient(90deg,red,orange,yellow,lime,cyan,blue,'
        'magenta,red);border:1px outset #fff"></div>'
    )


def button(text: str, ground: str = "#c0c0c0", ink: str = "#000", width: str = "auto") -> str:
    """A grey button with bevelled edges."""
    return (
        f'<span style="display:inline-block;width:{width};padding:5px 12px;margin:3px;background:{ground};color:{ink};'
        f'border:3px outset {ground};font-weight:bold;text-align:center;box-sizing:border-box">{text}</span>'
    )


def new() -> str:
    """The little burst that marks what is new."""
    return (
        f'<span style="background:#ff0;color:#e00;font:italic bold 12px {ARIAL};border:1px solid #e00;padding:0 4px;'
        'transform:rotate(-8deg);display:inline-block">NEW!</span>'
    )


def hazard() -> str:
    """Yellow and black stripes."""
    return (
        '<div style="height:30px;margin:10px 0;background:repeating-linear-gradient(45deg,#fc0 0 24px,#111 24px 48px);'
        'border:3px ridge #fc0"></div>'
    )


def document(page: Page, body: str, zoom: float, seed: int) -> str:
    """A whole HTML page, 1024 pixels square after zooming."""
    ground, _, accent, text = page.colors
    quiet = page.tile not in ("stars", "sidebar", "gradient")
    back = background(page.tile, ground, blend(accent, ground, 0.3) if quiet else accent, seed)
    return (
        f'<!DOCTYPE html><html><head><meta charset="utf-8"><title>{page.title}</title><style>'
        f"*{{box-sizing:border-box}}html,body{{margin:0;width:1024px;height:1024px;overflow:hidden}}"
        f"body{{font:19px/1.35 {page.font};color:{text}}}a{{text-decoration:underline}}h1,h2,h3{{margin:6px 0}}"
        f'table{{border-collapse:separate}}p{{margin:9px 0}}</style></head><body style="{back}">'
        f'<div style="zoom:{zoom};width:{1024 / zoom:.0f}px">{body}</div></body></html>'
    )


def blend(a: str, b: str, share: float) -> str:
    """share of colour a over colour b; both #rrggbb."""
    pairs = zip(bytes.fromhex(a[1:]), bytes.fromhex(b[1:]), strict=True)
    return "#" + "".join(f"{round(x * share + y * (1 - share)):02x}" for x, y in pairs)
