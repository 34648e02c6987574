"""Tight curls, as balls around the head."""

from __future__ import annotations

import math
import random

from face_parts import Head, Light, Person, Svg, dark, light


def curl_balls(person: Person, head: Head) -> list[tuple[float, float, float, float, float]]:
    """Tight curls as balls around the head: depth, x, y, radius, spin; far ones first."""
    rng = random.Random(person.seed + 7)
    balls: list[tuple[float, float, float, float, float]] = []
    for _ in range(520):
        azimuth, y = rng.uniform(-math.pi, math.pi), rng.uniform(-285, 110)
        crown = math.sqrt(max(0.0, 1 - (min(0.0, y + 20) / 300) ** 2))
        x, z = 218 * crown * math.sin(azimuth), 200 * crown * math.cos(azimuth)
        radius = rng.uniform(22, 32)
        face = z > 15 and y + radius * 0.75 > -158 + abs(x) * 0.1
        if face and not (abs(x) > 165 and z < 100):
            continue
        across, down, depth = head.turn(x, y, z)
        balls.append((depth, across, down, radius, rng.uniform(0, 360)))
    return sorted(balls)


def draw_balls(svg: Svg, person: Person, head: Head, lamp: Light, front: bool) -> None:
    """Draw the curls in front of or behind the middle of the head."""
    color = person.hair.color
    tones = [dark(color, 0.24), dark(color, 0.1), color, light(color, 0.1)]
    fills = [
        svg.radial(
            [(0, light(t, 0.22)), (0.5, t), (1, dark(t, 0.42))], 0.5 + 0.18 * lamp.side, 0.34
        )
        for t in tones
    ]
    rng = random.Random(person.seed + 11)
    for depth, x, y, r, spin in curl_balls(person, head):
        tone = rng.randrange(2 if depth < -30 else 4)
        if (depth >= -20) != front:
            continue
        svg.add(f'<g transform="translate({x:.1f} {y:.1f}) rotate({spin:.0f})">')
        svg.ellipse((0, 0), round(r, 1), round(r * 0.93, 1), fills[tone])
        for k, width, ink, faint in (
            (0.68, 4, dark(color, 0.5), 0.5),
            (0.4, 3.4, dark(color, 0.5), 0.5),
            (0.55, 3, light(color, 0.5), 0.45),
        ):
            q = r * k
            start = -q if ink == dark(color, 0.5) else q
            svg.stroke(
                f"M{start:.1f},0 A{q:.1f},{q:.1f} 0 0 1 {q / 2:.1f},{0.86 * start:.1f}",
                ink,
                width,
                opacity=faint,
            )
        svg.add("</g>")
