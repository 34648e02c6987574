"""Hats and props of emoji, in head coordinates: centre (0, 0), radius 28, y downwards."""

from __future__ import annotations

import random
from collections.abc import Mapping

from .palette import NAMED, RGB, darker, lighter
from .svg import ellipse, group, heart_path, line, path, rect, star_path

HATS: tuple[str, ...] = (
    "none", "top hat", "cap", "crown", "party hat", "cowboy hat", "wizard hat", "beanie", "bow",
    "halo", "horns", "headphones",
)  # fmt: skip
PROPS: tuple[str, ...] = (
    "none", "hands", "heart", "flower", "book", "ice cream", "star", "cup", "balloon",
)  # fmt: skip
# How far each hat reaches above the centre of the head, in head units.
HAT_TOP: Mapping[str, float] = {
    "none": 28, "top hat": 46, "cap": 34, "crown": 41, "party hat": 52, "cowboy hat": 44,
    "wizard hat": 54, "beanie": 40, "bow": 36, "halo": 41, "horns": 42, "headphones": 34,
}  # fmt: skip
_BRIGHT: tuple[str, ...] = ("red", "blue", "green", "purple", "pink", "orange")
GOLD: RGB = (250, 190, 40)


def _pick(rng: random.Random, avoid: tuple[str, ...]) -> RGB:
    return NAMED[rng.choice([name for name in _BRIGHT if name not in avoid])]


def draw_hat(hat: str, rng: random.Random, avoid: tuple[str, ...], edge: RGB | None) -> str:
    """Return a hat of HATS in a colour that is none of avoid."""
    c = _pick(rng, avoid)
    d, w = darker(c, 0.25), 1.6
    if hat == "top hat":
        cloth: RGB = (48, 46, 56) if "black" not in avoid else (74, 52, 110)
        tall = path("M-16 -20L-18 -45Q0 -48 18 -45L16 -20Z", cloth, edge, w)
        return (
            tall
            + path("M-16.5 -26L16.5 -26L16 -20L-16 -20Z", c)
            + ellipse(0, -19, 27, 4.6, cloth, edge, w)
        )
    if hat == "cap":
        dome = path("M-25 -13C-25 -42 25 -42 25 -13Q0 -20 -25 -13Z", c, edge, w)
        k = rng.choice((-1, 1))
        visor = path(
            f"M{k * 2} -17Q{k * 24} -20 {k * 37} -10Q{k * 22} -14 {k * 2} -12Z", d, edge, w
        )
        return dome + visor + ellipse(0, -34, 2.5, 1.6, d)
    if hat == "crown":
        gold = path(
            "M-20 -19L-23 -38L-11 -29L0 -41L11 -29L23 -38L20 -19Q0 -24 -20 -19Z",
            GOLD,
            darker(GOLD, 0.25),
            1.4,
        )
        return gold + "".join(ellipse(x, -25 - (x == 0), 2.4, 2.4, c) for x in (-12, 0, 12))
    if hat == "party hat":
        cone = path("M-14 -20L0 -50L14 -20Q0 -15 -14 -20Z", c, edge, w)
        bands = line("M-10 -26L8 -31M-6 -35L4 -39", lighter(c, 0.65), 2.6)
        return cone + bands + ellipse(0, -49, 4, 4, GOLD)
    if hat == "cowboy hat":
        felt: RGB = rng.choice(((150, 96, 58), (176, 110, 60), (120, 76, 52), (206, 140, 70)))
        brim = path(
            "M-36 -25C-30 -12 30 -12 36 -25C31 -22 24 -20 18 -20L-18 -20C-24 -20 -31 -22 -36 -25Z",
            darker(felt, 0.12),
            edge,
            w,
        )
        top = path(
            "M-18 -18C-20 -34 -15 -45 -9 -43C-4 -40 4 -40 9 -43"
            "C15 -45 20 -34 18 -18Q0 -14 -18 -18Z",
            felt,
            edge,
            w,
        )
        return (
            top + path("M-18.3 -24Q0 -19 18.3 -24L18 -18Q0 -14 -18 -18Z", darker(felt, 0.5)) + brim
        )
    if hat == "wizard hat":
        return _wizard_hat(avoid, edge)
    if hat == "beanie":
        dome = path("M-25 -15C-24 -42 24 -42 25 -15Z", c, edge, w) + ellipse(
            0, -37, 4.6, 4.6, lighter(c, 0.7)
        )
        return dome + rect(-26.5, -20, 53, 8, d, 3.5, edge, w)
    return _light_hat(hat, c, rng, edge)


def _wizard_hat(avoid: tuple[str, ...], edge: RGB | None) -> str:
    cloth: RGB = (130, 40, 60) if {"purple", "blue"} & set(avoid) else (70, 50, 160)
    cone = path("M-19 -18C-10 -26 -6 -44 6 -53C8 -40 12 -26 19 -18Z", cloth, edge, 1.6)
    stars = "".join(
        group(path(star_path(r), GOLD), x, y)
        for x, y, r in ((-4, -27, 4), (6, -33, 3.4), (3, -44, 2.6))
    )
    return cone + stars + ellipse(0, -18.5, 28, 4.6, darker(cloth, 0.15), edge, 1.6)


