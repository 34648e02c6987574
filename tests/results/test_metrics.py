from __future__ import annotations

import json
from pathlib import Path

import pytest

from lora_sweep.errors import StoreError
from lora_sweep.results.metrics import MetricsWriter, read_metrics


def rows(*steps: int) -> list[dict[str, float]]:
    return [{"step": step, "loss": step / 4} for step in steps]


def test_each_row_is_in_the_file_as_soon_as_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "metrics.jsonl"
    with MetricsWriter(path) as writer:
        for row in rows(1, 2, 3):
            writer.write(row)
            assert read_metrics(path)[-1] == row
    assert read_metrics(path) == rows(1, 2, 3)
    assert read_metrics(tmp_path / "none.jsonl") == []


def test_resuming_drops_what_will_be_trained_again_and_a_half_written_row(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    with MetricsWriter(path) as writer:
        writer.extend([*rows(1, 2, 3), {"step": 3, "val_loss": 0.5}, *rows(4, 5)])
    with path.open("a") as file:
        file.write('{"step": 6, "lo')
    assert [row["step"] for row in read_metrics(path)] == [1, 2, 3, 3, 4, 5]
    with MetricsWriter(path, resume_step=3) as writer:
        assert writer.kept == [*rows(1, 2, 3), {"step": 3, "val_loss": 0.5}]
        writer.write(rows(4)[0])
    assert read_metrics(path) == [*rows(1, 2, 3), {"step": 3, "val_loss": 0.5}, *rows(4)]


def test_a_start_from_nothing_keeps_no_old_rows(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    with MetricsWriter(path) as writer:
        writer.extend(rows(1, 2))
    with MetricsWriter(path) as writer:
        assert writer.kept == []
    assert path.read_bytes() == b""


def test_resuming_gives_the_same_bytes_as_never_having_stopped(tmp_path: Path) -> None:
    values = [{"step": i, "loss": 0.1 * i, "lr": 1e-4 / 3, "text": "ü"} for i in range(1, 9)]
    with MetricsWriter(tmp_path / "whole") as writer:
        writer.extend(values)
    with MetricsWriter(tmp_path / "parts") as writer:
        writer.extend(values[:6])
    with MetricsWriter(tmp_path / "parts", resume_step=4) as writer:
        writer.extend(values[4:])
    assert (tmp_path / "parts").read_bytes() == (tmp_path / "whole").read_bytes()


def test_nan_and_infinity_are_null_in_valid_json(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    with MetricsWriter(path) as writer:
        writer.write({"step": 1, "loss": float("nan"), "grad_norm": float("inf")})

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    values = json.loads(path.read_text(), parse_constant=refuse)
    assert values == {"step": 1, "loss": None, "grad_norm": None}


@pytest.mark.parametrize("line", ["{", "[1]", '{"loss": 1}', '{"step": "1"}', '{"step": true}', ""])
def test_damage_in_the_middle_is_named_by_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(f'{{"step": 1}}\n{line}\n{{"step": 3}}\n')
    with pytest.raises(StoreError, match=r"metrics\.jsonl is damaged: line 2"):
        read_metrics(path)


def test_a_row_without_a_step_is_refused(tmp_path: Path) -> None:
    with MetricsWriter(tmp_path / "m") as writer, pytest.raises(ValueError, match="integer step"):
        writer.write({"loss": 1.0})
