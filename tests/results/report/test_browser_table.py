"""The answer and the table in a real browser."""

from __future__ import annotations

import pytest
from chromium import Reader
from made_sweeps import Made, make_sweep
from selenium.webdriver.common.keys import Keys

from lora_sweep.results.report import write_report

pytestmark = pytest.mark.browser

MINUS, DASH = "\N{MINUS SIGN}", "\N{EN DASH}"
ROWS = "#trials-table tbody tr"


def column(page: Reader, key: str) -> list[str]:
    """The cells of a column, by the key of its head."""
    return page.run(
        """const heads = [...document.querySelectorAll('#trials thead th')];
        const at = heads.findIndex((head) => head.dataset.key === arguments[0]);
        return [...document.querySelectorAll('#trials tbody tr')]
          .map((row) => row.cells[at]?.innerText.trim());""",
        key,
    )


def numbers(cells: list[str]) -> list[float]:
    return [
        float(cell.split()[0].replace(MINUS, "-")) for cell in cells if cell[:1] not in ("", DASH)
    ]


def test_the_answer_is_the_best_setting_with_how_sure_that_is(page: Reader) -> None:
    assert page.texts(".use .chip") == ["optimizer prodigy", "rank 16"]
    assert page.text(".badge") == "Clear winner"
    facts = page.text(".answer .facts")
    assert "0.15" in facts and "over 99 %" in facts and "noise floor" in facts
    assert page.texts(".place-name")[0] == "optimizer=prodigy rank=16"
    assert "Worse by" in page.text(".others") and "best: prodigy 64" in page.text(".others")
    assert "rank=16" in page.text(".after-answer code")
    assert page.attribute(".after-answer a", "href").endswith("/runs/000000000006")


def test_judging_by_another_measure_changes_answer_and_order(page: Reader) -> None:
    page.choose("Judge by", "subject ↑")
    assert page.texts(".use .chip") == ["optimizer prodigy", "rank 64"]
    assert page.attribute("#trials th[aria-sort]", "data-key") == "subject"
    found = numbers(column(page, "subject"))
    assert found == sorted(found, reverse=True)
    page.click(".others button.link")
    assert page.texts(".use .chip") != ["optimizer prodigy", "rank 64"]


def test_what_varies_comes_first_then_measures_with_their_direction(page: Reader) -> None:
    heads = page.texts("#trials thead th")
    assert heads[1:4] == ["optimizer", "rank", "seed"]
    assert heads[4].startswith("val_loss ↓")
    assert "subject ↑" in heads and "fit_loss" in heads
    best = page.one(f"{ROWS}:first-child .score.best")
    assert "★" in best.text and "±" in best.text
    assert "noise floor" in page.text("#trials tfoot")


def test_a_click_on_a_head_sorts_and_another_turns_the_order(page: Reader) -> None:
    for key, reverse in (("drift", False), ("prompt", True)):
        head = f'#trials th[data-key="{key}"] button'
        page.click(head)
        found = numbers(column(page, key))
        assert len(found) == 6 and found == sorted(found, reverse=reverse), "the best on top"
        page.click(head)
        assert numbers(column(page, key)) == found[::-1]
    page.click('#trials th[data-key="rank"] button')
    assert column(page, "rank") == ["4", "4", "16", "16", "64", "64"]


def test_the_filter_keeps_rows_that_have_every_word(page: Reader) -> None:
    page.fill("#trials input", "rank=4")
    assert column(page, "rank") == ["4", "4"], "rank=4 is not rank=64"
    assert page.text("#trials-count") == "6 of 18 trials"
    page.fill("#trials input", "adamw rank=16 seed=2")
    assert page.text("#trials-count") == "1 of 18 trials"
    page.fill("#trials input", "memory")
    assert page.text("#trials-count") == "1 of 18 trials", "reasons are searched, too"
    page.fill("#trials input", "nonsense")
    assert page.text(ROWS) == "No trial passes the filter."
    page.fill("#trials input", "")
    page.choose("State", "failed")
    assert len(page.all(ROWS)) == 1


def test_failed_trials_are_told_with_the_reason(page: Reader) -> None:
    assert "out of memory: 80 GiB are not enough" in page.text("#trials .failures")
    assert "2 done" in page.text(f"{ROWS}:last-child") and "1 failed" in page.text(
        f"{ROWS}:last-child"
    )
    page.click("#trials .tick input")
    failed = page.one("#trials tr.not-done")
    assert "out of memory" in failed.text
    assert len(page.all(ROWS)) == 18


def test_repeats_open_and_close(page: Reader) -> None:
    page.click("#trials button.expand")
    assert len(page.all(ROWS)) == 9
    assert page.texts("#trials tr.member td:nth-child(4)") == ["0", "1", "2"]
    assert page.attribute("#trials button.expand", "aria-expanded") == "true"
    page.click("#trials button.expand")
    assert len(page.all(ROWS)) == 6


def test_the_keyboard_sorts_opens_and_walks_through_the_rows(page: Reader) -> None:
    page.run("document.querySelector('#trials th[data-key=rank] button').focus()")
    page.press(Keys.ENTER)
    assert page.run("return document.activeElement.closest('th').dataset.key") == "rank"
    page.run("document.querySelector('#trials button.pin').focus()")
    page.press(Keys.ARROW_DOWN, Keys.ARROW_DOWN)
    assert page.run("return document.activeElement.closest('tr').rowIndex") == 3
    page.press(Keys.ENTER)
    assert page.run("return document.activeElement.getAttribute('aria-pressed')") == "true"
    page.press(Keys.TAB, Keys.ENTER)
    assert len(page.all(ROWS)) == 9
    assert page.run("return document.activeElement.className") == "expand"


def test_a_trial_opens_with_its_command_and_how_to_use_its_files(page: Reader) -> None:
    page.click(f"{ROWS}:first-child td:last-child button")
    details = page.text("#details")
    assert "rank=16" in details and "python -m lora_sweep optimizer=prodigy" in details
    assert "ComfyUI: put lora.safetensors into models/loras" in details
    assert "folder = " in details, "the code of the card"
    page.click("#details summary")
    assert "lora.rank 16" in page.texts("#details .settings .varied")
    page.press(Keys.ESCAPE)
    assert not page.one("#details").is_displayed()


def test_the_command_is_copied(page: Reader) -> None:
    button = page.one(".after-answer .copy")
    button.click()
    page.wait("document.querySelector('.after-answer .copy').textContent !== 'Copy'")
    assert button.text in ("Copied", "Selected")


def test_a_sweep_with_one_seed_says_that_it_does_not_know(
    reader: Reader, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder, store = make_sweep(tmp_path_factory.mktemp("single"), seeds=(0,), failed=0)
    reader.open(write_report(folder, store))
    assert reader.text(".badge") == "Not known how sure"
    assert "Add seed=0,1,2 to the command" in reader.text(".sure")
    assert not reader.all("#trials button.expand") and not reader.all("#trials tfoot")


def test_a_sweep_still_running_or_without_any_result_says_so(reader: Reader, own: Made) -> None:
    (own.store.trial("000000000003").path / "trial.json").unlink()
    reader.open(write_report(own.folder, own.store))
    assert "The answer so far: 1 waiting." in reader.text("#answer-body")
    for trial in list(own.store.trials()):
        (trial.path / "trial.json").unlink()
    reader.open(write_report(own.folder, own.store))
    assert "No trial is done yet (4 waiting)." in reader.text("#answer-body")
    assert not reader.all(".note.bad"), "no part of the page has failed"
