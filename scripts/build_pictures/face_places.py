"""Backgrounds of the drawn portraits: soft, out of focus, 1024 units wide and high."""

from __future__ import annotations

import random

from face_parts import Svg, dark, light, mix, smooth


def rect(svg: Svg, x: float, y: float, w: float, h: float, fill: str, extra: str = "") -> None:
    """A rectangle."""
    svg.add(f'<rect x="{x}" y="{y}" width="{w}" height="{h}" fill="{fill}" {extra}/>')


def studio(svg: Svg, color: str) -> None:
    """A plain wall with a soft pool of light."""
    rect(
        svg,
        0,
        0,
        1024,
        1024,
        svg.radial([(0, light(color, 0.35)), (1, dark(color, 0.12))], 0.4, 0.35),
    )


def living_room(svg: Svg) -> None:
    """A sage wall, a lamp and a plant: the room of the sitting."""
    studio(svg, "#bccbb4")
    svg.add(f'<g filter="{svg.blur(9)}">')
    rng = random.Random(4)
    for _ in range(17):
        x, y, turn = 860 + rng.uniform(-60, 60), 560 + rng.uniform(-60, 60), rng.uniform(-100, 60)
        svg.add(f'<g transform="translate({x:.0f} {y:.0f}) rotate({turn:.0f})">')
        svg.path(
            "M0,0 C50,-50 150,-46 220,0 C150,40 50,40 0,0Z", mix("#4f7d55", "#86a873", rng.random())
        )
        svg.add("</g>")
    svg.path("M790,760 h170 l-30,264 h-110 Z", "#b56f4c")
    svg.ellipse((120, 190), 130, 130, "#fff1cf", opacity=0.8)
    svg.path("M60,90 h120 l50,140 h-220 Z", "#f3d9a2")
    rect(svg, 112, 230, 14, 800, "#8a6a48")
    svg.add("</g>")


def harbour(svg: Svg) -> None:
    """Grey sky, sea, boats with masts."""
    rect(svg, 0, 0, 1024, 640, svg.linear([(0, "#aebcc8"), (1, "#dde3e6")]))
    rect(svg, 0, 600, 1024, 424, svg.linear([(0, "#7f9aa8"), (1, "#4c6a7c")]))
    svg.add(f'<g filter="{svg.blur(5)}">')
    for x, hull in ((150, "#b5483c"), (840, "#2f5d7c"), (980, "#e8e4da")):
        svg.path(f"M{x - 130},600 h260 q-20,80 -60,90 h-140 q-50,-14 -60,-90Z", hull)
        svg.stroke(f"M{x},600 V170", "#5a5048", 9)
        svg.path(f"M{x + 8},200 L{x + 100},560 H{x + 8}Z", "#efeae0", opacity=0.9)
    for y in range(690, 1020, 46):
        svg.stroke(
            f"M-20,{y} q60,-14 120,0 t120,0 t120,0 t120,0 t120,0 t120,0 t120,0 t120,0 t120,0",
            "#a9c0ca",
            5,
            opacity=0.5,
        )
    svg.add("</g>")


def restaurant(svg: Svg) -> None:
    """Dark warm room with lights out of focus."""
    rect(svg, 0, 0, 1024, 1024, svg.linear([(0, "#2a1a20"), (1, "#4d2a22")]))
    rng = random.Random(8)
    for _ in range(46):
        r = rng.uniform(18, 62)
        svg.ellipse(
            (rng.uniform(0, 1024), rng.uniform(0, 760)),
            r,
            r,
            rng.choice(["#ffce7a", "#ff9d5c", "#ffe3b0", "#e0654a"]),
            opacity=round(rng.uniform(0.15, 0.5), 2),
            filter=svg.blur(3),
        )


def park(svg: Svg) -> None:
    """Sunny lawn and trees."""
    rect(svg, 0, 0, 1024, 1024, svg.linear([(0, "#9fd3f2"), (0.55, "#e4f4ef"), (1, "#b8d98a")]))
    rng = random.Random(2)
    svg.add(f'<g filter="{svg.blur(8)}">')
    rect(svg, -20, 640, 1064, 400, svg.linear([(0, "#9cc96a"), (1, "#6ea44a")]))
    for x in (60, 230, 800, 960):
        rect(svg, x - 16, 420, 32, 240, "#7a5638")
        for _ in range(14):
            r = rng.uniform(55, 105)
            svg.ellipse(
                (x + rng.uniform(-110, 110), 330 + rng.uniform(-140, 120)),
                r,
                r,
                mix("#4f8f43", "#a3cf68", rng.random()),
            )
    svg.add("</g>")


def snow(svg: Svg) -> None:
    """A winter street with houses and falling snow."""
    rect(svg, 0, 0, 1024, 1024, svg.linear([(0, "#b9c9dc"), (1, "#eef3f8")]))
    svg.add(f'<g filter="{svg.blur(5)}">')
    for x, top, wall in (
        (-30, 260, "#a8675a"),
        (190, 330, "#c9a66b"),
        (700, 300, "#6f8aa6"),
        (880, 230, "#9a6f80"),
    ):
        rect(svg, x, top, 200, 560, wall)
        svg.path(f"M{x - 16},{top} L{x + 100},{top - 100} L{x + 216},{top} Z", "#f6f9fc")
        for y in range(top + 50, 760, 120):
            for dx in (30, 120):
                rect(svg, x + dx, y, 50, 70, "#ffe6a6")
    rect(svg, -20, 800, 1064, 240, "#f7fafd")
    svg.add("</g>")
    snowflakes(svg)


