"""Small signs of the topics that web pages are about."""

from __future__ import annotations

from .palette import RGB
from .svg import ellipse, group, line, path, rect, star_path


def draw_icon(topic: str, c: RGB, back: RGB) -> str:
    """A small sign of a topic, about 20 units wide around the origin."""
    if topic == "cats":
        eyes = ellipse(-3.5, 0, 1.4, 2, back) + ellipse(3.5, 0, 1.4, 2, back)
        return ellipse(0, 1, 9, 8, c) + path("M-9 0L-9 -10L-2 -6ZM9 0L9 -10L2 -6Z", c) + eyes
    if topic == "food":
        return (
            ellipse(0, 0, 9, 9, c)
            + ellipse(0, 0, 5.5, 5.5, back)
            + ellipse(1, 0, 3, 3, (226, 90, 50))
        )
    if topic == "travel":
        return path("M-10 8L-3 -6L2 2L5 -3L10 8Z", c) + ellipse(6, -7, 2.5, 2.5, (255, 214, 70))
    if topic == "music":
        return ellipse(-5, 6, 3.6, 3, c) + ellipse(6, 4, 3.6, 3, c) + line("M-2 6V-7L9 -9V4", c, 2)
    if topic == "sports":
        return ellipse(0, 0, 9, 9, c) + line(
            "M-9 0H9M0 -9V9M-6 -7Q0 0 -6 7M6 -7Q0 0 6 7", back, 1.2
        )
    if topic == "games":
        pad = rect(-10, -5, 20, 11, c, 5)
        return (
            pad
            + line("M-8 0.5H-3M-5.5 -2V3", back, 1.6)
            + ellipse(4, 2, 1.4, 1.4, back)
            + ellipse(7, -1, 1.4, 1.4, back)
        )
    if topic == "space":
        return (
            ellipse(0, 0, 6, 6, (250, 170, 80))
            + ellipse(0, 0, 11, 3, "none", c, 1.6)
            + group(path(star_path(3), c), 8, -8)
        )
    if topic == "plants":
        return line("M0 10V-4", (60, 140, 60), 2) + path(
            "M0 2Q-10 2 -9 -7Q0 -6 0 2ZM0 -1Q9 -2 9 -10Q0 -10 0 -1Z", (70, 170, 80), c, 0.8
        )
    if topic == "cars":
        wheels = ellipse(-5, 5, 2.6, 2.6, (30, 30, 34)) + ellipse(5, 5, 2.6, 2.6, (30, 30, 34))
        return path("M-11 5V0L-6 -1L-3 -6H4L7 -1L11 0V5Z", c) + wheels
    return (
        rect(-8, -9, 16, 18, c, 1)
        + rect(-6, -6, 12, 3, back)
        + line("M-6 0H6M-6 3H6M-6 6H2", back, 1.2)
    )
