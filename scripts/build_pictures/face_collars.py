"""Necklines, collars and lapels: what tells one cut of clothes from another."""

from __future__ import annotations

from dataclasses import dataclass

from face_parts import Outfit, Person, Svg, dark, light, mix, smooth


@dataclass(frozen=True)
class Cloth:
    """What every collar needs to know: the cut, its colours, and the fill of bare skin."""

    cut: str
    base: str
    second: str
    skin: str
    chest: str
    edge: str
    trunk: str
    """Path data of the trunk, to clip bare shoulders."""


def turtleneck(svg: Svg, cloth: Cloth) -> None:
    """A ribbed roll collar."""
    collar = smooth([(-78, 222), (0, 244), (78, 222), (90, 312), (0, 344), (-90, 312)])
    svg.path(collar, svg.linear([(0, dark(cloth.base, 0.25)), (1, light(cloth.base, 0.1))]))
    for x in range(-72, 73, 18):
        svg.stroke(f"M{x},236 L{x * 1.1:.0f},326", cloth.edge, 3, opacity=0.35)


def buttoned(svg: Svg, cloth: Cloth) -> None:
    """Shirt, blazer or coat: lapels and buttons."""
    inner = cloth.second if cloth.cut != "shirt" else cloth.base
    if cloth.cut != "shirt":
        svg.path("M-70,276 L0,640 L70,276 L0,300 Z", inner)
    svg.path("M-66,272 L0,430 L66,272 Q0,330 -66,272 Z", cloth.chest)
    wide, low = (104, 420) if cloth.cut == "shirt" else (150, 640)
    for s in (-1, 1):
        flap = light(cloth.base, 0.12) if cloth.cut == "shirt" else dark(cloth.base, 0.1)
        svg.path(
            f"M{s * 70},254 L{s * 4},{low} L{s * wide},{low - 110} L{s * 108},292 Z",
            flap,
            stroke=cloth.edge,
            stroke_width=3,
            stroke_linejoin="round",
        )
    svg.stroke(f"M0,{low} L0,1020", cloth.edge, 3)
    for y in range(low + 50, 1020, 104):
        svg.ellipse((14, y), 8, 8, light(cloth.second, 0.2), stroke=cloth.edge, stroke_width=2)


def hooded(svg: Svg, cloth: Cloth) -> None:
    """Hoodie or raincoat: a hood laid back, cords or snaps."""
    svg.path("M-64,270 Q0,372 64,270 L0,300Z", cloth.second)
    for s in (-1, 1):
        svg.path(
            f"M{s * 58},250 C{s * 150},262 {s * 168},330 {s * 120},366 "
            f"C{s * 60},390 {s * 20},384 0,372 C{s * 44},350 {s * 66},310 {s * 58},250 Z",
            light(cloth.base, 0.1),
            stroke=cloth.edge,
            stroke_width=3,
        )
        if cloth.cut == "hoodie":
            svg.stroke(f"M{s * 34},372 L{s * 38},500", cloth.second, 8)
    if cloth.cut == "raincoat":
        svg.stroke("M0,372 L0,1020", cloth.edge, 5)
        for y in range(440, 1020, 130):
            svg.ellipse((0, y), 13, 13, dark(cloth.base, 0.25), stroke=cloth.edge, stroke_width=3)


def denim(svg: Svg, cloth: Cloth) -> None:
    """An open denim jacket over a striped shirt."""
    svg.path("M-104,286 L-60,1030 L60,1030 L104,286 Q0,350 -104,286 Z", cloth.second)
    for y in range(350, 1030, 46):
        svg.stroke(f"M-96,{y} Q0,{y + 22} 96,{y}", "#38507c", 12)
    svg.path("M-66,272 Q0,390 66,272 Q0,300 -66,272 Z", cloth.chest)
    for s in (-1, 1):
        svg.path(
            f"M{s * 70},252 L{s * 60},470 L{s * 150},370 L{s * 112},288 Z",
            light(cloth.base, 0.15),
            stroke=cloth.edge,
            stroke_width=3,
            stroke_linejoin="round",
        )
        svg.stroke(f"M{s * 104},480 L{s * 74},1030", "#e0b060", 3, stroke_dasharray="12 9")
        svg.path(
            f"M{s * 120},520 h{s * 84} v90 l{s * -42},26 l{s * -42},-26 Z",
            dark(cloth.base, 0.08),
            stroke=cloth.edge,
            stroke_width=3,
        )


