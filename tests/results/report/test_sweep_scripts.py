"""What scripts/ makes of a finished sweep for the pages in docs: a table and a sheet."""

from __future__ import annotations

import json
from pathlib import Path

import draw_sweep
import tabulate_sweep
from made_sweeps import Made, picture

from lora_sweep.results.report.content import verdicts_of
from lora_sweep.results.report.sources import find
from lora_sweep.results.report.text import answer_lines


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_table_is_the_reports_with_the_floors_below(made: Made) -> None:
    found = find([made.folder.path])
    head, _, *rows, floors = map(cells, tabulate_sweep.table(found))
    assert head[:3] == ["optimizer", "rank", "val_loss ↓"] and "subject ↑" in head
    assert len(rows) == len(found.groups) == 6
    assert rows[0][:2] == ["prodigy", "16"] and rows[0][2].endswith("★")
    verdict = verdicts_of(found)["val_loss"]
    assert verdict.floor is not None
    assert float(floors[2]) == round(verdict.floor, len(floors[2].partition(".")[2]))
    assert rows[0][2].removesuffix(" ★") in answer_lines(found, verdict)[0]


def test_over_steps_each_setting_has_the_means_of_its_seeds(made: Made) -> None:
    found = find([made.folder.path])
    head, _, *rows = map(cells, tabulate_sweep.table_of_steps(found, ["val_loss", "gap"]))
    steps = [int(name.partition(" ")[0]) for name in head[3:]]
    assert steps == sorted(steps) and len(steps) == 4
    assert len(rows) == 2 * len(found.groups)
    last = [found.trials[k].scores["val_loss"] for k in found.groups[0]]
    assert rows[0][2] == "val_loss"
    assert float(rows[0][-1]) == round(sum(last) / len(last), 4)


def test_a_sheet_shows_what_was_drawn_afterwards(made: Made, tmp_path: Path) -> None:
    found = find([made.folder.path])
    group = found.groups[0]
    rows: list[dict[str, str]] = []
    for place, index in enumerate(group):
        for seed in range(3):
            file = f"{place}-{seed}.png"
            (tmp_path / file).write_bytes(picture("x", (place * 40, seed * 40, 0), 8))
            rows.append({"file": file, "trial": found.trials[index].id, "prompt": "a woman"})
    (tmp_path / "pictures.json").write_text(json.dumps({"pictures": rows}))
    shown = draw_sweep.drawn_of(tmp_path, found, group, 2)
    corners = [image.getpixel((0, 0)) for image in shown]
    assert corners == [(place * 40, seed * 40, 0) for place in range(len(group)) for seed in (0, 1)]
