"""Emoji characters: a head with a mood, perhaps a hat and a prop, before a background."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping

from lora_sweep.errors import SettingsError

from .captions import emoji_caption
from .faces import HEADS, MOODS, Face, draw_head, ink_of
from .hats import HAT_TOP, HATS, PROPS, draw_hat, draw_prop
from .palette import NAMED, NAMES, RGB, darker, lighter, luma, mix
from .svg import (
    RENDER_STYLES,
    Scene,
    document,
    ellipse,
    group,
    linear_gradient,
    path,
    radial_gradient,
    rect,
    star_path,
)

PLAIN_STYLES: tuple[str, ...] = ("flat", "outlined", "shaded", "pastel")
STYLES: tuple[str, ...] = PLAIN_STYLES + RENDER_STYLES
PATTERNS: tuple[str, ...] = ("plain", "gradient", "stripes", "dots", "night sky", "grass")
SCENIC: tuple[str, ...] = ("night sky", "grass")  # their background is named "scenery"
_HELDOUT_KEYS = ("background", "body", "mood", "hat")


def is_heldout(attributes: Mapping[str, str]) -> bool:
    """Say whether an emoji's (background, body, mood, hat) belongs to the 10 % never trained on."""
    if any(key not in attributes for key in _HELDOUT_KEYS):
        return False
    text = "|".join(attributes[key] for key in _HELDOUT_KEYS)
    return hashlib.blake2b(text.encode(), digest_size=4).digest()[0] % 10 == 0


def draw_emoji(
    rng: random.Random,
    background: str | None = None,
    body: str | None = None,
    mood: str | None = None,
    hat: str | None = None,
    prop: str | None = None,
    style: str | None = None,
    pattern: str | None = None,
    head: str | None = None,
) -> Scene:
    """Draw an emoji; attributes not given are drawn from rng.

    A given background makes a plain picture of that colour unless a pattern is given too.

    Raises:
        SettingsError: an attribute has a value the world does not know, or body equals background.
    """
    given = {
        "background": background, "body": body, "mood": mood, "hat": hat, "prop": prop,
        "style": style, "pattern": pattern, "head": head,
    }  # fmt: skip
    fixed = {key: value for key, value in given.items() if value is not None}
    _check(fixed)
    attributes = _draw_attributes(rng, fixed)
    return Scene("emoji", _draw(attributes, rng), attributes, emoji_caption(attributes, rng))


def heldout_emoji(n: int, seed: int) -> list[Scene]:
    """Draw n emoji of held-out combinations, on plain backgrounds and in plain styles."""
    rng = random.Random(f"heldout {seed}")
    scenes: list[Scene] = []
    while len(scenes) < n:
        background, body = rng.sample(NAMES, 2)
        combination = {
            "background": background, "body": body, "mood": rng.choice(MOODS),
            "hat": rng.choice(HATS),
        }  # fmt: skip
        if is_heldout(combination):
            scenes.append(draw_emoji(rng, style=rng.choice(PLAIN_STYLES), **combination))
    return scenes


def _check(fixed: Mapping[str, str]) -> None:
    allowed = {
        "background": (*NAMES, "scenery"), "body": NAMES, "mood": MOODS, "hat": HATS,
        "prop": PROPS, "style": STYLES, "pattern": PATTERNS, "head": HEADS,
    }  # fmt: skip
    for key, value in fixed.items():
        if value not in allowed[key]:
            raise SettingsError([f"{key} is {value!r}; allowed are {', '.join(allowed[key])}"])
    if "body" in fixed and fixed["body"] == fixed.get("background"):
        raise SettingsError([f"body and background are both {fixed['body']!r}; they must differ"])
    scenic = fixed.get("pattern") in SCENIC
    if (
        "pattern" in fixed
        and "background" in fixed
        and scenic != (fixed["background"] == "scenery")
    ):
        raise SettingsError(
            [f"pattern {fixed['pattern']!r} does not go with background {fixed['background']!r}"]
        )


