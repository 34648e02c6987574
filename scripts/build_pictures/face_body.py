"""Neck, clothes, arms and legs, drawn in head units (chin near y = 205, hips near y = 1000)."""

from __future__ import annotations

import random

from face_collars import draw_collar
from face_parts import Light, Outfit, Person, Svg, dark, light, mix, smooth


def torso(person: Person) -> str:
    """Contour of shoulders and trunk."""
    w = 246 * person.shoulders
    half = [
        (74, 268),
        (120, 300),
        (w - 30, 334),
        (w + 14, 400),
        (w + 2, 520),
        (w - 34, 640),
        (w - 66, 760),
        (w - 52, 880),
        (w - 30, 1010),
    ]
    return smooth([*half, (0, 1030), *((-x, y) for x, y in reversed(half)), (0, 292)])


def draw_neck(svg: Svg, person: Person, lamp: Light, turn: float) -> None:
    """Neck and the shadow of the head on it; turn is the head's sine of yaw."""
    skin, shade = person.skin, dark(person.skin, 0.24)
    w = 62 * (1 if person.lashes else 1.22)
    shape = (
        f"M{-w + turn * 44},110 C{-w + turn * 20},210 {-w - 4},250 {-w - 50},300 "
        f"L0,430 L{w + 50},300 C{w + 4},250 {w + turn * 20},210 {w + turn * 44},110 Z"
    )
    svg.path(shape, svg.linear([(0, shade), (0.5, mix(skin, shade, 0.5)), (1, skin)]))
    svg.add(f'<g clip-path="{svg.clip(shape)}">')
    svg.ellipse((turn * 70, 190), 120, 62, dark(skin, 0.42), opacity=0.62, filter=svg.blur(16))
    side = 1 if lamp.side < 0 else -1
    svg.ellipse((side * 80, 260), 44, 110, shade, opacity=0.5, filter=svg.blur(14))
    svg.add("</g>")
    for s in (-1, 1):
        svg.stroke(f"M{s * 22},310 Q{s * 60},306 {s * 96},316", dark(skin, 0.35), 4, opacity=0.35)


def pattern(svg: Svg, outfit: Outfit, clip: str, seed: int) -> None:
    """Stripes, dots, flowers, checks or knit over the clothes."""
    if outfit.pattern is None:
        return
    rng = random.Random(seed)
    second = outfit.second
    svg.add(f'<g clip-path="{svg.clip(clip)}">')
    match outfit.pattern:
        case "stripes":
            for y in range(300, 1060, 58):
                svg.stroke(f"M-340,{y} Q0,{y + 46} 340,{y}", second, 20)
        case "dots":
            for row, y in enumerate(range(300, 1060, 56)):
                for x in range(-340, 341, 64):
                    svg.ellipse((x + 32 * (row % 2), y), 10, 10, second)
        case "flowers":
            for row, y in enumerate(range(310, 1060, 88)):
                for x in range(-340, 341, 92):
                    cx, cy = x + 46 * (row % 2) + rng.uniform(-9, 9), y + rng.uniform(-9, 9)
                    for dx, dy in ((-11, 0), (11, 0), (0, -11), (0, 11)):
                        svg.ellipse((cx + dx, cy + dy), 10, 10, second)
                    svg.ellipse((cx, cy), 7, 7, "#e8b23a")
        case "checks":
            for at in range(-340, 341, 76):
                svg.stroke(f"M{at},280 L{at},1050", second, 24, opacity=0.45)
                svg.stroke(f"M-340,{at + 640} L340,{at + 640}", second, 24, opacity=0.45)
        case _:  # knit
            for x in range(-330, 331, 30):
                svg.stroke(f"M{x},280 L{x},1050", dark(outfit.color, 0.3), 4, opacity=0.3)
    svg.add("</g>")


def draw_torso(svg: Svg, person: Person, outfit: Outfit, lamp: Light) -> None:
    """The trunk in its clothes, with collar and shading."""
    base, shape = outfit.color, torso(person)
    svg.path(shape, svg.linear([(0, light(base, 0.08)), (1, dark(base, 0.2))]))
    pattern(svg, outfit, shape, person.seed)
    svg.add(f'<g clip-path="{svg.clip(shape)}">')
    far = 1 if lamp.side < 0 else -1
    svg.ellipse(
        (far * 260, 560),
        120,
        380,
        dark(base, 0.5),
        opacity=0.25 + 0.3 * lamp.strength,
        filter=svg.blur(50),
    )
    svg.ellipse((0, 290), 190, 50, dark(base, 0.55), opacity=0.3, filter=svg.blur(22))
    svg.add("</g>")
    draw_collar(svg, person, outfit, shape)
