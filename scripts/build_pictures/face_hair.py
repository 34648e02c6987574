"""Hair: a part behind the head and body, and a part in front of the face."""

from __future__ import annotations

import math
import random

from face_afro import draw_balls
from face_curls import draw_ringlets
from face_head import cap
from face_parts import Head, Light, Person, Point, Svg, dark, light, smooth
from face_updos import draw_bun, draw_hijab, draw_ponytail, draw_scarf_back

HAIRLINES: dict[str, list[Point]] = {
    "centre": [
        (-158, -20),
        (-152, -84),
        (-112, -134),
        (-50, -160),
        (0, -176),
        (50, -160),
        (112, -134),
        (152, -84),
        (158, -20),
    ],
    "side": [
        (-158, -20),
        (-150, -96),
        (-116, -126),
        (-60, -122),
        (10, -140),
        (72, -176),
        (120, -150),
        (152, -92),
        (158, -20),
    ],
    "fringe": [
        (-160, 6),
        (-150, -46),
        (-120, -66),
        (-60, -76),
        (0, -80),
        (60, -76),
        (120, -66),
        (150, -46),
        (160, 6),
    ],
    "short": [
        (-160, -26),
        (-148, -92),
        (-124, -134),
        (-60, -146),
        (0, -142),
        (60, -150),
        (124, -134),
        (148, -92),
        (160, -26),
    ],
    "high": [
        (-160, -26),
        (-152, -96),
        (-128, -150),
        (-72, -166),
        (0, -160),
        (72, -166),
        (128, -150),
        (152, -96),
        (160, -26),
    ],
}

# style: hairline, volume of the cap, length of the sides (y, None for none), width of the sides
CUTS: dict[str, tuple[str, float, float | None, float]] = {
    "long": ("centre", 1.12, 430, 1.0),
    "wavy": ("side", 1.15, 360, 1.14),
    "bob": ("fringe", 1.13, 150, 1.12),
    "lob": ("side", 1.13, 235, 1.06),
    "bun": ("centre", 1.07, None, 1.0),
    "ponytail": ("side", 1.08, None, 1.0),
    "pixie": ("side", 1.13, 60, 0.92),
    "short": ("short", 1.09, None, 1.0),
    "parting": ("side", 1.11, None, 1.0),
    "quiff": ("high", 1.16, None, 1.0),
    "crop": ("high", 1.035, None, 1.0),
}


def tress(head: Head, side: int, end: float, width: float, depth: float, wave: float) -> str:
    """One side of hanging hair, from temple to end; wave is how far its edges swing."""
    reach = (end + 120) / 10
    outer = [
        (186 + 26 * math.sin(i * 0.35) * width + wave * math.sin(i * 1.9), -120 + i * reach)
        for i in range(11)
    ]
    inner = [
        (146 + 6 * math.sin(i) + wave * math.sin(i * 1.9), -120 + i * reach * 0.98)
        for i in range(10, 1, -2)
    ]
    tip = [(176 * width, end + 16)]
    points = [(148.0, -150.0), *((x * width, y) for x, y in outer), *tip, *inner]
    turned = [head.turn(side * x, y, depth * (1 - max(0, y) / 900))[:2] for x, y in points]
    return smooth(turned)


def strands(
    svg: Svg, clip: str, lines: list[tuple[Point, Point, Point]], color: str, seed: int
) -> None:
    """Fine lighter and darker lines inside a hair shape."""
    rng = random.Random(seed)
    svg.add(f'<g clip-path="{svg.clip(clip)}">')
    for a, b, c in lines:
        tone = light(color, 0.3) if rng.random() < 0.5 else dark(color, 0.35)
        svg.stroke(
            f"M{a[0]:.1f},{a[1]:.1f} Q{b[0]:.1f},{b[1]:.1f} {c[0]:.1f},{c[1]:.1f}",
            tone,
            round(rng.uniform(2.5, 7), 1),
            opacity=round(rng.uniform(0.25, 0.6), 2),
        )
    svg.add("</g>")