def _draw_attributes(rng: random.Random, fixed: Mapping[str, str]) -> dict[str, str]:
    # A fifth of the faces are the common emoji: a big shaded yellow ball on white.
    common = rng.random() < 0.2
    style = "shaded" if common else rng.choices(STYLES, (25, 16, 37, 10, 3, 2, 3, 3, 2))[0]
    pattern = "plain" if common else rng.choices(PATTERNS, (84, 4, 4, 4, 2, 2))[0]
    if "background" in fixed:
        pattern = "grass" if fixed["background"] == "scenery" else "plain"
    style, pattern = fixed.get("style", style), fixed.get("pattern", pattern)
    body = "yellow" if common else rng.choices(NAMES, [18] + [8] * 10)[0]
    body = fixed.get("body", body)
    if "background" in fixed:
        background = fixed["background"]
        while body == background:
            body = rng.choice(NAMES)
    elif pattern in SCENIC:
        background = "scenery"
    else:
        background = "white" if common else ("black" if style == "neon" else rng.choice(NAMES))
        while body == background:
            background = rng.choice(NAMES)
    head = "round" if common else rng.choices(HEADS, (58, 8, 7, 8, 7, 6, 6))[0]
    attributes = {
        "background": background,
        "pattern": pattern,
        "body": body,
        "head": head,
        "mood": rng.choice(MOODS),
        "hat": "none" if rng.random() < 0.38 else rng.choice(HATS[1:]),
        "prop": "none" if rng.random() < 0.55 else rng.choice(PROPS),
        "style": style,
    }
    return {**attributes, **fixed}


def _draw(attributes: Mapping[str, str], rng: random.Random) -> str:
    name, style, hat = attributes["body"], attributes["style"], attributes["hat"]
    soft = 0.16 if style == "pastel" else 0.0
    body = lighter(NAMED[name], soft)
    shaded = style in ("shaded", "3d render")
    definitions, fill = "", body
    paint: RGB | str = fill
    if shaded:
        definitions, paint = _shading(name, body), "url(#head)"
    back, back_definitions = draw_background(attributes, soft, rng)
    outline = _outline(attributes, body)
    avoid = (name, attributes["background"])
    face = Face(ink_of(name, body), body, shaded, rng)
    parts = draw_head(attributes["head"], body, paint, outline, rng)
    if shaded:
        parts += ellipse(0, -16, 15, 7.5, "#ffffff", extra='opacity="0.16"')
    if style == "pastel" or rng.random() < 0.12:
        parts += "".join(
            ellipse(k * 18, 5, 4.2, 3, "#f0605c", extra='opacity="0.4"') for k in (-1, 1)
        )
    parts += face.mood(attributes["mood"])
    parts += draw_hat(hat, rng, avoid, outline if style == "outlined" else None)
    parts += draw_prop(attributes["prop"], body, rng, avoid)
    return document(back, _place(parts, attributes, rng), definitions + back_definitions, style)


def _place(parts: str, attributes: Mapping[str, str], rng: random.Random) -> str:
    """Scale and move a figure so that head and hat fill the canvas and its corners stay free."""
    top = HAT_TOP[attributes["hat"]]
    if attributes["head"] in ("cat", "bear", "robot", "ghost"):
        top = max(top, 34 if attributes["head"] != "ghost" else 30)
    bottom = 30 if attributes["prop"] != "none" or attributes["head"] == "ghost" else 28
    room = rng.uniform(0.5, 3.0)
    fits = min((64 - 2 * room) / (top + bottom), 1.1)
    wide = 1.0 if attributes["prop"] == "none" and attributes["hat"] != "cap" else 0.92
    if attributes["hat"] in ("cowboy hat", "headphones") or attributes["head"] == "robot":
        wide = 0.88
    if attributes["head"] in ("square", "robot", "ghost", "cat"):
        wide = min(wide, 0.92)
    scale = min(fits, wide * rng.uniform(1.0, 1.06)) * rng.choice((1.0, 1.0, 1.0, 0.96, 0.92))
    slack = 64 - scale * (top + bottom)
    y = scale * top + slack * rng.uniform(0.4, 0.6)
    aside = max(0.0, 31.5 - scale * 30)
    x = 32 + rng.uniform(-1, 1) * min(aside, 2.0)
    return group(parts, x, y, scale, rng.choice((0, 0, 0, 1, -1)) * rng.uniform(0, 6))


