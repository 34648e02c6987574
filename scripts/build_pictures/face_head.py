"""The head without hair: skin, eyes, brows, nose, mouth, glasses, beard."""

from __future__ import annotations

import math
import random

from face_features import draw_brow, draw_eye, draw_mouth, draw_nose
from face_parts import Head, Light, Person, Point, Pose, Svg, dark, light, mix, smooth

OUTLINE = [
    (0, -236),
    (84, -218),
    (140, -165),
    (163, -92),
    (167, -20),
    (161, 42),
    (143, 100),
    (108, 150),
    (60, 188),
    (0, 205),
]


def outline(person: Person, head: Head) -> list[Point]:
    """The face's contour, clockwise from the top of the skull."""

    def placed(x: float, y: float, side: int) -> Point:
        low = max(0.0, (y - 20) / 185)
        wide = x * person.face_width * (1 + (person.jaw - 1) * min(1, low * 1.6))
        far = side * math.sin(head.yaw)
        wide *= 1 - 0.16 * far if far > 0 else 1 - 0.04 * far
        slide = math.sin(head.yaw) * (34 + 62 * max(0.0, (y + 120) / 325))
        nod = math.sin(head.pitch) * (15 + 85 * max(0.0, (y + 120) / 325))
        return side * wide + slide, y + person.chin * low**2 + nod

    right = [placed(x, y, 1) for x, y in OUTLINE]
    left = [placed(x, y, -1) for x, y in reversed(OUTLINE[1:-1])]
    return right + left


def cap(person: Person, head: Head, volume: float) -> list[Point]:
    """Points over the skull from the left temple to the right one, a little off the head."""
    shape = outline(person, head)
    upper = shape[14:] + shape[:5]
    cx = math.sin(head.yaw) * 40
    return [(cx + (x - cx) * volume, -20 + (y + 20) * (volume + 0.02)) for x, y in upper]


def draw_skin(svg: Svg, person: Person, head: Head, lamp: Light) -> str:
    """Face, ears and soft shading; returns the contour's path data."""
    shape = smooth(outline(person, head))
    skin, shade = person.skin, dark(person.skin, 0.24)
    for side in (-1, 1):
        if side * math.sin(head.yaw) > 0.16:
            continue
        x, y, _ = head.turn(side * 166 * person.face_width, 12, -18)
        svg.ellipse(
            (x, y), 27, 42, mix(skin, shade, 0.35), transform=f"rotate({-side * 8} {x} {y})"
        )
        svg.ellipse((x, y), 14, 26, mix(skin, shade, 0.8))
        if person.earrings:
            svg.ellipse((x + side * 3, y + 52), 9, 13, person.earrings)
    glow = svg.radial(
        [(0, light(skin, 0.22)), (0.6, skin), (1, mix(skin, shade, 0.6))],
        0.5 + 0.22 * lamp.side,
        0.42,
    )
    svg.path(shape, glow)
    svg.add(f'<g clip-path="{svg.clip(shape)}">')
    soft = svg.blur(34)
    far = -1 if lamp.side > 0 else 1
    svg.ellipse((far * 205, 40), 110, 290, shade, opacity=0.25 + 0.6 * lamp.strength, filter=soft)
    svg.ellipse(head.at(0, 250), 170, 52, shade, opacity=0.4, filter=soft)
    blush = svg.blur(17)
    for side in (-1, 1):
        svg.ellipse(
            head.at(side * 98, 62),
            40 * head.squeeze(side * 98),
            27,
            person.lips,
            opacity=0.34,
            filter=blush,
        )
        svg.ellipse(
            head.at(side * 70, -14),
            54 * head.squeeze(side * 70),
            34,
            shade,
            opacity=0.28,
            filter=blush,
        )
    svg.ellipse(head.at(-60 * far, -120), 60, 36, "#fff4e0", opacity=0.25, filter=soft)
    svg.ellipse(head.at(0, 168), 30, 14, "#fff4e0", opacity=0.22, filter=svg.blur(9))
    draw_marks(svg, person, head)
    svg.add("</g>")
    return shape


