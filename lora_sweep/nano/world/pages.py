"""Web pages in the small: bars for text, boxes for pictures, in a few layouts and styles."""

from __future__ import annotations

import random
from collections.abc import Mapping

from .captions import page_caption
from .icons import draw_icon
from .palette import NAMED, RGB, darker, lighter, luma
from .svg import Scene, document, ellipse, group, line, rect

TOPICS: tuple[str, ...] = (
    "cats", "food", "travel", "music", "sports", "games", "space", "plants", "cars", "news",
)  # fmt: skip
STYLES: tuple[str, ...] = ("modern", "retro", "dark", "minimal")
RENDERED: tuple[str, ...] = ("watercolor", "sketch", "pixel art")
HEADERS: tuple[str, ...] = (
    "blue", "red", "green", "orange", "purple", "pink", "yellow", "black", "grey", "brown",
)  # fmt: skip
_BACKS: Mapping[str, tuple[str, ...]] = {
    "modern": ("white", "white", "light grey"),
    "retro": ("black", "tiled", "starry", "beige"),
    "dark": ("dark grey", "black"),
    "minimal": ("white",),
}
_COLOURS: Mapping[str, RGB] = {
    "white": (255, 255, 255), "light grey": (236, 238, 241), "black": (10, 10, 14),
    "beige": (238, 224, 192), "dark grey": (34, 36, 44), "starry": (12, 10, 44),
    "tiled": (190, 200, 220),
}  # fmt: skip


def draw_page(rng: random.Random) -> Scene:
    """Draw a web page."""
    style = rng.choices(STYLES, (38, 32, 18, 12))[0]
    shown = rng.choice(RENDERED) if rng.random() < 0.06 else style
    attributes = {
        "topic": rng.choice(TOPICS),
        "header": rng.choice(HEADERS),
        "nav": rng.choice(("none", "bar", "bar")),
        "sidebar": rng.choices(("none", "left", "right"), (40, 38, 22))[0],
        "columns": rng.choices(("1", "2", "3"), (30, 36, 34))[0],
        "buttons": rng.choice(("none", "none", *HEADERS[:7])),
        "background": rng.choice(_BACKS[style]),
        "style": shown,
    }
    svg = _draw(attributes, style, rng)
    return Scene("page", svg, attributes, page_caption(attributes, rng))


class _Ink:
    """The colours of one page."""

    def __init__(self, attributes: Mapping[str, str], style: str, rng: random.Random) -> None:
        self.style = style
        self.back = _COLOURS[attributes["background"]]
        night = luma(self.back) < 100
        self.text: RGB = (176, 180, 190) if night else (120, 124, 132)
        if style == "retro":
            bright: tuple[RGB, ...] = ((0, 255, 90), (255, 255, 0), (0, 240, 255), (255, 120, 220))
            self.text = rng.choice(bright) if night else (40, 40, 150)
        if style == "minimal":
            self.text = (176, 178, 184)
        self.header = NAMED[attributes["header"]]
        self.title = (255, 255, 255) if luma(self.header) < 150 else (40, 40, 48)
        self.accent = NAMED.get(attributes["buttons"], self.header)
        self.panel = lighter(self.back, 0.1) if night else darker(self.back, 0.07)
        if style == "retro":
            self.panel = rng.choice(((200, 200, 200), (246, 234, 200), (184, 204, 240)))


def _draw(attributes: Mapping[str, str], style: str, rng: random.Random) -> str:
    ink = _Ink(attributes, style, rng)
    retro = style == "retro"
    margin = rng.choice((4, 6)) if retro and attributes["background"] in ("tiled", "starry") else 0
    top = rng.choice((8, 10, 13))
    parts = _header(attributes, ink, margin, top, rng)
    y = top
    if attributes["nav"] == "bar":
        parts += _nav(ink, margin, top, rng)
        y += 6
    left, right = margin, 64 - margin
    if attributes["sidebar"] != "none":
        wide = rng.choice((13, 15, 17))
        x = left if attributes["sidebar"] == "left" else right - wide
        parts += _sidebar(ink, x, y, wide, rng)
        if attributes["sidebar"] == "left":
            left += wide
        else:
            right -= wide
    body = ""
    if margin:
        paper: RGB = (255, 255, 255) if attributes["background"] == "tiled" else (20, 20, 30)
        if luma(paper) > 100:
            ink.text = (40, 40, 120)
        body = rect(margin, 0, 64 - 2 * margin, 64, paper)
    content = _content(attributes, ink, left, y, right, rng)
    return document(_ground(attributes, ink, rng), body + content + parts, "", attributes["style"])


def _ground(attributes: Mapping[str, str], ink: _Ink, rng: random.Random) -> str:
    ground = rect(0, 0, 64, 64, ink.back)
    if attributes["background"] == "tiled":
        a: RGB = rng.choice(((120, 170, 230), (230, 150, 190), (130, 200, 140), (220, 190, 110)))
        tiles = "".join(
            rect(x, y, 4, 4, a) for x in range(0, 64, 4) for y in range(0, 64, 4) if (x + y) % 8
        )
        return ground + tiles
    if attributes["background"] == "starry":
        spots = (
            ellipse(rng.uniform(0, 64), rng.uniform(0, 64), 0.6, 0.6, (255, 255, 255))
            for _ in range(36)
        )
        return ground + "".join(spots)
    return ground


def _bevel(x: float, y: float, w: float, h: float, fill: RGB) -> str:
    """A raised box: light from the top left."""
    light, dark = lighter(fill, 0.65), darker(fill, 0.5)
    edge = line(f"M{x} {y + h}V{y}H{x + w}", light, 1) + line(f"M{x + w} {y}V{y + h}H{x}", dark, 1)
    return rect(x, y, w, h, fill) + edge


