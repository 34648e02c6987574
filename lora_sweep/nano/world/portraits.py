"""Drawn people: head and shoulders before a plain colour or a place."""

from __future__ import annotations

import random
from collections.abc import Mapping

from .captions import portrait_caption
from .palette import HAIR, NAMED, NAMES, RGB, SKIN, darker, lighter, luma, mix
from .svg import (
    RENDER_STYLES,
    Scene,
    document,
    ellipse,
    group,
    line,
    linear_gradient,
    path,
    rect,
)

PEOPLE: tuple[str, ...] = ("woman", "man", "girl", "boy")
HAIR_STYLES: tuple[str, ...] = ("short", "long", "curly", "bun", "ponytail", "bald", "bob")
CLOTHES: tuple[str, ...] = ("shirt", "dress", "hoodie", "suit", "sweater")
EXPRESSIONS: tuple[str, ...] = ("smiling", "serious", "surprised")
FRAMINGS: Mapping[str, float] = {"portrait": 1.0, "close-up": 1.32, "half body": 0.8}
PLACES: tuple[str, ...] = ("indoors", "outdoors", "beach")
_SOFT: RGB = (226, 222, 214)


def draw_portrait(rng: random.Random) -> Scene:
    """Draw a portrait."""
    attributes = _draw_attributes(rng)
    svg = _draw(attributes, rng)
    return Scene("portrait", svg, attributes, portrait_caption(attributes, rng))


def _draw_attributes(rng: random.Random) -> dict[str, str]:
    person = rng.choice(PEOPLE)
    male, grown = person in ("man", "boy"), person in ("man", "woman")
    weights = (40, 8, 22, 3, 5, 18 if grown else 0, 4) if male else (12, 26, 16, 14, 16, 1, 15)
    clothes = rng.choices(CLOTHES, (28, 0 if male else 26, 20, 20 if grown else 4, 20))[0]
    style = rng.choice(RENDER_STYLES) if rng.random() < 0.1 else "plain"
    background = rng.choice(NAMES) if rng.random() < 0.62 else rng.choice(PLACES)
    return {
        "person": person,
        "hair": rng.choices(
            tuple(HAIR), (20, 22, 18, 12, 8, 7 if grown else 0, 4 if grown else 0, 5)
        )[0],
        "hair style": rng.choices(HAIR_STYLES, weights)[0],
        "skin": rng.choice(tuple(SKIN)),
        "clothes": clothes,
        "clothes colour": rng.choice(NAMES),
        "glasses": rng.choices(("none", "round", "square"), (68, 17, 15))[0],
        "beard": "beard" if person == "man" and rng.random() < 0.4 else "none",
        "freckles": "freckles" if rng.random() < 0.12 else "none",
        "expression": rng.choices(EXPRESSIONS, (50, 32, 18))[0],
        "background": "black" if style == "neon" else background,
        "framing": rng.choices(tuple(FRAMINGS), (56, 24, 20))[0],
        "style": style,
    }


def _draw(attributes: Mapping[str, str], rng: random.Random) -> str:
    skin, hair = SKIN[attributes["skin"]], HAIR[attributes["hair"]]
    child = attributes["person"] in ("girl", "boy")
    shift = rng.choice((0.0, 0.0, 1.0, -1.0)) * rng.uniform(1, 3.2)
    tilt = rng.choice((0, 0, 1, -1)) * rng.uniform(2, 9)
    back_hair = _back_hair(attributes["hair style"], hair, rng)
    head = _head(attributes, skin, hair, shift, rng)
    scale = FRAMINGS[attributes["framing"]] * rng.uniform(0.96, 1.04)
    size = 1.08 if child else 1.0
    # Turning happens about the neck, at (0, 14) in head coordinates.
    figure = (
        group(group(back_hair, 0, -14, 1), 0, 14, size, tilt)
        + group(_body(attributes, skin, child), 0, 0, 1)
        + group(group(head, 0, -14, 1), 0, 14, size, tilt)
    )
    y = {"portrait": 26.0, "close-up": 31.0, "half body": 21.0}[attributes["framing"]]
    placed = group(figure, 32 + rng.uniform(-2.5, 2.5), y + rng.uniform(-1, 1.5), scale)
    back, definitions = draw_place(attributes["background"], rng)
    definitions += linear_gradient("skin", lighter(skin, 0.06), darker(skin, 0.1))
    return document(back, placed, definitions, attributes["style"])


