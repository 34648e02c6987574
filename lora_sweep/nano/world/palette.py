"""Named colours of the small world, well apart in CIELAB so that a name can be read back."""

from __future__ import annotations

from collections.abc import Mapping

RGB = tuple[int, int, int]

NAMED: Mapping[str, RGB] = {
    "yellow": (253, 212, 48),
    "red": (218, 38, 44),
    "orange": (248, 128, 18),
    "green": (56, 158, 68),
    "blue": (38, 110, 226),
    "purple": (132, 58, 178),
    "pink": (250, 142, 192),
    "brown": (122, 76, 46),
    "white": (255, 255, 255),
    "grey": (152, 154, 158),
    "black": (26, 26, 30),
}
NAMES: tuple[str, ...] = tuple(NAMED)

HAIR: Mapping[str, RGB] = {
    "black": (30, 26, 28),
    "brown": (92, 58, 34),
    "blond": (236, 200, 104),
    "red": (200, 62, 28),
    "auburn": (128, 46, 30),
    "grey": (150, 150, 154),
    "white": (240, 240, 238),
    "pink": (244, 120, 180),
}
SKIN: Mapping[str, RGB] = {
    "light": (250, 214, 186),
    "tan": (222, 172, 126),
    "brown": (160, 106, 68),
    "dark": (98, 62, 42),
}


def mix(first: RGB, second: RGB, share: float) -> RGB:
    """Return the colour `share` of the way from first (0) to second (1), in sRGB values."""
    r, g, b = (round(p + (q - p) * share) for p, q in zip(first, second, strict=True))
    return r, g, b


def lighter(colour: RGB, share: float) -> RGB:
    """Return the colour moved `share` of the way to white."""
    return mix(colour, (255, 255, 255), share)


def darker(colour: RGB, share: float) -> RGB:
    """Return the colour moved `share` of the way to black."""
    return mix(colour, (0, 0, 0), share)


def hexadecimal(colour: RGB) -> str:
    """Return the colour as #rrggbb."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def luma(colour: RGB) -> float:
    """Return the Rec. 601 luma of the colour, 0 to 255."""
    return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]
