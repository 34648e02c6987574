"""Values that describe a drawn portrait, the turned head they are projected on, and SVG pieces."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

Point = tuple[float, float]


@dataclass(frozen=True)
class Hair:
    """Hair: a style of face_hair.py and a colour."""

    style: str
    color: str


@dataclass(frozen=True)
class Person:
    """What stays the same in every portrait of somebody."""

    skin: str
    hair: Hair
    iris: str
    lips: str = "#c4626a"
    face_width: float = 1.0
    jaw: float = 1.0
    chin: float = 0.0
    eye_size: float = 1.0
    eye_gap: float = 1.0
    nose_width: float = 1.0
    nose_length: float = 0.0
    lip_fullness: float = 1.0
    brow_weight: float = 1.0
    lashes: bool = True
    freckles: int = 0
    mole: Point | None = None
    glasses: str | None = None
    """"round", "square" or "cat"."""
    glasses_color: str = "#2f2a2c"
    beard: str | None = None
    """"full", "stubble" or "moustache"."""
    earrings: str | None = None
    age: float = 0.0
    """0 young to 1 old: lines and lighter brows."""
    shoulders: float = 1.0
    seed: int = 0


@dataclass(frozen=True)
class Pose:
    """How the head is held and what the face does. Angles in degrees."""

    yaw: float = 0.0
    """Positive turns the face to the right of the picture."""
    pitch: float = 0.0
    """Positive lowers it."""
    tilt: float = 0.0
    smile: float = 0.4
    open: float = 0.0
    lids: float = 1.0
    brows: float = 0.0
    gaze: Point = (0.0, 0.0)
    arms: str = "down"
    """"down", "hip", "mug", "book" or "wave"."""


@dataclass(frozen=True)
class Light:
    """Key light from one side and a tint over the whole picture."""

    side: float = -0.6
    """-1 from the left of the picture, 1 from the right."""
    strength: float = 0.5
    tint: str = "#ffffff"
    tint_opacity: float = 0.0
    blend: str = "multiply"


@dataclass(frozen=True)
class Outfit:
    """Clothes: a cut of face_body.py, its colour, and what is worn with it."""

    cut: str
    color: str
    second: str = "#f4f1ea"
    pattern: str | None = None
    legs: str = "#3b4a63"
    shoes: str = "#4a3428"
    scarf: str | None = None


def mix(a: str, b: str, t: float) -> str:
    """Colour between two #rrggbb colours, t from 0 (a) to 1 (b)."""
    pairs = zip(bytes.fromhex(a[1:]), bytes.fromhex(b[1:]), strict=True)
    return "#" + "".join(f"{round(x + (y - x) * t):02x}" for x, y in pairs)


def dark(color: str, t: float = 0.3) -> str:
    """A shade of a colour, leaning to warm brown so that skin does not turn grey."""
    return mix(color, "#2a1020", t)


def light(color: str, t: float = 0.3) -> str:
    """A tint of a colour."""
    return mix(color, "#fff6e8", t)


