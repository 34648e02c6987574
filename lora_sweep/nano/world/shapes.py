"""One to three coloured shapes and how they lie to each other."""

from __future__ import annotations

import random
from collections.abc import Mapping

from .captions import shape_caption
from .palette import NAMED, NAMES, RGB, darker, lighter, luma
from .svg import (
    RENDER_STYLES,
    Scene,
    document,
    ellipse,
    group,
    heart_path,
    line,
    path,
    polygon_path,
    radial_gradient,
    rect,
    star_path,
)

SHAPES: tuple[str, ...] = (
    "circle", "square", "triangle", "star", "heart", "hexagon", "ring", "cross", "moon",
)  # fmt: skip
PAIRS: Mapping[str, tuple[tuple[float, float], tuple[float, float]]] = {
    "above": ((32, 17), (32, 47)),
    "below": ((32, 47), (32, 17)),
    "left of": ((17, 32), (47, 32)),
    "right of": ((47, 32), (17, 32)),
    "inside": ((32, 32), (32, 32)),
    "next to": ((17, 34), (47, 34)),
}
TRIPLES: Mapping[str, tuple[tuple[float, float], ...]] = {
    "in a row": ((12, 32), (32, 32), (52, 32)),
    "in a column": ((32, 12), (32, 32), (32, 52)),
    "in a triangle": ((32, 16), (16, 46), (48, 46)),
}
TEXTURES: tuple[str, ...] = ("plain", "striped", "dotted", "checkered")
SIZES: Mapping[str, float] = {"small": 11, "medium": 19, "large": 27}


def draw_shape(shape: str, radius: float, fill: RGB | str, edge: RGB | str | None) -> str:
    """Return a shape of SHAPES around the origin."""
    r, w = radius, 1.6
    if shape == "circle":
        return ellipse(0, 0, r, r, fill, edge, w)
    if shape == "square":
        return rect(-0.86 * r, -0.86 * r, 1.72 * r, 1.72 * r, fill, 0, edge, w)
    if shape == "ring":
        return ellipse(0, 0, 0.78 * r, 0.78 * r, "none", fill, 0.42 * r)
    if shape == "moon":
        d = f"M{0.35 * r:.2f} {-0.94 * r:.2f}A{r:.2f} {r:.2f} 0 1 0 {0.94 * r:.2f} {0.35 * r:.2f}"
        return path(
            f"{d}A{0.8 * r:.2f} {0.8 * r:.2f} 0 1 1 {0.35 * r:.2f} {-0.94 * r:.2f}Z", fill, edge, w
        )
    if shape == "cross":
        a, b = r, 0.34 * r
        d = f"M{-b} {-a}H{b}V{-b}H{a}V{b}H{b}V{a}H{-b}V{b}H{-a}V{-b}H{-b}Z"
        return path(d, fill, edge, w)
    outlines = {
        "triangle": polygon_path(r * 1.1, 3), "star": star_path(r * 1.1),
        "heart": heart_path(r * 0.95), "hexagon": polygon_path(r, 6),
    }  # fmt: skip
    return path(outlines[shape], fill, edge, w)


def draw_shapes(rng: random.Random) -> Scene:
    """Draw a scene of shapes."""
    count = rng.choices((1, 2, 3), (45, 40, 15))[0]
    style = rng.choice(RENDER_STYLES) if rng.random() < 0.1 else "plain"
    background = "black" if style == "neon" else rng.choice(NAMES)
    colours = rng.sample([name for name in NAMES if name != background], count)
    shapes = [rng.choice(SHAPES) for _ in colours]
    relation, size = "none", rng.choice(tuple(SIZES))
    places: tuple[tuple[float, float], ...] = ((32.0, 32.0),)
    if count == 2:
        relation = rng.choice(tuple(PAIRS))
        places = PAIRS[relation]
        if relation == "inside":
            shapes[1] = rng.choice(("circle", "square", "hexagon"))
    elif count == 3:
        relation = rng.choice(tuple(TRIPLES))
        places = TRIPLES[relation]
    texture = "plain" if style != "plain" or rng.random() < 0.85 else rng.choice(TEXTURES[1:])
    named = [f"{c} {s}" for c, s in zip(colours, shapes, strict=True)]
    attributes = dict(zip(("first", "second", "third"), [*named, "none", "none"], strict=False))
    attributes |= {
        "background": background, "relation": relation, "size": size if count == 1 else "medium",
        "texture": texture, "style": style, "count": str(count),
    }  # fmt: skip
    svg = _draw(attributes, colours, shapes, places, rng)
    return Scene("shape", svg, attributes, shape_caption(attributes, rng))


def _radius(attributes: Mapping[str, str], index: int, rng: random.Random) -> float:
    if attributes["count"] == "1":
        return SIZES[attributes["size"]] * rng.uniform(0.92, 1.04)
    if attributes["relation"] == "inside":
        return (10.5, 27)[index] * rng.uniform(0.92, 1.04)
    return (13 if attributes["count"] == "2" else 9) * rng.uniform(0.85, 1.05)


def _draw(
    attributes: Mapping[str, str],
    colours: list[str],
    shapes: list[str],
    places: tuple[tuple[float, float], ...],
    rng: random.Random,
) -> str:
    look = rng.choice(("flat", "flat", "outlined", "shaded"))
    figures: list[str] = []
    definitions = ""
    for index, (name, shape, (x, y)) in enumerate(zip(colours, shapes, places, strict=True)):
        colour = NAMED[name]
        edge = None
        if look == "outlined":
            edge = darker(colour, 0.6) if luma(colour) > 60 else lighter(colour, 0.7)
        fill: RGB | str = colour
        if look == "shaded":
            definitions += radial_gradient(
                f"s{index}", [(0, lighter(colour, 0.15)), (0.6, colour), (1, darker(colour, 0.2))]
            )
            fill = f"url(#s{index})"
        turn = rng.uniform(-12, 12) if rng.random() < 0.4 else 0
        radius = _radius(attributes, index, rng)
        art = draw_shape(shape, radius, fill, edge)
        jitter = 1.5 if attributes["relation"] != "inside" else 0.5
        figures.append(
            group(art, x + rng.uniform(-jitter, jitter), y + rng.uniform(-jitter, jitter), 1, turn)
        )
    # The outer shape of a pair lies below the inner one.
    back = rect(0, 0, 64, 64, NAMED[attributes["background"]]) + _texture(attributes, rng)
    return document(back, "".join(reversed(figures)), definitions, attributes["style"])


def _texture(attributes: Mapping[str, str], rng: random.Random) -> str:
    colour = NAMED[attributes["background"]]
    other = lighter(colour, 0.25) if luma(colour) < 150 else darker(colour, 0.13)
    step = rng.choice((8, 16))
    if attributes["texture"] == "striped":
        if rng.random() < 0.5:
            return line("".join(f"M0 {y}H64" for y in range(4, 64, step)), other, step / 2)
        return line("".join(f"M{x} 0V64" for x in range(4, 64, step)), other, step / 2)
    spots = [(x, y) for x in range(0, 64, step) for y in range(0, 64, step)]
    if attributes["texture"] == "dotted":
        return "".join(
            ellipse(x + step / 2, y + step / 2, step / 5, step / 5, other) for x, y in spots
        )
    if attributes["texture"] == "checkered":
        return "".join(rect(x, y, step, step, other) for x, y in spots if (x + y) // step % 2)
    return ""
