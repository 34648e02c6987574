"""Curves, trade-offs, importance and the stage tree in a real browser."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from chromium import Reader
from made_sweeps import make_sweep

from lora_sweep.results.report import write_report

pytestmark = pytest.mark.browser


def near(page: Reader, section: str) -> None:
    """Scroll to a section and let what waits for that be drawn."""
    page.run(f"document.getElementById('{section}').scrollIntoView()")
    if section == "curves":
        page.wait("document.querySelectorAll('#curves canvas').length > 0")
        page.wait("document.querySelector('#curves canvas').width > 300")


def painted(page: Reader, panel: int) -> int:
    """How many pixels of a canvas have a colour that is neither grey nor the page's."""
    return page.run(
        """const canvas = document.querySelectorAll('#curves canvas')[arguments[0]];
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        let count = 0;
        for (let i = 0; i < data.length; i += 4) {
          const [r, g, b, a] = data.slice(i, i + 4);
          if (a > 120 && Math.max(r, g, b) - Math.min(r, g, b) > 60) count += 1;
        }
        return count;""",
        panel,
    )


def test_there_is_a_panel_for_each_kind_of_curve(page: Reader) -> None:
    near(page, "curves")
    assert page.texts("#curves figcaption b") == [
        "Loss", "val_loss", "drift", "Learning rate", "Learning rate, text side", "subject"
    ]  # fmt: skip
    for panel in range(6):
        assert painted(page, panel) > 300


def test_a_row_of_the_table_highlights_its_curves_with_the_raw_loss(page: Reader) -> None:
    near(page, "curves")
    page.click("#trials tbody button.pin")
    assert page.attribute("#trials tbody tr", "class").strip() == "lit"
    with_raw = painted(page, 0)
    near(page, "curves")
    page.click("#curves-tools .tick input")
    assert painted(page, 0) < with_raw, "the raw loss is gone"
    page.click("#unpin")
    assert page.run("return document.querySelectorAll('#trials tr.lit').length") == 0


