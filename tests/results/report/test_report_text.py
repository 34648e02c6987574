from __future__ import annotations

import io
import json
import re

import pytest
from made_sweeps import Made
from rich.console import Console

from lora_sweep.results.report.sources import find
from lora_sweep.results.report.text import print_text
from lora_sweep.results.trial_record import TrialRecord, TrialState


def printed(made: Made, width: int | None = None) -> str:
    buffer = io.StringIO()
    terminal = width is not None
    console = Console(file=buffer, width=width, force_terminal=terminal, color_system=None)
    print_text(find([made.folder.path]), console)
    return re.sub(r"\x1b\[1m|\x1b\[0m", "", buffer.getvalue())  # of bold


@pytest.fixture(scope="module")
def lines(made: Made) -> list[str]:
    return printed(made).splitlines()


def test_the_answer_comes_first(lines: list[str]) -> None:
    assert lines[0] == "optimizer, rank"
    assert lines[1].startswith(
        "Best by val_loss (lower is better): optimizer=prodigy rank=16: 0.15"
    )
    assert "(3 seeds)" in lines[1]
    assert lines[2].startswith("Best of all with a chance of over 99%; nearer to it than 0.01")
    assert lines[3] == "Every other setting is worse by more than noise."


def test_the_table_has_what_varies_first_then_measures_with_their_direction(
    lines: list[str],
) -> None:
    head = next(k for k, line in enumerate(lines) if line.startswith("optimizer  rank"))
    assert lines[head].split()[:4] == ["optimizer", "rank", "val_loss", "↓"]
    assert "subject ↑" in lines[head]
    best = lines[head + 1]
    assert best.split()[:2] == ["prodigy", "16"] and "★" in best
    assert len([line for line in lines[head + 1 :] if line.startswith(("prodigy", "adamw"))]) == 6


def test_a_failed_trial_has_its_reason(lines: list[str]) -> None:
    assert lines[-1] == (
        "000000000012 failed: out of memory: 80 GiB are not enough for batch_size=64"
    )
    assert any("2 done, 1 failed" in line for line in lines)


@pytest.mark.parametrize("width", [60, 100])
def test_a_narrow_terminal_gets_the_measures_it_has_room_for(made: Made, width: int) -> None:
    text = printed(made, width)
    table = [line for line in text.splitlines() if line.startswith(("optimizer  ", "prodigy"))]
    assert all("…" not in line and "val_loss" in table[0] for line in table)
    assert max(map(len, table)) <= width
    assert "No room here for" in text.replace("\n", " ")


def test_without_repeats_it_says_that_it_does_not_know_how_sure(own: Made) -> None:
    sweep = json.loads(own.folder.sweep.read_text("utf-8"))
    sweep["trials"] = sweep["trials"][::2]
    own.folder.sweep.write_text(json.dumps(sweep), "utf-8")
    assert "nothing ran with a second seed" in printed(own)


def test_numbers_that_a_search_has_drawn_are_rounded(own: Made) -> None:
    sweep = json.loads(own.folder.sweep.read_text("utf-8"))
    for row, rate in zip(sweep["trials"], (1.23456789e-4, 1e-4, 0.5, 2.0), strict=True):
        row["overrides"] = [f"optimizer.lr={rate}"]
    own.folder.sweep.write_text(json.dumps(sweep), "utf-8")
    text = printed(own)
    assert "0.0001235" in text and "123456" not in text


def test_nothing_of_a_name_or_reason_is_taken_for_markup(own: Made) -> None:
    folder = own.store.trial("000000000001")
    error = "[red]no[/red] \x1b[31m [/]"
    folder.write_record(
        TrialRecord(folder.id, TrialState.failed, "n", 1, 1.0, 0.0, {}, error=error)
    )
    text = printed(own)
    assert "[red]no[/red]" in text
    assert "\x1b" not in text


def test_a_sweep_without_any_result_says_so(own: Made) -> None:
    for trial in list(own.store.trials()):
        (trial.path / "trial.json").unlink()
    assert "0 of 4 trials are done; none has a measure yet." in printed(own)
