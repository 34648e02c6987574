"""Heads and moods of emoji, in head coordinates: centre (0, 0), radius 28, y downwards."""

from __future__ import annotations

import random

from .palette import RGB, darker, lighter, luma
from .svg import ellipse, heart_path, line, path, rect

HEADS: tuple[str, ...] = ("round", "square", "blob", "cat", "bear", "robot", "ghost")
MOODS: tuple[str, ...] = (
    "happy", "sad", "angry", "surprised", "sleepy", "winking", "laughing", "crying",
    "in love", "cool", "bored", "scared", "kissing", "tongue out",
)  # fmt: skip
WHITE: RGB = (255, 255, 255)
TONGUE: RGB = (237, 119, 112)
TEAR: RGB = (79, 183, 247)


def draw_head(
    head: str, body: RGB, fill: RGB | str, outline: RGB | None, rng: random.Random
) -> str:
    """Return the head without its face; fill is the body colour or a gradient of it."""
    width = 2.6
    inner = darker(body, 0.3) if luma(body) > 60 else lighter(body, 0.25)
    if head == "square":
        return rect(-26, -26, 52, 52, fill, rng.uniform(5, 10), outline, width)
    if head == "blob":
        a, b, c, d = (rng.uniform(-3, 3) for _ in range(4))
        return path(
            f"M0 {-27 + a:.1f}C{18 + b:.1f} {-29 + a:.1f} {29 + c:.1f} {-14 + d:.1f} 28 4C"
            f"{28 + d:.1f} {22 + a:.1f} {16 + c:.1f} 28 0 27C{-18 + a:.1f} {29 + b:.1f} "
            f"{-28 + b:.1f} {20 + c:.1f} -28 2C{-29 + c:.1f} {-16 + b:.1f} {-16 + d:.1f} "
            f"{-27 + a:.1f} 0 {-27 + a:.1f}Z", fill, outline, width,
        )  # fmt: skip
    if head == "cat":
        ears = "".join(
            path(f"M{k * 26} -8L{k * 25} -33L{k * 5} -24Z", body, outline, width)
            + path(f"M{k * 22} -16L{k * 22} -28L{k * 12} -23Z", inner)
            for k in (-1, 1)
        )
        return ears + ellipse(0, 1, 28, 26.5, fill, outline, width)
    if head == "bear":
        ears = "".join(
            ellipse(k * 20, -21, 9, 9, body, outline, width) + ellipse(k * 20, -21, 5, 5, inner)
            for k in (-1, 1)
        )
        return ears + ellipse(0, 1, 28, 26.5, fill, outline, width)
    if head == "robot":
        metal: RGB = (120, 130, 140)
        bolts = rect(-30, -8, 60, 16, metal, 2)
        mast = rect(-1.5, -33, 3, 9, metal) + ellipse(0, -33, 3.2, 3.2, (235, 70, 60))
        return bolts + mast + rect(-26, -25, 52, 51, fill, 5, outline, width)
    if head == "ghost":
        return path(
            "M-26 26L-26 -3C-26 -36 26 -36 26 -3L26 26Q19.5 34 13 26Q6.5 18 0 26Q-6.5 34 -13 26"
            "Q-19.5 18 -26 26Z", fill, outline, width,
        )  # fmt: skip
    return ellipse(0, 0, 28, 28, fill, outline, width)


def ink_of(name: str, body: RGB) -> RGB:
    """Return the colour of eyes and mouth: brown on warm heads, pale on black ones."""
    if name == "black":
        return 238, 238, 240
    if name in ("yellow", "orange"):
        return 66, 43, 13
    return darker(body, 0.8) if luma(body) < 120 else (38, 34, 42)