def draw_marks(svg: Svg, person: Person, head: Head) -> None:
    """Freckles, a mole, and the lines of age; fixed by the person's seed."""
    rng = random.Random(person.seed)
    brown = mix(dark(person.skin, 0.32), "#b0612f", 0.55)
    for _ in range(person.freckles):
        x = rng.gauss(0, 62)
        y = 38 + rng.gauss(0, 17) + abs(x) * 0.06
        size = rng.uniform(1.8, 4.0)
        svg.ellipse(
            head.at(x, y),
            size * head.squeeze(x),
            size * 0.9,
            brown,
            opacity=round(rng.uniform(0.45, 0.85), 2),
        )
    if person.mole:
        svg.ellipse(head.at(*person.mole), 5.2, 5.2, "#4a2a22")
    if person.age > 0.35:
        line = dark(person.skin, 0.42)
        for side in (-1, 1):
            for bend in (0, 1):
                svg.stroke(
                    head.warp(
                        f"M{side * 118},{-2 + 14 * bend} Q{side * 130},{2 + 16 * bend} "
                        f"{side * 140},{-6 + 24 * bend}"
                    ),
                    line,
                    2.4,
                    opacity=person.age * 0.6,
                )
            svg.stroke(
                head.warp(f"M{side * 40},78 Q{side * 66},98 {side * 66},124"),
                line,
                3,
                opacity=person.age * 0.6,
            )
            svg.stroke(
                head.warp(f"M{side * 48},32 Q{side * 72},42 {side * 96},30"),
                line,
                2.5,
                opacity=person.age * 0.5,
            )
        for y in (-132, -110):
            svg.stroke(
                head.warp(f"M-58,{y} Q0,{y - 8} 58,{y}"), line, 2.4, opacity=person.age * 0.4
            )


def draw_beard(svg: Svg, person: Person, head: Head, shape: str) -> None:
    """Beard or moustache in the hair's colour."""
    if person.beard is None:
        return
    color = dark(person.hair.color, 0.12)
    moustache = head.warp(
        "M-60,122 C-48,96 -16,92 0,99 C16,92 48,96 60,122 C36,112 16,108 0,110 "
        "C-16,108 -36,112 -60,122 Z",
        10,
    )
    if person.beard == "moustache":
        svg.path(moustache, light(color, 0.3), stroke=dark(color, 0.3), stroke_width=2)
        return
    opacity = 0.32 if person.beard == "stubble" else 1
    svg.add(f'<g clip-path="{svg.clip(shape)}" opacity="{opacity}">')
    soft = {"filter": svg.blur(9 if person.beard == "stubble" else 2.5)}
    svg.path(
        head.warp(
            "M-190,-10 L-150,30 C-132,92 -88,92 -58,98 C-20,90 20,90 58,98 "
            "C88,92 132,92 150,30 L190,-10 L200,250 L-200,250 Z "
            "M-62,124 C-40,108 40,108 62,124 C50,160 -50,160 -62,124 Z"
        ),
        color,
        fill_rule="evenodd",
        **soft,
    )
    svg.add("</g>")


def draw_glasses(svg: Svg, person: Person, head: Head) -> None:
    """Glasses that sit in front of the eyes and turn with the head."""
    if person.glasses is None:
        return
    color, width, out = person.glasses_color, 6.5, 22.0
    centre = 72 * person.eye_gap
    for side in (-1, 1):
        rim: list[Point] = []
        for step in range(28):
            angle = 2 * math.pi * step / 28
            c, s = math.cos(angle), math.sin(angle)
            if person.glasses == "round":
                x, y = 59 * c, 59 * s
            else:
                power = 0.5
                x = 60 * math.copysign(abs(c) ** power, c)
                y = 44 * math.copysign(abs(s) ** power, s)
                if person.glasses == "cat":
                    y -= max(0.0, c * side) * 20 * max(0.0, -s)
            rim.append(head.at(side * centre + x, 4 + y, out))
        shape = smooth(rim)
        svg.path(shape, "#ffffff", opacity=0.1)
        svg.stroke(shape, color, width)
        svg.add(f'<g clip-path="{svg.clip(shape)}" opacity="0.22">')
        x, y = head.at(side * centre, 4, out)
        svg.path(
            f"M{x - 70},{y + 20} L{x + 10},{y - 70} L{x + 34},{y - 70} L{x - 56},{y + 40}Z",
            "#ffffff",
        )
        svg.add("</g>")
        if side * math.sin(head.yaw) < 0.3:
            hinge = head.at(side * (centre + 58), -8, out)
            ear = head.turn(side * 172 * person.face_width, -10, 0)
            svg.stroke(f"M{hinge[0]:.1f},{hinge[1]:.1f} L{ear[0]:.1f},{ear[1]:.1f}", color, width)
    a, b, c = head.at(-14, -2, out + 4), head.at(0, -14, out + 8), head.at(14, -2, out + 4)
    svg.stroke(f"M{a[0]:.1f},{a[1]:.1f} Q{b[0]:.1f},{b[1]:.1f} {c[0]:.1f},{c[1]:.1f}", color, width)


def draw_face(svg: Svg, person: Person, head: Head, pose: Pose, lamp: Light) -> str:
    """Everything of the face except hair and glasses; returns the contour's path data."""
    shape = draw_skin(svg, person, head, lamp)
    draw_beard(svg, person, head, shape)
    for side in (-1, 1):
        draw_eye(svg, person, head, pose, side)
        draw_brow(svg, person, head, pose, side)
    draw_nose(svg, person, head, lamp)
    draw_mouth(svg, person, head, pose)
    return shape
