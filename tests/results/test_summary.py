from __future__ import annotations

import csv
import json
from pathlib import Path

from sweep_rows import NAMES, a_row

from lora_sweep.results.store import SweepFolder
from lora_sweep.results.summary import write_summary
from lora_sweep.results.trial_record import TrialState

ROWS = [
    a_row("a" * 12, 4, seconds_shared=12.25),
    a_row("b" * 12, 16, "prodigy", scores={**NAMES, "val_loss": None}),
    a_row("c" * 12, 8, state=TrialState.failed, scores={}, error='it said "no", and\nmore'),
]


def test_summary_csv_has_a_row_for_each_trial_with_what_varies_and_what_came_of_it(
    tmp_path: Path,
) -> None:
    folder = SweepFolder(tmp_path)
    write_summary(folder, [*ROWS, ROWS[0]])
    with folder.summary.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [row["id"] for row in rows] == ["a" * 12, "b" * 12, "c" * 12], "duplicates once"
    assert list(rows[0]) == [
        "id", "name", "state", "steps", "seconds", "seconds_shared", "optimizer.name", "lora.rank",
        *NAMES, "error",
    ]  # fmt: skip
    assert [row["lora.rank"] for row in rows] == ["4", "16", "8"]
    assert [row["state"] for row in rows] == ["done", "done", "failed"]
    assert {name: float(rows[0][name]) for name in NAMES} == NAMES
    assert rows[0]["seconds_shared"] == "12.2"
    assert rows[1]["val_loss"] == "" and rows[2]["val_loss"] == ""
    assert rows[2]["error"] == 'it said "no", and\nmore'


def test_sweep_json_has_the_trials_as_they_were_asked_for_with_what_is_known_of_the_sweep(
    tmp_path: Path,
) -> None:
    folder = SweepFolder(tmp_path)
    write_summary(folder, [*ROWS, ROWS[0]], {"name": "ranks"})
    content = json.loads(folder.sweep.read_text(encoding="utf-8"))
    assert content["name"] == "ranks"
    assert [trial["id"][0] for trial in content["trials"]] == ["a", "b", "c", "a"]
    assert content["trials"][1]["overrides"] == ["rank=16", "optimizer=prodigy"]
    assert content["trials"][1]["varied"] == {"optimizer.name": "prodigy", "lora.rank": 16}
