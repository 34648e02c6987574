"""Arms and legs, with what the hands hold."""

from __future__ import annotations

import math

from face_parts import Outfit, Person, Pose, Svg, dark, light, smooth


def draw_arms(svg: Svg, person: Person, outfit: Outfit, pose: Pose) -> None:
    """Two arms; the pose says what the right one of the picture does."""
    w = 246 * person.shoulders
    sleeve, edge = outfit.color, dark(outfit.color, 0.35)
    short = outfit.cut in ("tshirt", "dress", "evening")
    right = {
        "hip": [(w - 32, 404), (w + 118, 690), (w - 60, 880)],
        "mug": [(w - 32, 404), (w + 66, 720), (86, 620)],
        "book": [(w - 32, 404), (w + 60, 760), (60, 780)],
        "wave": [(w - 32, 404), (w + 150, 640), (w + 170, 330)],
    }.get(pose.arms, [(w - 32, 404), (w + 36, 690), (w + 24, 980)])
    left = [
        (-x, y)
        for x, y in (
            [(w - 32, 404), (w + 60, 760), (60, 780)]
            if pose.arms == "book"
            else [(w - 32, 404), (w + 36, 690), (w + 24, 980)]
        )
    ]
    for points in (left, right):
        (ax, ay), (bx, by), (hx, hy) = points
        end = f"M{ax},{ay} L{bx},{by} L{hx},{hy}"
        upper = f"M{ax},{ay} L{(ax + bx) / 2},{(ay + by) / 2}"
        long = math.hypot(hx - bx, hy - by)
        dx, dy = (hx - bx) / long, (hy - by) / long
        angle = math.degrees(math.atan2(dy, dx))
        svg.add(f'<g transform="translate({hx} {hy}) rotate({angle:.0f})">')
        svg.path(
            "M0,-30 C50,-42 104,-34 124,-10 C132,14 104,36 60,36 C30,36 0,32 0,30 Z", person.skin
        )
        for y in (-10, 6, 21):
            svg.stroke(f"M78,{y} L116,{y + 1}", dark(person.skin, 0.35), 3, opacity=0.5)
        svg.add("</g>")
        if short:
            low_arm = end.replace(
                f"M{ax},{ay}", f"M{ax + (bx - ax) * 0.25:.0f},{ay + (by - ay) * 0.25:.0f}"
            )
            svg.stroke(low_arm, dark(person.skin, 0.3), 82)
            svg.stroke(end, person.skin, 78)
        if outfit.cut != "evening":
            reach = upper if short else end
            lower = reach.replace(
                f"M{ax},{ay}", f"M{ax + (bx - ax) * 0.2:.0f},{ay + (by - ay) * 0.2:.0f}"
            )
            svg.stroke(
                lower, edge, 98, opacity=0.55, transform=f"translate({-4 if ax > 0 else 4} 3)"
            )
            svg.stroke(reach, sleeve, 94)
            svg.stroke(reach, light(sleeve, 0.2), 34, opacity=0.3, filter=svg.blur(14))
    draw_held(svg, person, pose)


def draw_held(svg: Svg, person: Person, pose: Pose) -> None:
    """The mug or the book, with the fingers on it."""
    if pose.arms == "mug":
        svg.path("M40,520 h120 v96 q0,40 -40,40 h-40 q-40,0 -40,-40 Z", "#e9edf0")
        svg.stroke("M40,540 q-44,4 -40,44 q4,34 44,30", "#e9edf0", 15)
        svg.path("M130,520 h30 v96 q0,40 -30,40 Z", "#b9c2c9")
        for dy in (0, 30, 60):
            svg.stroke(f"M96,{566 + dy} L158,{572 + dy}", person.skin, 30)
            svg.stroke(f"M96,{581 + dy} L158,{587 + dy}", dark(person.skin, 0.3), 2.5, opacity=0.6)
    if pose.arms == "book":
        svg.path("M-190,640 L0,676 L190,640 V850 L0,892 L-190,850 Z", "#7d2f3a")
        svg.path("M-176,632 L0,664 V868 L-176,836 Z", "#fbf5e6")
        svg.path("M176,632 L0,664 V868 L176,836 Z", "#efe6d0")
        for s in (-1, 1):
            svg.ellipse((s * 170, 800), 42, 34, person.skin)


def draw_legs(svg: Svg, person: Person, outfit: Outfit) -> None:
    """Legs and shoes, and the skirt of a dress, for full-body pictures."""
    for s in (-1, 1):
        bare = outfit.cut == "dress"
        leg = person.skin if bare else outfit.legs
        svg.path(
            smooth(
                [
                    (s * 16, 990),
                    (s * 216, 990),
                    (s * 196, 1400),
                    (s * 150, 1820),
                    (s * 142, 2030),
                    (s * 62, 2030),
                    (s * 46, 1700),
                    (s * 26, 1400),
                ]
            ),
            svg.linear([(0, dark(leg, 0.15)), (0.5, leg), (1, dark(leg, 0.2))], vertical=False),
        )
        svg.path(
            smooth(
                [
                    (s * 50, 1800),
                    (s * 156, 1800),
                    (s * 160, 2040),
                    (s * 220, 2110),
                    (s * 210, 2140),
                    (s * 50, 2140),
                    (s * 46, 1990),
                ]
            ),
            outfit.shoes,
        )
        svg.stroke(f"M{s * 46},2134 L{s * 214},2134", dark(outfit.shoes, 0.5), 16)
    if outfit.cut == "dress":
        skirt = smooth(
            [
                (-186, 800),
                (0, 812),
                (186, 800),
                (250, 1020),
                (330, 1440),
                (170, 1500),
                (0, 1480),
                (-170, 1500),
                (-330, 1440),
                (-250, 1020),
            ]
        )
        svg.path(skirt, svg.linear([(0, outfit.color), (1, dark(outfit.color, 0.22))]))
        for x in (-200, -90, 30, 150):
            svg.stroke(
                f"M{x * 0.7},860 Q{x},1150 {x * 1.25},1470",
                dark(outfit.color, 0.4),
                9,
                opacity=0.35,
            )
        svg.path("M-186,790 Q0,830 186,790 L190,836 Q0,874 -190,836 Z", outfit.second)
