"""One entry to the whole world: a seed to a scene."""

from __future__ import annotations

import random

from lora_sweep.errors import SettingsError

from .emoji import draw_emoji, is_heldout
from .pages import draw_page
from .portraits import draw_portrait
from .shapes import draw_shapes
from .svg import Scene

KINDS: tuple[str, ...] = ("emoji", "shape", "portrait", "page")
_SHARES = (45, 15, 22, 18)


def draw_scene(seed: int, kind: str | None = None) -> Scene:
    """Draw the scene of a seed, of any kind in fixed shares or of the given kind.

    Held-out emoji combinations are never drawn.

    Raises:
        SettingsError: kind is not one of KINDS.
    """
    if kind is not None and kind not in KINDS:
        raise SettingsError([f"kind is {kind!r}; allowed are {', '.join(KINDS)}"])
    rng = random.Random(seed)
    chosen = kind or rng.choices(KINDS, _SHARES)[0]
    if chosen == "shape":
        return draw_shapes(rng)
    if chosen == "portrait":
        return draw_portrait(rng)
    if chosen == "page":
        return draw_page(rng)
    scene = draw_emoji(rng)
    while is_heldout(scene.attributes):
        scene = draw_emoji(rng)
    return scene
