"""Small pieces of SVG text, and the drawing styles that any scene can be given."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from .palette import RGB, hexadecimal

RENDER_STYLES: tuple[str, ...] = ("watercolor", "sketch", "pixel art", "3d render", "neon")


@dataclass(frozen=True)
class Scene:
    """One drawing on a 64 x 64 canvas, with what it shows as attributes and as a caption."""

    kind: str
    svg: str
    attributes: Mapping[str, str]
    caption: str


def paint(colour: RGB | str) -> str:
    """Return a colour or paint reference as the value of a fill or stroke attribute."""
    return colour if isinstance(colour, str) else hexadecimal(colour)


def _look(fill: RGB | str, stroke: RGB | str | None, width: float, extra: str) -> str:
    line = "" if stroke is None else f' stroke="{paint(stroke)}" stroke-width="{width:g}"'
    return f'fill="{paint(fill)}"{line} {extra}'


def ellipse(
    x: float,
    y: float,
    rx: float,
    ry: float,
    fill: RGB | str,
    stroke: RGB | str | None = None,
    width: float = 1.0,
    extra: str = "",
) -> str:
    """Return an ellipse with centre (x, y)."""
    look = _look(fill, stroke, width, extra)
    return f'<ellipse cx="{x:.2f}" cy="{y:.2f}" rx="{rx:.2f}" ry="{ry:.2f}" {look}/>'


def rect(
    x: float,
    y: float,
    w: float,
    h: float,
    fill: RGB | str,
    corner: float = 0.0,
    stroke: RGB | str | None = None,
    width: float = 1.0,
    extra: str = "",
) -> str:
    """Return a rectangle with top left corner (x, y)."""
    look = _look(fill, stroke, width, extra)
    return (
        f'<rect x="{x:.2f}" y="{y:.2f}" width="{w:.2f}" height="{h:.2f}" rx="{corner:g}" {look}/>'
    )


def path(
    d: str, fill: RGB | str, stroke: RGB | str | None = None, width: float = 1.0, extra: str = ""
) -> str:
    """Return a filled path."""
    return f'<path d="{d}" {_look(fill, stroke, width, extra + _ROUND)}/>'


_ROUND = ' stroke-linecap="round" stroke-linejoin="round"'


def line(d: str, stroke: RGB | str, width: float) -> str:
    """Return a stroked path with round ends and no fill."""
    return path(d, "none", stroke, width)


def group(
    content: str, x: float = 0, y: float = 0, scale: float = 1, turn: float = 0, extra: str = ""
) -> str:
    """Return content turned (degrees), scaled and then moved to (x, y)."""
    place = f"translate({x:.2f} {y:.2f}) rotate({turn:.1f}) scale({scale:.3f})"
    return f'<g transform="{place}" {extra}>{content}</g>'


def star_path(radius: float, points: int = 5, inner: float = 0.45) -> str:
    """Return the outline of a star around the origin, one point up."""
    corners: list[str] = []
    for k in range(2 * points):
        r = radius * (inner if k % 2 else 1.0)
        angle = math.pi * k / points
        corners.append(f"{r * math.sin(angle):.2f} {-r * math.cos(angle):.2f}")
    return "M" + "L".join(corners) + "Z"


def polygon_path(radius: float, corners: int) -> str:
    """Return the outline of a regular polygon around the origin, one corner up."""
    return star_path(radius, corners, inner=math.cos(math.pi / corners))


def heart_path(r: float) -> str:
    """Return the outline of a heart around the origin, about 2r wide."""
    return (
        f"M0 {r:.2f}C{-1.6 * r:.2f} {-0.1 * r:.2f} {-0.9 * r:.2f} {-1.25 * r:.2f} 0 {-0.45 * r:.2f}"
        f"C{0.9 * r:.2f} {-1.25 * r:.2f} {1.6 * r:.2f} {-0.1 * r:.2f} 0 {r:.2f}Z"
    )


def linear_gradient(name: str, top: RGB, bottom: RGB) -> str:
    """Return the definition of a top to bottom gradient."""
    return (
        f'<linearGradient id="{name}" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color='
        f'"{paint(top)}"/><stop offset="1" stop-color="{paint(bottom)}"/></linearGradient>'
    )


def radial_gradient(name: str, stops: list[tuple[float, RGB]], cy: float = 0.45) -> str:
    """Return the definition of a radial gradient, stops as (offset, colour)."""
    inner = "".join(f'<stop offset="{at:g}" stop-color="{paint(c)}"/>' for at, c in stops)
    return f'<radialGradient id="{name}" cx="0.5" cy="{cy:g}" r="0.56">{inner}</radialGradient>'


_BOX = 'x="0" y="0" width="64" height="64" filterUnits="userSpaceOnUse"'
_SRGB = 'color-interpolation-filters="sRGB"'
_FILTERS: Mapping[str, str] = {
    # One unit of each 3 x 3 cell is kept and grown to fill its cell.
    "pixel art": (
        '<feFlood x="1" y="1" width="1" height="1" flood-color="#000" result="f"/>'
        '<feMerge x="0" y="0" width="3" height="3" result="c"><feMergeNode in="f"/></feMerge>'
        '<feTile in="c" result="t"/><feComposite in="SourceGraphic" in2="t" operator="in"/>'
        '<feMorphology operator="dilate" radius="1.5"/>'
    ),
    "watercolor": (
        '<feTurbulence type="fractalNoise" baseFrequency="0.07" numOctaves="1" seed="3" '
        'result="n"/><feDisplacementMap in="SourceGraphic" in2="n" scale="1.2" '
        'xChannelSelector="R" yChannelSelector="G" result="d"/>'
        '<feColorMatrix in="n" type="matrix" values="0 0 0 0 1 0 0 0 0 1 0 0 0 0 1 '
        '0 0 0 1.3 -0.35" result="w"/><feMerge><feMergeNode in="SourceGraphic"/>'
        '<feMergeNode in="d"/><feMergeNode in="w"/></feMerge>'
    ),
    "sketch": (
        '<feColorMatrix type="matrix" values="0.62 0 0 0 0.38 0 0.62 0 0 0.38 0 0 0.62 0 0.38 '
        '0 0 0 1 0" result="p"/><feColorMatrix in="SourceGraphic" type="saturate" values="0"/>'
        '<feConvolveMatrix order="3" kernelMatrix="1 1 1 1 -8 1 1 1 1" preserveAlpha="true"/>'
        '<feColorMatrix type="matrix" values="0 0 0 0 0.15 0 0 0 0 0.15 0 0 0 0 0.18 '
        '2 0 0 0 -0.15"/><feComposite in2="p" operator="over"/>'
    ),
    "3d render": (
        '<feGaussianBlur in="SourceAlpha" stdDeviation="2" result="b"/>'
        '<feSpecularLighting in="b" surfaceScale="4" specularConstant="0.55" '
        'specularExponent="22" lighting-color="#fff" result="s"><feDistantLight azimuth="235" '
        'elevation="50"/></feSpecularLighting>'
        '<feComposite in="s" in2="SourceAlpha" operator="in" result="s"/>'
        '<feOffset in="b" dx="2" dy="2.5"/><feColorMatrix type="matrix" values="0 0 0 0 0 '
        '0 0 0 0 0 0 0 0 0 0 0 0 0 0.5 0" result="h"/><feMerge><feMergeNode in="h"/>'
        '<feMergeNode in="SourceGraphic"/><feMergeNode in="s"/></feMerge>'
    ),
    "neon": (
        '<feGaussianBlur stdDeviation="3.2"/><feColorMatrix type="matrix" values="1.5 0 0 0 0.1 '
        '0 1.5 0 0 0.1 0 0 1.5 0 0.1 0 0 0 1.6 0" result="g"/><feMerge><feMergeNode in="g"/>'
        '<feMergeNode in="SourceGraphic"/></feMerge>'
    ),
}


def document(background: str, figure: str, definitions: str = "", style: str = "plain") -> str:
    """Return a complete drawing; a style of RENDER_STYLES changes how the figure is rendered."""
    filters = _FILTERS.get(style)
    if filters is not None:
        definitions += f'<filter id="style" {_BOX} {_SRGB}>{filters}</filter>'
    # Lighting and glow follow the outline of the figure; the other styles treat the whole picture.
    if style in ("3d render", "neon"):
        content = f'{background}<g filter="url(#style)">{figure}</g>'
    elif filters is not None:
        content = f'<g filter="url(#style)">{background}{figure}</g>'
    else:
        content = background + figure
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">'
        f"<defs>{definitions}</defs>{content}</svg>"
    )
