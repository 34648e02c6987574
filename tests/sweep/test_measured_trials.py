"""Measures of whole trials: they change nothing, are made once, and can be asked for later."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from runs import STEPS, count_steps, record_of, rows_of, small, weights_of

from lora_sweep.config.settings import (
    AdamW,
    Embedder,
    Evaluate,
    Lora,
    Optimizer,
    Prodigy,
    Results,
    Settings,
)
from lora_sweep.errors import SettingsError
from lora_sweep.model import sample
from lora_sweep.nano import WEIGHTS
from lora_sweep.results.measures import MEASURES
from lora_sweep.results.store import Store, TrialFolder
from lora_sweep.results.trial_record import read_record
from lora_sweep.sweep.lookup import is_settled
from lora_sweep.sweep.request import resolve_request
from lora_sweep.sweep.run import run_requests, run_trial

Roots = Callable[[str], Path]
ALL = Evaluate(
    prompts=("a photo of TOK woman", "TOK on the beach"),
    images_per_prompt=2,
    sample_steps=1,
    loss_timesteps=1,
)
NOTHING = Evaluate(loss_timesteps=0)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by the number of pictures that each call draws."""
    real, counts = sample.draw_pictures, []

    def counted(base: Any, requests: Any, sampler: Any) -> Any:
        counts.append(len(requests))
        return real(base, requests, sampler)

    monkeypatch.setattr(sample, "draw_pictures", counted)
    return counts


@pytest.mark.usefixtures("one_base")
@pytest.mark.parametrize(
    ("te_mode", "optimizer"),
    [("pivotal", Prodigy(d0=1e-3)), ("lora", AdamW(lr=1e-2)), ("full", AdamW(lr=1e-2))],
    ids=["pivotal", "lora", "full"],
)
def test_all_measures_after_every_step_change_no_byte_of_training(
    te_mode: str, optimizer: Optimizer, new_root: Roots
) -> None:
    folders = [
        run_trial(
            small(
                new_root(name),
                te_mode,
                optimizer=optimizer,
                lora=Lora(rank=2, dropout=0.5),
                evaluate=evaluate,
            )
        ).folder
        for name, evaluate in (("every", replace(ALL, every=1)), ("off", NOTHING))
    ]
    assert weights_of(folders[0]) == weights_of(folders[1])
    measured = [row for row in rows_of(folders[0]) if "loss" not in row]
    assert [row["step"] for row in measured] == list(range(1, STEPS + 1))
    assert all(set(row) == {"step", *MEASURES} for row in measured)
    assert [row for row in rows_of(folders[0]) if "loss" in row] == rows_of(folders[1])
    assert record_of(folders[1])["scores"] == {}


@pytest.mark.usefixtures("one_base")
def test_trials_are_measured_alike_in_a_tree_and_alone_and_shared_steps_once(
    new_root: Roots, drawn: list[int]
) -> None:
    tree = new_root("tree")

    def trials(root: Path) -> list[Settings]:
        every = replace(ALL, every=2)
        lengths = [{"max_train_steps": steps, "checkpoint_every": 0} for steps in (4, 6)]
        return [small(root, "frozen", evaluate=every, train=train) for train in lengths]

    together = run_requests([resolve_request(each) for each in trials(tree)], Store(tree))
    assert sum(drawn) == 4 * 3, "steps 2, 4 and 6, of which two are of both trials"
    for shared, settings in zip(together, trials(tree), strict=True):
        alone = Results(dir=str(new_root(f"alone {settings.train.max_train_steps}")))
        own = run_trial(replace(settings, results=alone))
        assert shared.record.scores == own.record.scores
        assert rows_of(shared.folder) == rows_of(own.folder)
        for path in (own.folder / "samples").iterdir():
            assert (shared.folder / "samples" / path.name).read_bytes() == path.read_bytes()


