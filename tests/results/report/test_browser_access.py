"""Contrast, alt texts, names of controls, keyboard, narrow windows."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from chromium import NARROW, WIDE, Reader
from made_sweeps import Made
from selenium.webdriver.common.keys import Keys

pytestmark = pytest.mark.browser

CONTRAST = (Path(__file__).parent / "contrast.js").read_text("utf-8")
SERIES = """const of = (name) => getComputedStyle(document.documentElement).getPropertyValue(name);
return [of('--page').trim(), Array.from({ length: 8 }, (_, k) => of(`--series-${k}`).trim())];"""


def luminance(colour: str) -> float:
    shares = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def everything_drawn(page: Reader) -> None:
    page.draw_all()
    page.run("for (const part of document.querySelectorAll('details')) part.open = true")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_all_text_has_the_contrast_that_wcag_aa_asks_for(page: Reader, dark: bool) -> None:
    page.window(*WIDE, dark=dark)
    everything_drawn(page)
    for opened in (None, "#trials td:last-child button", ".picture-table button.picture"):
        if opened:
            page.click(opened)
        found = page.run(CONTRAST)
        assert found["checked"] > 150
        assert found["found"] == []
        page.run("for (const dialog of document.querySelectorAll('dialog')) dialog.close()")
    page.click("#trials button.pin")
    assert page.run(CONTRAST)["found"] == [], "highlighted rows"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_lines_and_points_stand_out_from_the_page(page: Reader, dark: bool) -> None:
    page.window(*WIDE, dark=dark)
    ground, colours = page.run(SERIES)
    assert len(set(colours)) == 8
    for colour in colours:
        low, high = sorted((luminance(ground), luminance(colour)))
        assert (high + 0.05) / (low + 0.05) >= 3, colour  # WCAG 2.2, 1.4.11


def test_every_picture_and_drawing_has_a_text_and_every_control_a_name(page: Reader) -> None:
    everything_drawn(page)
    page.click(".picture-table button.picture")
    nameless = page.run(
        """const name = (node) => node.getAttribute('aria-label') || node.innerText?.trim()
          || node.querySelector('img')?.alt || node.labels?.[0]?.innerText.trim();
        return [
          [...document.images].filter((image) => !image.alt.trim()),
          [...document.querySelectorAll('button, a, select, input, summary')]
            .filter((node) => node.checkVisibility() && !name(node)),
          [...document.querySelectorAll('svg, canvas')]
            .filter((node) => node.getAttribute('role') !== 'img' || !node.ariaLabel),
          [...document.querySelectorAll('table')].filter((table) => table.checkVisibility()
            && table.tHead && ![...table.tHead.querySelectorAll('th')].every((th) => th.scope)),
          [...document.querySelectorAll('section, dialog, nav, aside')]
            .filter((node) => !node.ariaLabel && !node.hasAttribute('aria-labelledby')),
        ].map((list) => list.map((node) => node.outerHTML.slice(0, 120)));"""
    )
    assert nameless == [[], [], [], [], []]


def test_ids_are_unique_and_headings_go_down_step_by_step(page: Reader) -> None:
    ids = page.run("return [...document.querySelectorAll('[id]')].map((node) => node.id)")
    assert len(ids) == len(set(ids))
    levels = page.run(
        "return [...document.querySelectorAll('h1, h2, h3')].filter((h) => h.checkVisibility())"
        ".map((heading) => Number(heading.tagName[1]))"
    )
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_the_keyboard_reaches_everything_in_order(page: Reader) -> None:
    page.run("document.body.focus()")
    page.press(Keys.TAB)
    assert page.run("return document.activeElement.className") == "skip"
    reached: list[str] = []
    for _ in range(60):
        page.press(Keys.TAB)
        reached.append(page.run("return document.activeElement.closest('[id]').id"))
    order = list(dict.fromkeys(reached))
    wanted = ["nav", "measure", "answer-body", "trials-tools", "trials-table"]
    assert [name for name in order if name in wanted] == wanted


def test_the_focus_comes_back_when_a_dialog_closes(page: Reader) -> None:
    page.run("document.querySelector('#trials td:last-child button').focus()")
    page.press(Keys.ENTER)
    assert page.one("#details").is_displayed()
    page.press(Keys.ESCAPE)
    assert page.run("return document.activeElement.innerText") == "settings"


@pytest.mark.parametrize("size", [NARROW, (320, 640), (768, 1024)], ids=str)
def test_a_narrow_window_scrolls_in_one_direction_alone(
    page: Reader, size: tuple[int, int]
) -> None:
    page.window(*size)
    everything_drawn(page)
    assert page.run("return document.documentElement.scrollWidth") <= size[0]
    sticking_out = page.run(
        """return [...document.querySelectorAll('main *')].filter((node) => (
          !node.closest('.scroller, .hidden-text, .thumbs, #nav')
          && node.checkVisibility() && node.getBoundingClientRect().right > innerWidth + 1
        )).map((node) => node.outerHTML.slice(0, 100));"""
    )
    assert sticking_out == []


def test_a_narrow_window_shows_the_answer_and_the_best_value_without_scrolling_aside(
    page: Reader,
) -> None:
    page.window(*NARROW)
    assert page.one(".badge").rect["y"] < NARROW[1]
    best = page.one("#trials .score.best").rect
    assert best["x"] + 50 < NARROW[0]


def test_text_at_twice_the_size_loses_nothing(page: Reader) -> None:
    page.run("document.documentElement.style.fontSize = '200%'")
    everything_drawn(page)
    assert page.run("return document.documentElement.scrollWidth") <= WIDE[0]


def test_the_colours_of_drawings_follow_the_scheme(page: Reader, made: Made) -> None:
    swatch = "return getComputedStyle(document.querySelector('#trials .swatch')).backgroundColor"
    light = page.run(swatch)
    page.window(*WIDE, dark=True)
    page.wait(f"(() => {{ {swatch} }})() !== '{light}'")