def test_the_curve_under_the_pointer_is_told_and_kept_by_a_click(page: Reader) -> None:
    near(page, "curves")
    canvas = page.all("#curves canvas")[1]
    page.hover(canvas, canvas.size["width"] // 2 - 20, 0)
    page.wait("!document.getElementById('tip').hidden")
    told = page.text("#tip")
    assert "at step 120" in told and "optimizer=" in told and "seed=" in told
    canvas.click()
    assert page.run("return document.querySelectorAll('.pin[aria-pressed=true]').length") <= 1
    assert page.one("#unpin").is_displayed()


def test_curves_follow_filter_and_colour(page: Reader) -> None:
    near(page, "curves")
    everything = painted(page, 1)
    page.fill("#trials input", "rank=16 prodigy seed=0")
    assert 0 < painted(page, 1) < everything / 3
    assert page.options("Colour by") == ["optimizer", "rank", "seed"]
    page.choose("Colour by", "rank")
    assert page.texts("#curves .colour-legend span:not(.muted)") == ["4", "16", "64"]


def test_subject_stands_against_prompt_with_the_pareto_front(page: Reader) -> None:
    near(page, "tradeoff")
    page.wait("document.querySelectorAll('.point').length === 6")
    on_front = [
        "optimizer=prodigy rank=64", "optimizer=prodigy rank=16", "optimizer=adamw rank=16",
        "optimizer=prodigy rank=4", "optimizer=adamw rank=4",
    ]  # fmt: skip
    assert page.texts(".front-list tbody button") == on_front
    assert len(page.all(".point.on-front")) == 5
    page.choose("Up", "val_loss ↓")
    page.choose("Across", "gap ↓")
    assert page.texts(".front-list tbody button") == ["optimizer=prodigy rank=16"]
    assert "← better" in page.text("#tradeoff-body svg")


def test_a_point_highlights_its_setting_everywhere(page: Reader) -> None:
    near(page, "tradeoff")
    page.wait("document.querySelectorAll('.point').length === 6")
    page.hover(page.one(".point circle"))
    assert "subject" in page.text("#tip")
    assert page.run("return document.querySelectorAll('.lane-line.lit').length") == 1
    assert page.run("return document.querySelectorAll('#trials tbody tr.lit').length") == 1
    assert page.run("return document.querySelectorAll('.leaf.lit').length") == 3, "its seeds"


def test_parallel_coordinates_have_a_lane_for_each_setting_and_measure(page: Reader) -> None:
    near(page, "parallel-body")
    page.wait("document.querySelectorAll('.lane').length > 0")
    names = page.texts(".lanes .axis-name")
    assert names[:3] == ["optimizer", "rank", "val_loss ↓"] and len(names) == 9
    opacities = page.run(
        "return [...document.querySelectorAll('.lane-line')]"
        ".map((line) => Number(line.style.strokeOpacity))"
    )
    assert len(opacities) == 6 and opacities == sorted(opacities), "the best is drawn last"
    lowest = page.run(
        """const lanes = [...document.querySelectorAll('.lanes .lane')];
        const line = [...document.querySelectorAll('.lane-line')].at(-1);
        const at = line.getAttribute('d').split(/[ML]/).slice(1)[2].split(' ')[1];
        return Math.abs(Number(at) - Number(lanes[2].getAttribute('y1'))) < 1;"""
    )
    assert lowest, "the best val_loss is at the top of its lane, though it is the lowest"


def test_numbers_that_a_search_has_drawn_are_rounded_and_placed_by_their_logarithm(
    reader: Reader, tmp_path: Path
) -> None:
    folder, store = make_sweep(tmp_path, ranks=tuple(range(4, 9)), seeds=(0,), failed=0)
    sweep = json.loads(folder.sweep.read_text("utf-8"))
    rates = [10 ** (-5 + 2 * k / 9) for k in range(10)]  # 1e-5 to 1e-3
    for row, rate in zip(sweep["trials"], rates, strict=True):
        row["overrides"] = [f"optimizer.lr={rate}"]
    folder.sweep.write_text(json.dumps(sweep), "utf-8")
    reader.open(write_report(folder, store))
    assert "1.67e-5" in reader.text("#trials-table").replace("\N{MINUS SIGN}", "-")
    near(reader, "parallel-body")
    reader.wait("document.querySelectorAll('.lane').length > 0")
    heights = reader.run(
        """return [...document.querySelectorAll('.lane-line')]
          .map((line) => Number(line.getAttribute('d').split(' ')[1].split('L')[0]))
          .sort((a, b) => a - b);"""
    )
    steps = [after - before for before, after in pairwise(heights)]
    assert steps == pytest.approx([sum(steps) / 9] * 9, abs=0.3), "evenly apart"


def test_importance_has_a_share_for_each_setting_and_measure(page: Reader) -> None:
    near(page, "importance")
    rows = page.texts("#importance tbody th")
    assert set(rows[:2]) == {"rank", "optimizer"} and rows[2] == "seed (noise)"
    cells = page.texts("#importance tbody tr:nth-child(1) td")
    assert len(cells) == 8 and all(cell.endswith(" %") for cell in cells)
    shares = [float(page.text(f"#importance tbody tr:nth-child({k}) td")[:-2]) for k in (1, 2, 3)]
    assert sum(shares) == pytest.approx(100, abs=2)
    assert page.text("#importance th.chosen") == "val_loss"


def test_the_tree_shows_what_was_shared_and_how_many_steps_that_saved(page: Reader) -> None:
    near(page, "tree")
    page.wait("document.querySelectorAll('.tree').length === 2")
    assert "2,160 steps if every trial were trained alone, 1,200 in the tree: 44 % less" in (
        page.text("#tree-body")
    )
    assert len(page.all(".segment")) == 20 and len(page.all(".segment.text-trains")) == 2
    assert len(page.all(".leaf")) == 18
    trunk, branch = page.all(".tree .segment line")[:2]
    assert float(trunk.get_attribute("stroke-width") or 0) > float(
        branch.get_attribute("stroke-width") or 0
    )
    page.hover(trunk)
    assert page.text("#tip").splitlines() == ["steps 0 to 60", "for 9 trials; the text side trains"]


def test_drawings_keep_inside_the_window_when_it_changes(page: Reader) -> None:
    near(page, "tradeoff")
    page.window(700, 900)
    page.wait("document.querySelector('#tradeoff-body svg').getBoundingClientRect().right <= 700")
    assert page.run("return document.documentElement.scrollWidth") <= 700
