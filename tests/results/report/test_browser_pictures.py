"""Picture grids in a real browser."""

from __future__ import annotations

import pytest
from chromium import Reader
from made_sweeps import Made
from selenium.webdriver.common.keys import Keys

pytestmark = pytest.mark.browser

CELL = ".picture-table tbody tr:nth-child({}) td:nth-of-type({}) img"


def alt(page: Reader, row: int, column: int) -> str:
    return page.attribute(CELL.format(row, column), "alt")


def heads(page: Reader) -> tuple[list[str], list[str]]:
    return page.texts(".picture-table thead th"), page.texts(".picture-table tbody th")


def test_the_grid_opens_with_the_settings_that_vary(page: Reader) -> None:
    assert heads(page) == (["prodigy", "adamw"], ["4", "16", "64"])
    assert page.text("#pictures-count") == "6 pictures"
    assert "optimizer=adamw  rank=16" in alt(page, 2, 2)
    assert alt(page, 2, 2).startswith("a photo of TOK woman, seed 0, step 120")


def test_any_two_of_settings_prompt_and_seed_are_rows_and_columns(page: Reader) -> None:
    assert page.options("Columns")[1:] == ["optimizer", "rank", "seed", "prompt", "picture seed"]
    page.choose("Columns", "rank")
    assert heads(page) == (["4", "16", "64"], ["prodigy", "adamw"]), "they change places"
    page.choose("Rows", "prompt")
    assert heads(page)[1] == ["a photo of TOK woman", "a photo of TOK woman wearing a hat"]
    assert "wearing a hat" in alt(page, 2, 1) and "rank=4" in alt(page, 2, 1)
    page.choose("Columns", "picture seed")
    assert heads(page)[0] == ["0", "1"]
    assert ", seed 1," in alt(page, 1, 2)
    page.choose("Rows", "none")
    assert page.text("#pictures-count") == "2 pictures"


def test_what_is_fixed_is_that_of_the_best_trial_and_can_be_chosen(page: Reader) -> None:
    page.choose("Rows", "prompt")
    assert "rank=16" in alt(page, 1, 1)
    page.choose("rank", "64")
    assert "rank=64" in alt(page, 1, 1)
    page.choose("seed", "2")
    assert "seed=2" in alt(page, 1, 1)
    page.choose("rank", "any, best first")
    assert "rank=16" in alt(page, 1, 1)


def test_the_pictures_are_those_of_the_trials_in_the_filter(page: Reader) -> None:
    page.fill("#trials input", "adamw rank=4")
    assert heads(page) == (["adamw"], ["4"])


def test_every_picture_is_drawn_and_the_chosen_size_is_kept(page: Reader) -> None:
    page.wait("[...document.querySelectorAll('.picture-table img')].every((i) => i.naturalWidth)")
    assert page.one(".picture-table img").size["width"] == 176
    page.choose("Size", "small")
    assert page.one(".picture-table img").size["width"] == 72


def test_a_click_shows_a_picture_large_and_arrows_go_on(page: Reader, made: Made) -> None:
    page.click(".picture-table button.picture")
    page.wait("document.querySelector('#zoom img.full').src.endsWith('.png')")
    shown = page.attribute("#zoom img.full", "src")
    assert shown.startswith(made.store.runs.as_uri()), "the file itself, once it is there"
    assert page.text("#zoom .zoom-bar [role=status]") == "1 of 6"
    page.press(Keys.ARROW_RIGHT)
    assert page.text("#zoom .zoom-bar [role=status]") == "2 of 6"
    page.press(Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    assert page.text("#zoom .zoom-bar [role=status]") == "6 of 6"
    page.click('#zoom [aria-label="Next picture"]')
    assert page.run("return document.activeElement.getAttribute('aria-label')") == "Next picture"
    assert len(page.all("#zoom .thumbs img")) == 6, "the training pictures beneath"
    page.press(Keys.ESCAPE)
    assert not page.one("#zoom").is_displayed()


def test_a_page_without_its_files_shows_the_thumbnails(
    reader: Reader, made: Made, tmp_path_factory: pytest.TempPathFactory
) -> None:
    moved = tmp_path_factory.mktemp("elsewhere") / "report.html"
    moved.write_bytes(made.page.read_bytes())
    reader.open(moved)
    reader.click(".picture-table button.picture")
    assert reader.attribute("#zoom img.full", "src").startswith("data:image/webp")
    reader.wait("document.querySelector('#zoom img.full').naturalWidth > 0")
    lost = [line for line in reader.complaints() if "ERR_FILE_NOT_FOUND" not in line]
    assert lost == []


def test_training_and_held_out_pictures_are_beside_the_grid(page: Reader) -> None:
    assert page.texts("#training h3") == ["Trained on 6", "Held out 3"]
    assert len(page.all("#training img")) == 9
    grid, beside = page.one("#pictures-grid").rect, page.one("#training").rect
    assert beside["x"] >= grid["x"] + grid["width"]