def draw_place(background: str, rng: random.Random) -> tuple[str, str]:
    """Return a plain colour or a place of PLACES, and its definitions."""
    if background == "indoors":
        wall: RGB = rng.choice(((222, 206, 180), (190, 204, 208), (206, 190, 204), (200, 210, 184)))
        x = rng.choice((3, 41))
        window = rect(x, 5, 20, 24, (170, 216, 246), 0, (250, 250, 250), 2.4)
        bars = line(f"M{x + 10} 5V29M{x} 17H{x + 20}", (250, 250, 250), 1.6)
        return rect(0, 0, 64, 64, wall) + rect(0, 54, 64, 10, darker(wall, 0.3)) + window + bars, ""
    if background == "outdoors":
        sky = rect(0, 0, 64, 64, "url(#place)")
        hill = path("M0 42Q18 32 34 41T64 38V64H0Z", (96, 172, 80))
        tree = ""
        if rng.random() < 0.6:
            x = rng.choice((7, 57))
            tree = rect(x - 1.5, 26, 3, 18, (110, 74, 46)) + ellipse(x, 22, 8, 9, (54, 130, 62))
        return sky + hill + tree, linear_gradient("place", (110, 186, 244), (206, 234, 252))
    if background == "beach":
        sun = ellipse(rng.choice((10, 54)), 9, 5, 5, (255, 222, 90))
        sea = rect(0, 30, 64, 14, (40, 140, 190)) + rect(0, 43, 64, 21, (236, 210, 150))
        return rect(0, 0, 64, 64, (160, 216, 246)) + sun + sea, ""
    colour = NAMED[background]
    return rect(0, 0, 64, 64, colour), ""


def _body(attributes: Mapping[str, str], skin: RGB, child: bool) -> str:
    """Neck, shoulders and clothes; the head's centre is (0, 0), the chin at y = 15."""
    colour, kind = NAMED[attributes["clothes colour"]], attributes["clothes"]
    if attributes["clothes colour"] == attributes["background"]:
        colour = darker(colour, 0.22) if luma(colour) > 80 else lighter(colour, 0.22)
    dark = darker(colour, 0.25) if luma(colour) > 60 else lighter(colour, 0.2)
    w = 20 if child else (26 if attributes["person"] == "man" else 22)
    torso = path(
        f"M-6 21C{-w} 23 {-w - 1} 28 {-w - 2} 62L{w + 2} 62C{w + 1} 28 {w} 23 6 21Q0 25 -6 21Z",
        colour,
    )
    arms = line(f"M{-w + 6} 40L{-w + 5} 62M{w - 6} 40L{w - 5} 62", dark, 1.4)
    neck = path("M-5 8L-5 21Q0 27 5 21L5 8Z", darker(skin, 0.14))
    if kind == "dress":
        low = path("M-10 20.5Q0 38 10 20.5L6 20Q0 24 -6 20Z", skin)
        return torso + arms + low + neck
    if kind == "hoodie":
        hood = path("M-14 24Q-10 15 -6 19Q0 28 6 19Q10 15 14 24Q0 36 -14 24Z", dark)
        strings = line("M-4 29L-5 38M4 29L5 38", lighter(colour, 0.7), 1.3)
        return torso + arms + hood + neck + strings
    if kind == "suit":
        tie = NAMED["red"] if attributes["clothes colour"] != "red" else NAMED["blue"]
        front = path("M-8 20L0 46L8 20Q0 26 -8 20Z", (248, 248, 250))
        lapels = path("M-8 19L-13 27L0 48L-5 30Z", dark) + path("M8 19L13 27L0 48L5 30Z", dark)
        return torso + arms + front + neck + path("M-2 26H2L3.2 40L0 45L-3.2 40Z", tie) + lapels
    if kind == "sweater":
        bands = line("M-20 36H20M-21 41H21", dark, 2)
        return torso + bands + arms + neck + path("M-8 19Q0 28 8 19L8 23Q0 32 -8 23Z", dark)
    collar = path("M-7 19L-10 26L-2 28L0 24Z", lighter(colour, 0.3)) + path(
        "M7 19L10 26L2 28L0 24Z", lighter(colour, 0.3)
    )
    buttons = "".join(ellipse(0, y, 0.9, 0.9, dark) for y in (31, 37, 43, 49))
    return torso + arms + neck + collar + line("M0 27V62", dark, 0.9) + buttons


def _back_hair(style: str, hair: RGB, rng: random.Random) -> str:
    back = darker(hair, 0.18)
    if style == "long":
        n = rng.uniform(30, 38)
        return path(
            f"M-14 -4C-17 -24 17 -24 14 -4C16 10 18 20 17 {n:.1f}"
            f"L-17 {n:.1f}C-18 20 -16 10 -14 -4Z",
            back,
        )
    if style == "curly":
        spots = (
            (-14, -6),
            (-15, 2),
            (-14, 10),
            (14, -6),
            (15, 2),
            (14, 10),
            (-9, -13),
            (9, -13),
            (0, -16),
        )
        return "".join(ellipse(x, y, 6.4, 6.4, back) for x, y in spots)
    if style == "bob":
        return path("M-14 -4C-17 -23 17 -23 14 -4L16 14Q8 18 0 17Q-8 18 -16 14Z", back)
    if style == "bun":
        return ellipse(0, -20, 7.5, 6.5, hair) + ellipse(0, -18, 4, 3, back)
    if style == "ponytail":
        k = rng.choice((-1, 1))
        return path(
            f"M{k * 8} -14C{k * 24} -20 {k * 25} 4 {k * 20} 22"
            f"Q{k * 15} 14 {k * 15} 4Q{k * 14} -6 {k * 8} -8Z",
            back,
        )
    return ""