def _light_hat(hat: str, c: RGB, rng: random.Random, edge: RGB | None) -> str:
    d, w = darker(c, 0.25), 1.6
    if hat == "bow":
        x = rng.choice((-14, 14))
        wings = path(f"M{x} -26L{x - 12} -35L{x - 12} -17Z", c, edge or d, w) + path(
            f"M{x} -26L{x + 12} -35L{x + 12} -17Z", c, edge or d, w
        )
        return wings + ellipse(x, -26, 4, 4.4, d)
    if hat == "halo":
        return ellipse(0, -35, 17, 4.4, "none", darker(GOLD, 0.1), 3.6) + ellipse(
            0, -35, 17, 4.4, "none", (255, 228, 110), 1.8
        )
    if hat == "horns":
        horn: RGB = rng.choice(((200, 40, 50), (232, 222, 196), (120, 50, 140)))
        return "".join(
            path(
                f"M{k * 9} -25Q{k * 23} -28 {k * 20} -42Q{k * 31} -30 {k * 22} -15Z",
                horn,
                edge or darker(horn, 0.3),
                1.2,
            )
            for k in (-1, 1)
        )
    if hat == "headphones":
        band = line("M-27 -2C-30 -40 30 -40 27 -2", darker(c, 0.45), 4)
        return band + "".join(rect(k * 27 - 5, -9, 10, 19, c, 4, edge or d, 1.4) for k in (-1, 1))
    return ""


def draw_prop(prop: str, body: RGB, rng: random.Random, avoid: tuple[str, ...]) -> str:
    """Return a prop of PROPS low on one side of the head; hands take both sides."""
    k = rng.choice((-1, 1))
    c = _pick(rng, avoid)
    skin, rim = lighter(body, 0.12), darker(body, 0.35)
    if prop == "hands":
        return _hug(skin, rim) if rng.random() < 0.5 else _open_hands(skin, rim)
    if prop == "none":
        return ""
    x, y = k * 21, 18
    art = _held(prop, c, k)
    fist = "" if prop == "balloon" else ellipse(x, y + 8, 4.4, 4, skin, rim, 1.4)
    return f'<g transform="translate({x} {y})">{art}</g>{fist}'


def _hug(skin: RGB, rim: RGB) -> str:
    """Two open palms below, fingers up and inwards."""
    hand = (
        "M-7 7C-9 0 -8 -4 -6 -8Q-4 -10 -3 -7Q-2 -12 0 -11Q2 -11 2 -7Q4 -10 5 -8"
        "Q6 -7 5 -2Q9 -5 10 -3Q10 0 6 5Q3 9 -2 9Z"
    )
    left = f'<g transform="translate(-20 19) rotate(20)">{path(hand, skin, rim, 1.5)}</g>'
    right = (
        f'<g transform="translate(20 19) scale(-1 1) rotate(20)">{path(hand, skin, rim, 1.5)}</g>'
    )
    return left + right


def _open_hands(skin: RGB, rim: RGB) -> str:
    """Two raised mittens at the sides."""
    return "".join(
        f'<g transform="translate({k * 24} 12) rotate({k * 24})">'
        + path("M-5 8C-7 0 -6 -10 0 -10C6 -10 7 0 5 8Q0 11 -5 8Z", skin, rim, 1.5)
        + line("M-2 -8L-2 -2M2 -8L2 -2", rim, 1) + "</g>"
        for k in (-1, 1)
    )  # fmt: skip


def _held(prop: str, c: RGB, k: int) -> str:
    white: RGB = (255, 255, 255)
    if prop == "heart":
        return path(heart_path(9), (230, 40, 60), white, 1.2)
    if prop == "star":
        return path(star_path(11), (255, 220, 60), (190, 120, 10), 1.4)
    if prop == "flower":
        petals = "".join(
            ellipse(x, y - 3, 4, 4, c, white, 0.6)
            for x, y in ((0, -5), (5, -1), (3, 4), (-3, 4), (-5, -1))
        )
        return line("M0 0L0 11", (40, 130, 50), 2.4) + petals + ellipse(0, -3, 3, 3, GOLD)
    if prop == "book":
        return (
            rect(-9, -9, 18, 20, c, 1.5, white, 1.2)
            + rect(-9, -9, 4, 20, darker(c, 0.35))
            + rect(-2, -5, 8, 4, white)
        )
    if prop == "ice cream":
        scoop = ellipse(0, -6, 7, 7, lighter(c, 0.45), white, 0.8) + ellipse(
            0, -13, 2, 2, (220, 30, 50)
        )
        return path("M-6 -2L6 -2L0 13Z", (214, 150, 80), (150, 96, 44), 0.8) + scoop
    if prop == "cup":
        steam = line("M-3 -10Q-5 -13 -3 -15M3 -10Q1 -13 3 -15", (180, 190, 200), 1.6)
        handle = ellipse(-k * 8, 1, 4, 4, "none", c, 2)
        return (
            handle
            + path("M-8 -7L8 -7L6 9Q0 11 -6 9Z", c, white, 1)
            + ellipse(0, -7, 8, 2, (90, 56, 30))
            + steam
        )
    string = line("M0 4Q-3 10 1 13", (90, 90, 100), 1)
    ball = ellipse(0, -7, 8, 10, c, white, 0.8) + ellipse(-2.5, -11, 1.8, 2.6, lighter(c, 0.6))
    return string + ball
