"""Hair that is tied or covered: bun, ponytail, headscarf."""

from __future__ import annotations

from face_head import cap
from face_parts import Head, Person, Svg, dark, light, smooth


def draw_bun(svg: Svg, head: Head, color: str) -> None:
    """A knot on top of the head."""
    x, y, _ = head.turn(0, -268, -60)
    svg.ellipse(
        (x, y),
        86,
        74,
        svg.radial([(0, light(color, 0.15)), (0.6, color), (1, dark(color, 0.4))]),
    )
    for k in (0.35, 0.7):
        svg.stroke(
            f"M{x - 80 * k:.1f},{y:.1f} Q{x:.1f},{y - 84 * k:.1f} {x + 80 * k:.1f},{y:.1f}",
            dark(color, 0.4),
            4,
            opacity=0.5,
        )


def draw_ponytail(svg: Svg, head: Head, color: str) -> None:
    """A tail behind the right shoulder of the picture."""
    deep = svg.linear([(0, dark(color, 0.2)), (1, dark(color, 0.45))])
    svg.path(
        smooth(
            [
                head.turn(x, y, -90)[:2]
                for x, y in (
                    (60, -190),
                    (200, -150),
                    (262, 10),
                    (250, 200),
                    (205, 330),
                    (180, 200),
                    (176, 20),
                    (120, -90),
                )
            ]
        ),
        deep,
    )


def draw_scarf_back(svg: Svg, head: Head, color: str) -> None:
    """The part of a headscarf that falls behind."""
    deep = svg.linear([(0, dark(color, 0.2)), (1, dark(color, 0.45))])
    svg.path(
        smooth(
            [
                head.turn(x, y, -40)[:2]
                for x, y in (
                    (0, -262),
                    (150, -205),
                    (206, -40),
                    (205, 130),
                    (235, 300),
                    (0, 380),
                    (-235, 300),
                    (-205, 130),
                    (-206, -40),
                    (-150, -205),
                )
            ]
        ),
        deep,
    )


def draw_hijab(svg: Svg, person: Person, head: Head) -> None:
    """A headscarf wrapped around the face and under the chin."""
    color = person.hair.color
    top = cap(person, head, 1.16)
    opening = [
        head.at(x, y)
        for x, y in (
            (-146, -60),
            (-112, -128),
            (0, -158),
            (112, -128),
            (146, -60),
            (143, 60),
            (110, 150),
            (0, 208),
            (-110, 150),
            (-143, 60),
        )
    ]
    drape = [
        head.turn(x, y, 30)[:2]
        for x, y in (
            (205, 60),
            (178, 200),
            (226, 330),
            (60, 430),
            (-120, 400),
            (-236, 320),
            (-176, 200),
            (-205, 60),
        )
    ]
    outer = smooth(top + drape)
    svg.path(
        outer + smooth(opening),
        svg.linear([(0, light(color, 0.18)), (0.5, color), (1, dark(color, 0.2))]),
        fill_rule="evenodd",
    )
    for x0, y0, x1, y1, bend in (
        (-150, 120, 140, 270, 70),
        (-170, 190, 120, 330, 70),
        (150, 150, -60, 290, 60),
    ):
        a, b = head.turn(x0, y0, 60), head.turn(x1, y1, 60)
        middle, low = (a[0] + b[0]) / 2, (a[1] + b[1]) / 2 + bend
        svg.stroke(
            f"M{a[0]:.1f},{a[1]:.1f} Q{middle:.1f},{low:.1f} {b[0]:.1f},{b[1]:.1f}",
            dark(color, 0.35),
            5,
            opacity=0.4,
        )
    svg.stroke(smooth(opening), dark(color, 0.3), 5, opacity=0.5)