def _header(
    attributes: Mapping[str, str], ink: _Ink, margin: int, top: int, rng: random.Random
) -> str:
    x, w = margin, 64 - 2 * margin
    bar = (
        _bevel(x, 0, w, top, ink.header) if ink.style == "retro" else rect(x, 0, w, top, ink.header)
    )
    if ink.style == "minimal":
        bar = rect(x, 0, w, top, ink.header, extra='opacity="0.85"')
    middle = rng.random() < (0.6 if ink.style == "retro" else 0.15)
    length = rng.uniform(14, 26)
    start = 32 - length / 2 if middle else x + 4 + (top - 2)
    title = rect(start, top / 2 - 1.5, length, 3, ink.title, 0.8)
    logo = group(
        draw_icon(attributes["topic"], ink.title, ink.header), x + 2 + top / 2, top / 2, top / 26
    )
    return bar + title + ("" if middle else logo)


def _nav(ink: _Ink, margin: int, top: int, rng: random.Random) -> str:
    if ink.style == "retro":
        n = rng.choice((4, 5))
        w = (64 - 2 * margin) / n
        return "".join(
            _bevel(margin + k * w + 0.5, top + 0.5, w - 1, 5, (196, 196, 200)) for k in range(n)
        )
    fill = darker(ink.header, 0.25) if ink.style != "minimal" else ink.panel
    words = "".join(
        rect(
            margin + 4 + k * 11,
            top + 2,
            7,
            1.6,
            lighter(fill, 0.7) if luma(fill) < 150 else ink.text,
        )
        for k in range(rng.choice((3, 4, 5)))
    )
    return rect(margin, top, 64 - 2 * margin, 6, fill) + words


def _bars(x: float, y: float, w: float, n: int, ink: _Ink, rng: random.Random) -> str:
    """n bars of text, the last one shorter."""
    colour = ink.text
    return "".join(
        rect(
            x,
            y + k * 3,
            w * (rng.uniform(0.4, 0.7) if k == n - 1 else rng.uniform(0.88, 1)),
            1.4,
            colour,
        )
        for k in range(n)
    )


def _sidebar(ink: _Ink, x: float, y: float, wide: float, rng: random.Random) -> str:
    panel = (
        _bevel(x, y, wide, 64 - y, ink.panel)
        if ink.style == "retro"
        else rect(x, y, wide, 64 - y, ink.panel)
    )
    colour = (30, 40, 170) if ink.style == "retro" else ink.text
    items = ""
    for k in range(rng.choice((4, 5, 6))):
        at = y + 4 + k * 6.5
        items += ellipse(x + 3, at + 0.8, 1, 1, ink.accent) + rect(
            x + 5.5, at, wide - 8 - rng.uniform(0, 3), 1.6, colour
        )
    return panel + items


def _content(
    attributes: Mapping[str, str],
    ink: _Ink,
    left: float,
    y: float,
    right: float,
    rng: random.Random,
) -> str:
    parts, y, pad = "", y + 3, 3.0
    if rng.random() < 0.35:
        hero = rng.uniform(10, 14)
        parts += _picture(
            attributes["topic"], left + pad, y, right - left - 2 * pad, hero, ink, rng
        )
        y += hero + 3
    elif rng.random() < 0.5:
        parts += rect(left + pad, y, (right - left) * 0.6, 2.6, ink.header)
        y += 5
    count = int(attributes["columns"])
    gap = 2.5
    w = (right - left - 2 * pad - gap * (count - 1)) / count
    picture_high = rng.uniform(9, 14) if rng.random() < 0.85 else 0.0
    for k in range(count):
        x, at = left + pad + k * (w + gap), y
        if ink.style == "modern" and count > 1:
            card: RGB = (255, 255, 255)
            parts += rect(x - 0.6, at - 0.6, w + 1.2, 60 - at, card, 1.2, (214, 218, 224), 0.7)
        if picture_high:
            parts += _picture(attributes["topic"], x, at, w, picture_high, ink, rng)
            at += picture_high + 2.4
        n = max(1, min(4, int((56 - at) // 3)))
        parts += _bars(x + 0.8, at, w - 1.6, n, ink, rng)
        at += n * 3 + 1.5
        if attributes["buttons"] != "none" and at < 60:
            button = min(w - 1, 11.0)
            parts += (
                _bevel(x + 0.8, at, button, 4, ink.accent)
                if ink.style == "retro"
                else rect(x + 0.8, at, button, 4, ink.accent, 1.6)
            )
            at += 6
        if at < 54:
            parts += _bars(x + 0.8, at + 1, w - 1.6, int((62 - at) // 3), ink, rng)
    return parts


def _picture(
    topic: str, x: float, y: float, w: float, h: float, ink: _Ink, rng: random.Random
) -> str:
    """A picture on a page: the topic's icon before a plain colour."""
    name = rng.choice(("blue", "green", "orange", "purple", "pink", "red", "yellow"))
    fill = lighter(NAMED[name], 0.35 if topic != "space" else 0.0)
    if topic == "space":
        fill = (24, 26, 70)
    if ink.style == "minimal":
        fill = rng.choice(((222, 224, 228), (206, 216, 226), (228, 220, 212)))
    edge = (90, 90, 110) if ink.style == "retro" else None
    icon = group(
        draw_icon(topic, rng.choice(((255, 255, 255), (60, 54, 60), (250, 220, 120))), fill),
        x + w / 2,
        y + h / 2,
        min(w, h) / 24,
    )
    return rect(x, y, w, h, fill, 0 if ink.style == "retro" else 0.8, edge, 0.8) + icon