@dataclass
class Svg:
    """Collects elements and definitions of one drawing."""

    defs: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)

    def define(self, element: str) -> str:
        """Add a definition that contains ID for its identifier; returns the url() to it."""
        name = f"d{len(self.defs)}"
        self.defs.append(element.replace("ID", name, 1))
        return f"url(#{name})"

    def radial(self, stops: list[tuple[float, str]], cx: float = 0.5, cy: float = 0.5) -> str:
        """Radial gradient in the bounding box of what it fills."""
        inner = "".join(f'<stop offset="{at}" stop-color="{c}"/>' for at, c in stops)
        return self.define(
            f'<radialGradient id="ID" cx="{cx}" cy="{cy}" r="0.7">{inner}</radialGradient>'
        )

    def linear(self, stops: list[tuple[float, str]], vertical: bool = True) -> str:
        """Linear gradient in the bounding box of what it fills."""
        inner = "".join(f'<stop offset="{at}" stop-color="{c}"/>' for at, c in stops)
        end = 'x2="0" y2="1"' if vertical else 'x2="1" y2="0"'
        return self.define(f'<linearGradient id="ID" x1="0" y1="0" {end}>{inner}</linearGradient>')

    def blur(self, deviation: float) -> str:
        """Gaussian blur with room around its element."""
        return self.define(
            '<filter id="ID" x="-60%" y="-60%" width="220%" height="220%">'
            f'<feGaussianBlur stdDeviation="{deviation}"/></filter>'
        )

    def clip(self, path: str) -> str:
        """Clip path from path data."""
        return self.define(f'<clipPath id="ID"><path d="{path}"/></clipPath>')

    def add(self, element: str) -> None:
        """Add any element."""
        self.parts.append(element)

    def path(self, data: str, fill: str = "none", **attributes: str | float) -> None:
        """Add a path; underscores in attribute names become hyphens."""
        rest = "".join(f' {k.replace("_", "-")}="{v}"' for k, v in attributes.items())
        self.add(f'<path d="{data}" fill="{fill}"{rest}/>')

    def stroke(self, data: str, color: str, width: float, **attributes: str | float) -> None:
        """Add a line with round ends."""
        self.path(
            data,
            "none",
            stroke=color,
            stroke_width=width,
            stroke_linecap="round",
            stroke_linejoin="round",
            **attributes,
        )

    def ellipse(
        self, centre: Point, rx: float, ry: float, fill: str, **attributes: str | float
    ) -> None:
        """Add an ellipse."""
        rest = "".join(f' {k.replace("_", "-")}="{v}"' for k, v in attributes.items())
        x, y = centre
        self.add(f'<ellipse cx="{x:.1f}" cy="{y:.1f}" rx="{rx}" ry="{ry}" fill="{fill}"{rest}/>')

    def text(self, size: int) -> str:
        """The finished document."""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}">'
            f"<defs>{''.join(self.defs)}</defs>{''.join(self.parts)}</svg>"
        )


def smooth(points: list[Point], closed: bool = True) -> str:
    """Path data of a Catmull-Rom curve through points."""
    count = len(points)
    pick = (
        (lambda i: points[i % count]) if closed else (lambda i: points[min(max(i, 0), count - 1)])
    )
    data = f"M{points[0][0]:.1f},{points[0][1]:.1f}"
    for i in range(count if closed else count - 1):
        p0, p1, p2, p3 = pick(i - 1), pick(i), pick(i + 1), pick(i + 2)
        a = (p1[0] + (p2[0] - p0[0]) / 6, p1[1] + (p2[1] - p0[1]) / 6)
        b = (p2[0] - (p3[0] - p1[0]) / 6, p2[1] - (p3[1] - p1[1]) / 6)
        data += f"C{a[0]:.1f},{a[1]:.1f} {b[0]:.1f},{b[1]:.1f} {p2[0]:.1f},{p2[1]:.1f}"
    return data + ("Z" if closed else "")


class Head:
    """A head as an ellipsoid, turned by yaw and pitch and seen from far away.

    Features are drawn in the coordinates of a face seen from the front (origin between the eyes'
    height and the nose, x to the right, y down, chin near y = 205) and projected point by point,
    so that the far half of a turned face is foreshortened as it should be.
    """

    RX, RY, RZ = 188.0, 265.0, 175.0

    def __init__(self, pose: Pose) -> None:
        self.yaw = math.radians(pose.yaw)
        self.pitch = math.radians(pose.pitch)

    def at(self, x: float, y: float, out: float = 0.0) -> Point:
        """Where a point of the frontal face lands; out lifts it off the surface."""
        inside = 1 - (x / self.RX) ** 2 - (y / self.RY) ** 2
        return self.turn(x, y, self.RZ * math.sqrt(max(inside, 0.0)) + out)[:2]

    def turn(self, x: float, y: float, z: float) -> tuple[float, float, float]:
        """Rotate a point of space; the third number is its depth towards the viewer."""
        across = x * math.cos(self.yaw) + z * math.sin(self.yaw)
        depth = -x * math.sin(self.yaw) + z * math.cos(self.yaw)
        down = y * math.cos(self.pitch) + depth * math.sin(self.pitch)
        return across, down, depth * math.cos(self.pitch) - y * math.sin(self.pitch)

    def squeeze(self, x: float) -> float:
        """Horizontal foreshortening at x."""
        normal = math.asin(max(-0.95, min(0.95, x / self.RX)))
        return max(0.3, min(1.12, math.cos(normal + self.yaw) / math.cos(normal)))

    def warp(self, data: str, out: float = 0.0) -> str:
        """Project every "x,y" of path data."""

        def moved(match: re.Match[str]) -> str:
            x, y = self.at(float(match[1]), float(match[2]), out)
            return f"{x:.1f},{y:.1f}"

        return re.sub(r"(-?\d+\.?\d*),(-?\d+\.?\d*)", moved, data)