@pytest.mark.usefixtures("one_base")
def test_a_trial_that_goes_on_from_anothers_state_has_its_pictures_and_measures_too(
    new_root: Roots,
) -> None:
    root, other = new_root("longer"), new_root("alone")
    every = replace(ALL, every=2)
    for steps in (4, 6):
        longer = run_trial(small(root, "frozen", evaluate=every, train={"max_train_steps": steps}))
    own = run_trial(small(other, "frozen", evaluate=every))
    assert rows_of(longer.folder) == rows_of(own.folder)
    names = sorted(path.name for path in (own.folder / "samples").iterdir())
    assert len(names) == 4 * 3 + 1
    for name in names:
        found = (longer.folder / "samples" / name).read_bytes()
        assert found == (own.folder / "samples" / name).read_bytes()


@pytest.mark.usefixtures("one_base")
def test_a_done_trial_asked_for_with_another_embedder_is_measured_and_not_drawn_or_trained(
    root: Path, drawn: list[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = run_trial(small(root, evaluate=ALL))
    before = weights_of(first.folder)
    assert sum(drawn) == 4
    other = tmp_path / "clip"
    shutil.copytree(WEIGHTS / "clip", other)
    processor = other / "preprocessor_config.json"
    processor.write_text(processor.read_text().replace("0.48145466", "0.1"))
    trained = count_steps(monkeypatch)
    again = run_trial(small(root, evaluate=replace(ALL, clip=str(other))))
    assert not trained and sum(drawn) == 4 and weights_of(first.folder) == before
    had, found = first.record.scores, again.record.scores
    assert found["subject"] != had["subject"] and found["val_loss"] == had["val_loss"]
    rows = [row for row in rows_of(first.folder) if "loss" not in row]
    assert rows[-1] == {"step": STEPS, **found} and len(rows) == 2
    stamp = (first.folder / "trial.json").stat().st_mtime_ns
    run_trial(small(root, evaluate=replace(ALL, clip=str(other))))
    assert (first.folder / "trial.json").stat().st_mtime_ns == stamp


@pytest.mark.usefixtures("one_base")
def test_only_what_is_asked_for_and_missing_opens_a_done_trial_again(root: Path) -> None:
    folder = TrialFolder(run_trial(small(root, evaluate=ALL)).folder)
    record = read_record(folder.record)

    def settled(**changes: Any) -> bool:
        return is_settled(folder, record, small(root, evaluate=replace(ALL, **changes)))

    assert settled() and settled(every=3, batch_size=1)
    assert settled(embedder=Embedder.none) and settled(embedder=Embedder.none, clip="x")
    assert settled(prompts=()) and settled(loss_timesteps=0) and settled(dinov2="x")
    assert settled(prompts=(), loss_timesteps=0, embedder=Embedder.clip)
    assert not settled(embedder=Embedder.clip) and not settled(clip="x")
    assert not settled(prompts=("a TOK",)) and not settled(images_per_prompt=3)
    assert not settled(loss_timesteps=2) and not settled(seed=1) and not settled(sample_steps=2)


@pytest.mark.usefixtures("one_base")
def test_a_trial_of_before_there_were_embedders_is_measured_when_asked_for(root: Path) -> None:
    folder = TrialFolder(run_trial(small(root, evaluate=ALL)).folder)
    text = folder.config.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("  embedder:")]
    folder.config.write_text("\n".join(lines) + "\n")
    record = read_record(folder.record)
    assert not is_settled(folder, record, small(root, evaluate=ALL))
    assert is_settled(folder, record, small(root, evaluate=replace(ALL, prompts=())))


@pytest.mark.usefixtures("one_base")
def test_an_embedder_that_cannot_be_had_is_refused_before_anything_is_written(root: Path) -> None:
    asked = replace(ALL, embedder=Embedder.dinov2, dinov2="/nowhere")
    with pytest.raises(SettingsError, match=r"evaluate\.dinov2=/nowhere: there is no such folder"):
        run_trial(small(root, evaluate=asked))
    assert not (root / "runs").exists()