def _outline(attributes: Mapping[str, str], body: RGB) -> RGB | None:
    back = NAMED.get(attributes["background"], (20, 30, 60))
    close = sum(abs(p - q) for p, q in zip(body, back, strict=True)) < 110
    if attributes["style"] == "outlined":
        return (
            (235, 235, 240)
            if attributes["body"] == "black"
            else mix(darker(body, 0.7), (30, 24, 30), 0.5)
        )
    if attributes["style"] == "neon":
        return lighter(body, 0.5)
    return (darker(body, 0.3) if luma(body) > 60 else lighter(body, 0.3)) if close else None


def _shading(name: str, body: RGB) -> str:
    if name == "yellow":
        stops: list[tuple[float, RGB]] = [
            (0.5, (253, 222, 50)),
            (0.9, (247, 192, 43)),
            (1, (243, 164, 36)),
        ]
    elif name == "white":
        stops = [(0.55, (255, 255, 255)), (0.9, (236, 238, 244)), (1, (206, 210, 222))]
    else:
        stops = [(0.3, lighter(body, 0.08)), (0.75, body), (1, darker(body, 0.25))]
    return radial_gradient("head", stops)


def draw_background(
    attributes: Mapping[str, str], soft: float, rng: random.Random
) -> tuple[str, str]:
    """Return the background of an emoji and its definitions."""
    pattern = attributes["pattern"]
    if pattern == "night sky":
        spots = "".join(
            ellipse(rng.uniform(1, 63), rng.uniform(1, 63), r, r, (255, 250, 220))
            for r in (0.5, 0.6, 0.7, 0.8, 1.0, 0.6, 0.9, 0.5, 0.7, 0.8)
        )
        moon = ellipse(56, 9, 5, 5, (250, 240, 190)) + ellipse(53.5, 8, 4.4, 4.4, (16, 22, 62))
        return rect(0, 0, 64, 64, "url(#sky)") + spots + moon, linear_gradient(
            "sky", (14, 18, 54), (44, 50, 110)
        )
    if pattern == "grass":
        blades = "".join(
            f"M{x} 48L{x + 1.5} {rng.uniform(42, 45):.1f}L{x + 3} 48Z" for x in range(0, 64, 3)
        )
        ground = rect(0, 47, 64, 17, (88, 174, 70)) + path(blades, (88, 174, 70))
        return rect(0, 0, 64, 64, (150, 212, 248)) + ground, ""
    colour = lighter(NAMED[attributes["background"]], soft)
    plain = rect(0, 0, 64, 64, colour)
    other = lighter(colour, 0.4) if luma(colour) < 170 else darker(colour, 0.16)
    if pattern == "gradient":
        return rect(0, 0, 64, 64, "url(#back)"), linear_gradient(
            "back", lighter(colour, 0.55), darker(colour, 0.15)
        )
    if pattern == "stripes":
        turn, step = rng.choice((0, 45, 90)), rng.choice((6, 8, 10))
        bars = "".join(rect(x, -50, step / 2, 100, other) for x in range(-50, 50, step))
        return plain + group(bars, 32, 32, 1, turn), ""
    if pattern == "dots":
        step = rng.choice((8, 11))
        shape = star_path(2.6) if rng.random() < 0.3 else None
        spots = "".join(
            group(path(shape, other), x, y) if shape else ellipse(x, y, 1.9, 1.9, other)
            for x in range(3, 64, step)
            for y in range(3, 64, step)
        )
        return plain + spots, ""
    return plain, ""