def _front_hair(style: str, hair: RGB, male: bool, rng: random.Random) -> str:
    if style == "bald":
        return ""
    if style == "curly":
        spots = ((-11, -8), (-7, -13), (0, -15), (7, -13), (11, -8))
        return "".join(ellipse(x, y, 5.6, 5, hair) for x, y in spots)
    if style == "short":
        lift = rng.uniform(0, 3)
        side = 0 if male else 6
        return path(
            f"M-13.5 {side}C-16 -17 -8 {-19 - lift:.1f} 1 {-19 - lift:.1f}"
            f"C10 {-19 - lift:.1f} 16 -15 13.5 {side}L11.5 -5Q8 -10 3 -10Q-6 -8 -11.5 -6Z",
            hair,
        )
    if style in ("long", "bob") and rng.random() < 0.5:
        return path("M-14 4C-17 -24 17 -24 14 4L11.5 -4Q0 -9 -11.5 -4Z", hair)
    k = rng.choice((-1, 1))
    end = 4 if style in ("long", "bob") else -2
    crown = f"M{-k * 14} {end}C{-k * 17} -24 {k * 17} -24 {k * 14} {end}"
    return path(f"{crown}Q{k * 12} -6 {k * 4} -13Q{-k * 4} -8 {-k * 11} -6Z", hair)


def _head(
    attributes: Mapping[str, str], skin: RGB, hair: RGB, shift: float, rng: random.Random
) -> str:
    """Face with front hair; the face is an ellipse 12 x 15 around (0, 0)."""
    male = attributes["person"] in ("man", "boy")
    ears = ellipse(-12.4, 1, 2.4, 3.6, darker(skin, 0.1)) + ellipse(
        12.4, 1, 2.4, 3.6, darker(skin, 0.1)
    )
    face = path(
        "M-12.4 -3C-12.4 -19 12.4 -19 12.4 -3C12.4 7 8 15.4 0 15.4C-8 15.4 -12.4 7 -12.4 -3Z",
        "url(#skin)",
    )
    ink: RGB = mix(darker(skin, 0.75), (30, 20, 20), 0.5)
    parts = ears + face
    if attributes["beard"] == "beard":
        parts += path(
            "M-12.4 0C-12 10 -8 18 0 18C8 18 12 10 12.4 0Q9 6 5 5.6Q0 4.6 -5 5.6Q-9 6 -12.4 0Z",
            hair,
        )
    features = _features(attributes, skin, hair, ink, male)
    parts += group(features, shift, 0)
    if attributes["glasses"] != "none":
        parts += group(_spectacles(attributes["glasses"], skin), shift, 0)
    return parts + _front_hair(attributes["hair style"], hair, male, rng)


def _features(attributes: Mapping[str, str], skin: RGB, hair: RGB, ink: RGB, male: bool) -> str:
    wide = attributes["expression"] == "surprised"
    brow = darker(hair, 0.3) if attributes["hair style"] != "bald" else ink
    lift = -7.4 if wide else -5.4
    parts = ""
    for k in (-1, 1):
        parts += ellipse(k * 5.2, -0.8, 2.5, 2.5 if wide else 1.8, (252, 252, 252))
        parts += ellipse(k * 5.2, -0.8, 1.4, 1.5, ink)
        parts += line(
            f"M{k * 2.8} {lift:.1f}Q{k * 5} {lift - 1.2:.1f} {k * 7.8} {lift:.1f}", brow, 1.3
        )
        if not male:
            parts += line(f"M{k * 2.8} -2.2Q{k * 5.4} -4.2 {k * 8.2} -1.9", ink, 0.9)
        if attributes["freckles"] == "freckles":
            spots = ((4.5, 4), (6.5, 3.4), (7.6, 5.2), (5.4, 5.8))
            parts += "".join(ellipse(k * x, y, 0.6, 0.6, darker(skin, 0.35)) for x, y in spots)
    parts += line("M-0.4 0.5Q-1.6 4 0.8 4.6", darker(skin, 0.28), 1)
    lips: RGB = mix(skin, (190, 40, 56), 0.65 if not male else 0.4)
    if wide:
        return parts + ellipse(0, 9.6, 2.2, 2.9, (96, 26, 30), lips, 1)
    if attributes["expression"] == "smiling":
        return parts + path(
            "M-5 7.6Q0 8.8 5 7.6Q3.5 12 0 12Q-3.5 12 -5 7.6Z", (252, 252, 252), lips, 1.1
        )
    return parts + line("M-3.4 9.6Q0 9 3.4 9.6", lips, 1.6)


def _spectacles(glasses: str, skin: RGB) -> str:
    rim: RGB = (24, 24, 30) if luma(skin) > 90 else (236, 220, 160)
    lens = 'fill-opacity="0.22"'
    if glasses == "round":
        pair = "".join(
            ellipse(k * 5.4, -0.6, 4.4, 4.4, (200, 226, 250), rim, 1.2, lens) for k in (-1, 1)
        )
    else:
        pair = "".join(
            rect(k * 5.6 - 4.6, -4, 9.2, 7, (200, 226, 250), 1, rim, 1.3, lens) for k in (-1, 1)
        )
    return pair + line("M-1 -1H1M-9.8 -1L-12 -2M9.8 -1L12 -2", rim, 1.2)
