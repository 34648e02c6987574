"""Long curly hair as ringlets that start at a parting, sweep over the skull and hang down."""

from __future__ import annotations

import math
import random

from face_head import cap
from face_parts import Head, Light, Person, Point, Svg, dark, light, mix, smooth

CROWN = -20.0
"""Height at which the hair leaves the skull and hangs, in the coordinates of Head."""


def ringlet(head: Head, end: float, reach: float, rng: random.Random) -> tuple[float, list[Point]]:
    """One ringlet: mean depth of its hanging part and its points.

    end is the azimuth it hangs at (0 in front, radians), reach the height of its tip.
    """
    start = -0.26 + rng.uniform(-0.08, 0.08)
    theta0, theta1 = math.radians(rng.uniform(24, 40)), math.radians(90)
    if abs(end) > 1.9:  # the back of the head starts nearer to the crown
        theta0 = math.radians(rng.uniform(4, 26))
    phase, swing = rng.uniform(0, 6.28), rng.uniform(9, 15)
    wave = rng.uniform(46, 62)
    points: list[Point] = []
    depths: list[float] = []
    swept, travelled = 26, 0.0
    steps = swept + int((reach - CROWN) / 9)
    for i in range(steps):
        t = min(1.0, i / swept)
        theta = theta0 + (theta1 - theta0) * t
        azimuth = start + (end - start) * t**0.85
        fall = max(0, i - swept) * 9.0
        ring = 192 + 0.12 * fall
        x = ring * math.sin(theta) * math.sin(azimuth)
        z = 0.9 * ring * math.sin(theta) * math.cos(azimuth) * (1 - 0.35 * min(1, fall / 200))
        y = CROWN - 252 * math.cos(theta) + fall
        travelled += 9 if i >= swept else 11
        turn = swing * min(1.0, i / 8) * math.sin(phase + travelled * 2 * math.pi / wave)
        across, down, depth = head.turn(x, y, z)
        flat = math.sin(theta)
        points.append((across + turn * flat, down + turn * (1 - flat) * 0.8))
        if i > swept:
            depths.append(depth)
    return sum(depths) / max(1, len(depths)), points


def ringlets(person: Person, head: Head) -> list[tuple[float, list[Point], float, int]]:
    """All ringlets, far ones first: depth, points, width, tone."""
    rng = random.Random(person.seed + 7)
    found: list[tuple[float, list[Point], float, int]] = []
    for i in range(96):
        side = 1 if i % 2 else -1
        end = side * (0.95 + 2.15 * ((i // 2 + rng.random()) / 48))
        reach = rng.uniform(215, 318) - 40 * max(0.0, 1.4 - abs(end))
        depth, points = ringlet(head, end, reach, rng)
        found.append((depth, points, rng.uniform(19, 27), rng.randrange(4)))
    return sorted(found, key=lambda one: one[0])


def draw_ringlets(svg: Svg, person: Person, head: Head, lamp: Light, front: bool) -> None:
    """Draw the ringlets in front of or behind the middle of the head."""
    color = person.hair.color
    if not front:
        shape = [
            head.turn(x, y, -40)[:2]
            for x, y in (
                (0, -262),
                (140, -215),
                (192, -70),
                (205, 120),
                (205, 250),
                (90, 280),
                (-90, 280),
                (-205, 250),
                (-205, 120),
                (-192, -70),
                (-140, -215),
            )
        ]
        svg.path(smooth(shape), dark(color, 0.5))
    else:
        line = [
            head.at(x, y)
            for x, y in (
                (-158, -20),
                (-150, -100),
                (-112, -158),
                (-50, -200),
                (30, -184),
                (104, -150),
                (150, -96),
                (158, -20),
            )
        ]
        svg.path(smooth(cap(person, head, 1.04) + line[::-1]), dark(color, 0.45))
    tones = [dark(color, 0.2), dark(color, 0.08), color, light(color, 0.1)]
    for depth, points, width, tone in ringlets(person, head):
        if (depth >= -25) != front:
            continue
        fill = tones[tone] if front else dark(tones[tone], 0.3)
        data = smooth(points, closed=False)
        svg.stroke(data, dark(color, 0.52), round(width + 5, 1))
        svg.stroke(data, fill, round(width, 1))
        bright = 0.6 if (points[-1][0] > 0) == (lamp.side > 0) else 0.36
        svg.stroke(
            data,
            mix(light(color, 0.55), "#ffb060", 0.3),
            round(width * 0.2, 1),
            opacity=bright if front else 0.2,
            stroke_dasharray=f"{width * 1.3:.0f} {width * 1.7:.0f}",
            transform="translate(-3 -3)",
        )