def draw_hair_back(svg: Svg, person: Person, head: Head, lamp: Light) -> None:
    """What hangs or stands behind the head."""
    style, color = person.hair.style, person.hair.color
    deep = svg.linear([(0, dark(color, 0.2)), (1, dark(color, 0.45))])
    if style == "curls":
        draw_ringlets(svg, person, head, lamp, front=False)
    elif style == "afro":
        x, y, _ = head.turn(0, -50, -60)
        svg.ellipse((x, y), 205, 232, dark(color, 0.45))
        draw_balls(svg, person, head, lamp, front=False)
    elif style == "hijab":
        draw_scarf_back(svg, head, color)
    elif style == "bun":
        draw_bun(svg, head, color)
    elif style == "ponytail":
        draw_ponytail(svg, head, color)
    elif style in CUTS and CUTS[style][2] is not None:
        end, wide = CUTS[style][2] or 0.0, CUTS[style][3]
        svg.path(
            smooth(
                [
                    head.turn(x * wide, y, -50)[:2]
                    for x, y in (
                        (0, -250),
                        (160, -190),
                        (205, -20),
                        (206, end * 0.5),
                        (190, end),
                        (60, end + 14),
                        (-60, end + 14),
                        (-190, end),
                        (-206, end * 0.5),
                        (-205, -20),
                        (-160, -190),
                    )
                ]
            ),
            deep,
        )


def draw_hair_front(svg: Svg, person: Person, head: Head, lamp: Light, face: str) -> None:
    """What lies over the forehead and beside the face."""
    style, color = person.hair.style, person.hair.color
    if style == "bald":
        return
    if style == "curls":
        draw_ringlets(svg, person, head, lamp, front=True)
        return
    if style == "afro":
        draw_balls(svg, person, head, lamp, front=True)
        return
    if style == "hijab":
        draw_hijab(svg, person, head)
        return
    hairline, volume, end, wide = CUTS[style]
    top = cap(person, head, volume)
    line = [head.at(x * person.face_width, y) for x, y in HAIRLINES[hairline]]
    shape = smooth(top + line[::-1])
    svg.add(f'<g clip-path="{svg.clip(face)}">')
    svg.path(
        shape,
        dark(person.skin, 0.45),
        transform="translate(0 16)",
        opacity=0.45,
        filter=svg.blur(9),
    )
    svg.add("</g>")
    shine = svg.linear(
        [(0, color), (0.35, light(color, 0.2)), (0.6, color), (1, dark(color, 0.28))]
    )
    svg.path(shape, shine)
    middle = len(line) // 2
    part = line[{"side": 5, "fringe": 4}.get(hairline, middle)]
    root = (part[0], min(y for _, y in top) + 6)
    rng = random.Random(person.seed + 3)
    lines: list[tuple[Point, Point, Point]] = []
    for i in range(64 if style != "crop" else 0):
        x, y = (
            line[rng.randrange(len(line))]
            if hairline in ("fringe", "short") or i % 3 == 0
            else (top[0] if rng.random() < 0.5 else top[-1])
        )
        x, y = x + rng.uniform(-34, 34), y + rng.uniform(-90, 10)
        start = (root[0] + rng.uniform(-40, 40), root[1] + rng.uniform(0, 40))
        lines.append((start, ((start[0] + 2 * x) / 3, (2 * start[1] + y) / 3 - 8), (x, y)))
    strands(svg, shape, lines, color, person.seed)
    if end is None:
        return
    for side in (-1, 1):
        wave = 15.0 if style == "wavy" else 0.0
        lock = tress(head, side, end, wide, 40, wave)
        svg.path(lock, svg.linear([(0, color), (0.3, light(color, 0.16)), (1, dark(color, 0.2))]))
        fall: list[tuple[Point, Point, Point]] = []
        for _ in range(16):
            x = rng.uniform(140, 230)
            a, b, c = (
                head.turn(side * (x + d) * wide, y, 40)[:2]
                for d, y in ((-18, -140), (24, end / 2), (-10, end + 10))
            )
            fall.append((a, b, c))
        strands(svg, lock, fall, color, person.seed + side)
