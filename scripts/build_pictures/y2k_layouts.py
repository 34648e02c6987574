"""From a page's description to its HTML: picks the layout and how large it is shown."""

from __future__ import annotations

import random
from collections.abc import Callable

from y2k_parts import Page, document
from y2k_private import band, construction, fansite, guestbook, guild, home, kids, webring
from y2k_public import board, chrome, downloads, ezine, frames, portal, shop, weather

LAYOUTS: dict[str, Callable[[Page, random.Random], str]] = {
    layout.__name__: layout
    for layout in (
        home,
        guestbook,
        fansite,
        portal,
        shop,
        ezine,
        downloads,
        weather,
        frames,
        construction,
        chrome,
        band,
        guild,
        webring,
        board,
        kids,
    )
}


ZOOMS = {
    "home": 1.24,
    "guestbook": 1.18,
    "fansite": 1.24,
    "portal": 1.3,
    "shop": 1.12,
    "ezine": 1.1,
    "downloads": 1.25,
    "weather": 1.08,
    "construction": 1.18,
    "band": 1.1,
    "webring": 1.2,
    "board": 1.14,
    "kids": 1.1,
}
"""How much larger a layout is shown so that it fills the page; 1 where nothing is said."""


def lay_out(page: Page, seed: int) -> str:
    """The HTML of a page; the seed chooses sentences, numbers and dates."""
    return document(
        page, LAYOUTS[page.layout](page, random.Random(seed)), ZOOMS.get(page.layout, 1.0), seed
    )