def dungarees(svg: Svg, cloth: Cloth) -> None:
    """A bib with straps."""
    svg.path("M-84,276 Q0,400 84,276 Q0,310 -84,276 Z", cloth.chest)
    svg.path("M-118,520 h236 l44,520 h-324 Z", cloth.second)
    for s in (-1, 1):
        svg.stroke(f"M{s * 100},540 L{s * 142},306", cloth.second, 44)
        svg.ellipse((s * 102, 548), 14, 14, "#e0b060")


def dress(svg: Svg, cloth: Cloth) -> None:
    """A low neckline and a necklace; bare shoulders for the evening."""
    low = 450 if cloth.cut == "evening" else 390
    if cloth.cut == "evening":
        svg.add(f'<g clip-path="{svg.clip(cloth.trunk)}">')
        svg.path(
            "M-360,240 H360 V400 Q190,430 90,385 Q0,440 -90,385 Q-190,430 -360,400Z",
            cloth.skin,
        )
        svg.add("</g>")
        for s in (-1, 1):
            svg.stroke(f"M{s * 118},300 L{s * 112},410", cloth.base, 20)
    else:
        svg.path(
            f"M-116,284 L-62,{low - 40} Q0,{low + 20} 62,{low - 40} L116,284 L60,262 L-60,262Z",
            cloth.chest,
        )
    svg.stroke("M-70,296 Q0,410 70,296", "#e8c46a" if cloth.cut == "evening" else "#ffffff", 4)
    svg.ellipse((0, 358), 10, 13, "#e8c46a" if cloth.cut == "evening" else "#ffffff")


def plain(svg: Svg, cloth: Cloth) -> None:
    """T-shirt, v-neck, blouse: a round or pointed neckline."""
    if cloth.cut == "vneck":
        neckline = "M-82,272 L0,440 L82,272 Q0,300 -82,272 Z"
    else:
        neckline = "M-80,272 C-64,362 64,362 80,272 Q0,306 -80,272 Z"
    svg.path(neckline, cloth.chest)
    rim = neckline.split(" Q0")[0]
    svg.stroke(rim, light(cloth.base, 0.15), 13)
    svg.stroke(rim, cloth.edge, 2, opacity=0.4)


def draw_scarf(svg: Svg, color: str) -> None:
    """A knitted scarf around the neck with one end hanging down."""
    fill = svg.linear([(0, light(color, 0.12)), (1, dark(color, 0.2))])
    svg.path(smooth([(30, 330), (104, 320), (128, 640), (54, 650)]), fill)
    for x in range(58, 126, 14):
        svg.stroke(f"M{x},640 L{x},676", color, 7)
    svg.path(smooth([(-122, 240), (0, 268), (122, 240), (140, 318), (0, 372), (-140, 318)]), fill)
    for y in (0, 36):
        svg.stroke(f"M-120,{270 + y} Q0,{306 + y} 120,{270 + y}", dark(color, 0.35), 5, opacity=0.4)


def draw_collar(svg: Svg, person: Person, outfit: Outfit, trunk: str) -> None:
    """Draw the neckline of an outfit over the trunk."""
    skin = person.skin
    chest = svg.linear([(0, mix(skin, dark(skin), 0.35)), (1, skin)])
    cloth = Cloth(
        outfit.cut, outfit.color, outfit.second, skin, chest, dark(outfit.color, 0.35), trunk
    )
    match outfit.cut:
        case "turtleneck":
            turtleneck(svg, cloth)
        case "shirt" | "blazer" | "coat":
            buttoned(svg, cloth)
        case "hoodie" | "raincoat":
            hooded(svg, cloth)
        case "denim":
            denim(svg, cloth)
        case "dungarees":
            dungarees(svg, cloth)
        case "evening" | "dress":
            dress(svg, cloth)
        case _:
            plain(svg, cloth)
    if outfit.scarf:
        draw_scarf(svg, outfit.scarf)