class Face:
    """Eyes, brows and mouths in one ink; every method returns SVG text."""

    def __init__(self, ink: RGB, body: RGB, shaded: bool, rng: random.Random) -> None:
        self.ink, self.shaded, self.rng = ink, shaded, rng
        red = body[0] > 190 and body[1] < 150 and body[2] < 100
        self.heart_rim: RGB | None = WHITE if red or luma(body) < 128 else None
        self.wide = rng.uniform(9.5, 11.0)
        self.pale = luma(ink) > 128

    def eye(self, side: int, rx: float = 3.8, ry: float = 5.0) -> str:
        shine = ellipse(side * self.wide - 1.2, -8, 1.3, 1.5, WHITE) if self.shaded else ""
        return ellipse(side * self.wide, -6, rx, ry, self.ink) + shine

    def eyes(self, rx: float = 3.8, ry: float = 5.0) -> str:
        return self.eye(-1, rx, ry) + self.eye(1, rx, ry)

    def arc(self, side: int, rise: float) -> str:
        """A closed eye: the arc bows up for positive rise, down for negative."""
        x = side * self.wide
        y = -5 + rise / 3
        d = f"M{x - 5:.1f} {y:.1f}Q{x:.1f} {-5 - rise:.1f} {x + 5:.1f} {y:.1f}"
        return line(d, self.ink, 2.6)

    def brows(self, inner: float, outer: float) -> str:
        x = self.wide
        return "".join(
            line(f"M{k * (x - 5):.1f} {inner:.1f}L{k * (x + 5):.1f} {outer:.1f}", self.ink, 2.4)
            for k in (-1, 1)
        )

    def curve(self, bend: float, half: float = 10, y: float = 11) -> str:
        return line(
            f"M{-half} {y - bend / 2:.1f}Q0 {y + bend:.1f} {half} {y - bend / 2:.1f}", self.ink, 2.6
        )

    def open_smile(self, half: float = 13, y: float = 6, deep: float = 14) -> str:
        """An open mouth with teeth above and a tongue below."""
        hole: RGB = (70, 24, 20) if self.pale else self.ink
        d = f"M{-half} {y}C{-half} {y + deep * 1.3:.1f} {half} {y + deep * 1.3:.1f} {half} {y}Z"
        teeth = (
            f"M{-half + 1.5} {y}L{half - 1.5} {y}Q{half - 2} {y + 4} {half - 4} {y + 4}"
            f"L{4 - half} {y + 4}Q{2 - half} {y + 4} {1.5 - half} {y}Z"
        )
        mouth = path(d, hole, self.ink, 1.4)
        tongue = ellipse(0, y + deep * 0.8, half * 0.45, deep * 0.18, TONGUE)
        return mouth + tongue + path(teeth, WHITE)

    def tears(self) -> str:
        return "".join(
            path(f"M{x - 2.5:.1f} -2L{x + 2.5:.1f} -2L{x + 3.5:.1f} 20"
                 f"Q{x:.1f} 24 {x - 3.5:.1f} 20Z", TEAR)
            for x in (-self.wide, self.wide)
        )  # fmt: skip

    def hearts(self) -> str:
        return "".join(
            f'<g transform="translate({k * self.wide:.1f} -5)">'
            + path(heart_path(6.2), (240, 50, 60), self.heart_rim, 1.2) + "</g>"
            for k in (-1, 1)
        )  # fmt: skip

    def sunglasses(self) -> str:
        rim = (250, 250, 250) if self.pale else (14, 14, 18)
        lens = "".join(
            path(f"M{k * 2} -11L{k * 21} -11Q{k * 21} 1 {k * 12} 1Q{k * 4} 1 {k * 2} -11Z",
                 (14, 14, 18), rim, 1.4)
            for k in (-1, 1)
        )  # fmt: skip
        shine = line("M-15 -8L-11 -3", (130, 140, 160), 1.6) + line(
            "M8 -8L12 -3", (130, 140, 160), 1.6
        )
        return line("M-27 -10L27 -10", rim, 2.2) + lens + shine

    def mood(self, mood: str) -> str:
        """Return the whole face of a mood of MOODS."""
        ink, coin = self.ink, self.rng.random()
        side = 1 if self.rng.random() < 0.5 else -1
        if mood == "happy":
            mouth = self.open_smile() if coin < 0.55 else self.curve(9, 12)
            return (self.eyes() if coin < 0.8 else self.arc(-1, 5) + self.arc(1, 5)) + mouth
        if mood == "sad":
            return self.eyes(3.4, 4.4) + self.brows(-15.5, -12) + self.curve(-7, 8.5, 13)
        if mood == "angry":
            mouth = self.curve(-6, 9, 13) if coin < 0.7 else rect(-9, 9, 18, 6, WHITE, 2, ink, 1.6)
            return self.eyes(3.4, 4) + self.brows(-8.5, -15) + mouth
        if mood == "surprised":
            mouth = ellipse(0, 13, 5.5, 7, (70, 24, 20) if self.pale else ink, ink, 1)
            return self.eyes(3.8, 5) + self.brows(-16, -15) + mouth
        if mood == "sleepy":
            z = "M14 -22L20 -22L14 -15L20 -15M8 -17L11.5 -17L8 -13L11.5 -13"
            return (
                self.arc(-1, -4)
                + self.arc(1, -4)
                + ellipse(0, 11, 3.5, 4, ink)
                + line(z, (60, 120, 230), 1.8)
            )
        if mood == "winking":
            mouth = self.curve(9, 11) if coin < 0.6 else self.open_smile(11, 6, 11)
            return self.eye(-side) + self.arc(side, 4) + mouth
        if mood == "laughing":
            squint = "".join(
                line(f"M{k * 15} -9L{k * 7} -5L{k * 15} -1", ink, 2.4) for k in (-1, 1)
            )
            drops = (
                "".join(ellipse(k * 20.5, 3, 4, 3.4, TEAR) for k in (-1, 1)) if coin < 0.5 else ""
            )
            return squint + self.open_smile(15, 4, 16) + drops
        if mood == "crying":
            hole = path("M-8 18C-8 7 8 7 8 18Z", (70, 24, 20) if self.pale else ink)
            return self.arc(-1, -3) + self.arc(1, -3) + self.brows(-14, -10.5) + self.tears() + hole
        if mood == "in love":
            return self.hearts() + (self.open_smile(11, 7, 11) if coin < 0.7 else self.curve(8, 10))
        if mood == "cool":
            return self.sunglasses() + (
                self.curve(6, 9, 12) if coin < 0.8 else self.open_smile(9, 8, 9)
            )
        return self._quiet_mood(mood, side, coin)

    def _quiet_mood(self, mood: str, side: int, coin: float) -> str:
        ink, x = self.ink, self.wide
        if mood == "bored":
            lids = "".join(
                line(f"M{k * x - 5:.1f} -7L{k * x + 5:.1f} -7", ink, 2.4) for k in (-1, 1)
            )
            pupils = "".join(
                path(f"M{k * x - 3.5:.1f} -6.5A3.5 4 0 0 0 {k * x + 3.5:.1f} -6.5Z", ink)
                for k in (-1, 1)
            )
            return (
                lids
                + pupils
                + line(f"M-8 {11 + side * coin * 2:.1f}L8 {11 - side * coin * 2:.1f}", ink, 2.6)
            )
        if mood == "scared":
            rim = (90, 90, 100) if self.pale else ink
            balls = "".join(
                ellipse(k * x, -6, 6, 6.6, WHITE, rim, 1.4)
                + ellipse(k * x, -5, 1.9, 2.2, (30, 24, 24))
                for k in (-1, 1)
            )
            return (
                balls
                + self.brows(-18, -15.5)
                + line("M-10 13Q-7.5 9 -5 13T0 13T5 13T10 13", ink, 2.4)
            )
        if mood == "kissing":
            heart = (
                f'<g transform="translate({side * 14} 13)">'
                + path(heart_path(5), (240, 50, 60), self.heart_rim, 1)
                + "</g>"
            )
            eyes = (
                self.arc(-side, 4) + self.eye(side)
                if coin < 0.5
                else self.arc(1, 4) + self.arc(-1, 4)
            )
            return eyes + line("M-1.5 7Q5 7 1 11Q5 15 -1.5 15.5", ink, 2.3) + heart
        tongue = path("M-6 11L6 11L6 17C6 24 -6 24 -6 17Z", TONGUE, darker(TONGUE, 0.25), 0.8)
        eyes = self.eyes() if coin < 0.5 else self.eye(-side) + self.arc(side, 4)
        crease = line("M0 12L0 17", darker(TONGUE, 0.25), 1)
        return eyes + line("M-12 8Q0 14 12 8", ink, 2.6) + tongue + crease
