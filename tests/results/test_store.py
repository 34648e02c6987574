from __future__ import annotations

from pathlib import Path

import pytest

from lora_sweep.errors import StoreError
from lora_sweep.results.store import Store
from lora_sweep.results.trial_record import TrialRecord


def test_the_layout_on_disk_is_the_published_one(tmp_path: Path) -> None:
    store = Store(tmp_path)
    trial = store.trial("0123456789ab")
    paths = [
        trial.config, trial.record, trial.metrics, trial.checkpoint(500),
        trial.diffusers_weights, trial.kohya_weights("lora"), trial.embeddings("lora"),
        trial.samples, trial.samples_index, trial.card,
    ]  # fmt: skip
    assert [path.relative_to(tmp_path / "runs" / "0123456789ab").as_posix() for path in paths] == [
        "config.yaml", "trial.json", "metrics.jsonl", "checkpoints/step-000500",
        "pytorch_lora_weights.safetensors", "lora.safetensors", "lora_emb.safetensors",
        "samples", "samples/samples.json", "README.md",
    ]  # fmt: skip
    sweep = store.sweep(store.multirun / "day" / "time")
    assert [path.name for path in (sweep.sweep, sweep.summary, sweep.report)] == [
        "sweep.json", "summary.csv", "report.html",
    ]  # fmt: skip
    assert store.cache == tmp_path / "cache"
    assert list(tmp_path.iterdir()) == [], "asking for a path creates nothing"


@pytest.mark.parametrize("trial_id", ["", "..", "a/b", "a.b", "-x", "ä", "x" * 65])
def test_an_id_that_is_not_one_is_refused(tmp_path: Path, trial_id: str) -> None:
    with pytest.raises(StoreError, match="is not a trial id"):
        Store(tmp_path).trial(trial_id)


@pytest.mark.parametrize("name", ["pytorch_lora_weights", "Text_Encoder", "a_emb", "../a", "a/b"])
def test_a_name_that_would_overwrite_another_file_is_refused(tmp_path: Path, name: str) -> None:
    trial = Store(tmp_path).trial("abc")
    with pytest.raises(StoreError, match=r"results\.name="):
        trial.kohya_weights(name)
    with pytest.raises(StoreError, match=r"results\.name="):
        trial.embeddings(name)


def test_all_trials_with_a_record_are_listed_by_id(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert list(store.trials()) == []
    for trial_id in ("b", "a"):
        store.trial(trial_id).write_record(TrialRecord(trial_id))
    store.trial("no-record").create()
    (store.runs / ".tmp-1").mkdir()
    assert [trial.id for trial in store.trials()] == ["a", "b"]


def test_leftovers_of_a_killed_process_are_removed_and_nothing_else(tmp_path: Path) -> None:
    trial = Store(tmp_path).trial("a").create()
    trial.write_record(TrialRecord("a"))
    (trial.path / ".tmp-1-abcd.safetensors").write_bytes(b"half")
    trial.remove_leftovers()
    assert [path.name for path in trial.path.iterdir()] == ["trial.json"]