def snowflakes(svg: Svg) -> None:
    """Falling snow; also drawn over the figure."""
    rng = random.Random(3)
    for _ in range(110):
        r = round(rng.uniform(3, 9), 1)
        svg.ellipse(
            (rng.uniform(0, 1024), rng.uniform(0, 1024)),
            r,
            r,
            "#ffffff",
            opacity=round(rng.uniform(0.5, 0.95), 2),
        )


def beach(svg: Svg) -> None:
    """Sand, sea and a low sun."""
    rect(svg, 0, 0, 1024, 560, svg.linear([(0, "#7fb6dc"), (0.6, "#f6d9b8"), (1, "#f9c79a")]))
    svg.ellipse((800, 430), 90, 90, "#fff0c4", filter=svg.blur(8))
    rect(svg, 0, 500, 1024, 200, svg.linear([(0, "#5f9fb5"), (1, "#9fd0cf")]))
    for y, x in ((540, 60), (575, 420), (610, 700), (640, 180)):
        svg.stroke(f"M{x},{y} q70,-12 140,0 t140,0", "#f4fbfa", 6, opacity=0.7)
    svg.path(
        "M0,680 Q260,650 520,690 T1024,670 V1024 H0Z", svg.linear([(0, "#f3deb4"), (1, "#dcbf8c")])
    )
    svg.stroke("M0,680 Q260,650 520,690 T1024,670", "#fffaf0", 12, opacity=0.8)
    svg.ellipse((540, 985), 210, 22, "#7a6040", opacity=0.35, filter=svg.blur(10))
    for x, y in ((120, 860), (240, 940), (820, 880), (930, 960)):
        svg.path(smooth([(x, y), (x + 24, y - 12), (x + 40, y + 4), (x + 20, y + 14)]), "#f7e9dc")


def library(svg: Svg) -> None:
    """Shelves full of books by lamplight."""
    rect(svg, 0, 0, 1024, 1024, "#3d2a20")
    rng = random.Random(6)
    svg.add(f'<g filter="{svg.blur(4)}">')
    for shelf in range(5):
        y, x = 200 + shelf * 210, 10.0
        while x < 1014:
            w, h = rng.uniform(20, 46), rng.uniform(120, 172)
            color = rng.choice(
                ["#8a3b34", "#2f5d5a", "#b98b3e", "#43507a", "#d8c9a4", "#6a3f5c", "#51703f"]
            )
            rect(svg, round(x), round(y - h), round(w - 3), round(h), color)
            x += w + (30 if rng.random() < 0.06 else 0)
        rect(svg, 0, y, 1024, 24, "#6b4a32")
    svg.add("</g>")
    svg.ellipse((110, 160), 330, 330, "#ffcf80", opacity=0.4, filter=svg.blur(80))


def bricks(svg: Svg) -> None:
    """A red brick wall."""
    rect(svg, 0, 0, 1024, 1024, "#c9a994")
    rng = random.Random(9)
    for row in range(17):
        for column in range(-1, 9):
            x = column * 128 + 64 * (row % 2)
            rect(svg, x, row * 62, 120, 54, mix("#a5523f", "#c47a5c", rng.random()), 'rx="4"')


def city(svg: Svg) -> None:
    """A city at night with coloured lights."""
    rect(svg, 0, 0, 1024, 1024, svg.linear([(0, "#10122e"), (1, "#3b1d56")]))
    rng = random.Random(12)
    svg.add(f'<g filter="{svg.blur(6)}">')
    for x in range(-20, 1024, 130):
        top = rng.uniform(120, 520)
        rect(svg, x, round(top), 118, 920, mix("#181a3c", "#2c2450", rng.random()))
        for y in range(int(top) + 20, 900, 46):
            for dx in (14, 48, 82):
                if rng.random() < 0.5:
                    rect(svg, x + dx, y, 20, 26, rng.choice(["#ffd98a", "#7ee7ff", "#ff7ad0"]))
    rect(svg, 60, 330, 26, 330, "#ff4fb4")
    rect(svg, 900, 260, 26, 380, "#35e0ff")
    svg.add("</g>")
    for x, tone in ((70, "#ff4fb4"), (915, "#35e0ff")):
        svg.ellipse((x, 480), 190, 260, tone, opacity=0.4, filter=svg.blur(60))


def kitchen(svg: Svg) -> None:
    """A bright kitchen with a window, tiles and a shelf."""
    rect(svg, 0, 0, 1024, 1024, "#f3ead9")
    svg.add(f'<g filter="{svg.blur(5)}">')
    for x in range(0, 1024, 86):
        for y in range(560, 1024, 86):
            rect(svg, x, y, 80, 80, "#dcebe8", 'rx="5"')
    rect(svg, 70, 70, 330, 420, "#ffffff")
    rect(svg, 92, 92, 286, 376, svg.linear([(0, "#a9dcf5"), (1, "#dff2cf")]))
    rect(svg, 228, 92, 14, 376, "#ffffff")
    rect(svg, 650, 300, 374, 22, "#b98a5a")
    for x, h, color in (
        (690, 90, "#d9694f"),
        (780, 120, "#4f8a8b"),
        (870, 80, "#f0c05a"),
        (950, 110, "#7d9c5f"),
    ):
        rect(svg, x, 300 - h, 64, h, color, 'rx="12"')
    svg.add("</g>")
