"""What trials, sweeps and processes share: the base, pictures, texts; each made once."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from runs import child, rows_of, small, weights_of

from lora_sweep.config.settings import Evaluate, Lora, Settings
from lora_sweep.data import cache
from lora_sweep.data.cache import Cache
from lora_sweep.model.base import Base
from lora_sweep.results.store import Store
from lora_sweep.sweep import trainer
from lora_sweep.sweep.request import resolve_request
from lora_sweep.sweep.run import run_requests, run_trial

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


def sweep(root: Path, trials: Sequence[Settings]) -> list[Path]:
    """Folders of trials that are trained as one job."""
    results = run_requests([resolve_request(trial) for trial in trials], Store(root))
    assert not any(result.failed for result in results)
    return [result.folder for result in results]


def lasting(settings: Settings, *steps: int) -> list[Settings]:
    return [replace(settings, train=replace(settings.train, max_train_steps=n)) for n in steps]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The kinds of what is made because the cache has not got it, one word for each."""
    real, kinds = Cache.get_or_make, list[str]()

    def counted(self: Cache, kind: str, key: Any, make: Callable[[], Any]) -> Any:
        def make_and_count() -> Any:
            kinds.append(kind)
            return make()

        return real(self, kind, key, make_and_count)

    monkeypatch.setattr(cache.Cache, "get_or_make", counted)
    return kinds


@pytest.fixture
def encoded(loaded_base: Base) -> Any:
    """Grows by one for each call of the first text encoder."""
    calls: list[None] = []
    hook = loaded_base.text_encoder.register_forward_hook(lambda *arguments: calls.append(None))
    yield calls
    hook.remove()


def test_the_base_is_loaded_once_for_all_families_of_a_process(
    root: Path, loaded_base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[None] = []

    def load(*arguments: Any) -> Base:
        loads.append(None)
        return loaded_base

    monkeypatch.setattr(trainer, "load_base", load)
    short = {"max_train_steps": 1, "batch_size": 1}
    sweep(root, [small(root, mode, train=short) for mode in ("frozen", "lora", "full", "pivotal")])
    assert len(loads) == 1


@pytest.mark.usefixtures("one_base")
def test_pictures_and_texts_are_made_by_the_first_sweep_alone(
    tmp_path: Path, made: list[str]
) -> None:
    def trials(*ranks: int) -> list[Settings]:
        settings = small(
            tmp_path, "frozen", train={"max_train_steps": 2}, evaluate=Evaluate(loss_timesteps=1)
        )
        return [replace(settings, lora=Lora(rank=rank)) for rank in ranks]

    sweep(tmp_path, trials(2))
    assert made.count("latents") == 6 + 3, "trained on, of which some are measured; held out"
    assert made.count("text") == 6
    made.clear()
    sweep(tmp_path, trials(2, 3, 4))
    assert made == []


@pytest.mark.usefixtures("one_base")
def test_after_the_pivot_each_caption_is_encoded_once_for_a_fork_and_never_again(
    root: Path, encoded: list[None]
) -> None:
    settings = small(root, "pivotal", train={"batch_size": 1, "checkpoint_every": 1})
    sweep(root, lasting(settings, 2, 4, 6))
    # Before the last pivot one caption a step; at each of the three pivots, six captions.
    assert len(encoded) == 3 + 3 * 6
    del encoded[:]
    sweep(root, lasting(settings, 7, 8))
    # Both have their pivot at 4: one set of captions, after the four steps before it.
    assert len(encoded) == 4 + 6
    del encoded[:]
    folder = sweep(root, lasting(settings, 6))[0]
    (folder / "lora_emb.safetensors").unlink()
    sweep(root, lasting(settings, 6))
    assert encoded == [], "a trial that goes on after its pivot finds its texts"


def test_processes_at_once_on_one_empty_cache_all_train_as_alone(
    tmp_path: Path, loaded_base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer, "load_base", lambda *arguments: loaded_base)
    shared = tmp_path / "cache"
    shared.mkdir()
    roots = [tmp_path / str(number) for number in range(4)]
    for root in roots[:3]:
        root.mkdir()
        (root / "cache").symlink_to(shared)

    def work(root: Path) -> Callable[[], object]:
        evaluate = Evaluate(loss_timesteps=1)
        return lambda: run_trial(small(root, "frozen", evaluate=evaluate)).folder

    logs = [tmp_path / f"log {number}" for number in range(3)]
    with (
        child(work(roots[0]), logs[0]) as first,
        child(work(roots[1]), logs[1]) as second,
        child(work(roots[2]), logs[2]) as third,
    ):
        for pid in (first, second, third):
            assert os.waitpid(pid, 0)[1] == 0, [log.read_text() for log in logs]
    work(roots[3])()  # with a cache of its own
    outcomes = [
        (weights_of(folder), rows_of(folder)) for root in roots for folder in root.glob("runs/*")
    ]
    assert len(outcomes) == 4 and all(outcome == outcomes[0] for outcome in outcomes)
    files = [path for path in shared.rglob("*") if path.is_file()]
    assert not [path for path in files if path.name.startswith(".tmp-")]
    alone = [path for path in (roots[3] / "cache").rglob("*.safetensors")]
    assert {path.relative_to(roots[3] / "cache") for path in alone} == {
        path.relative_to(shared) for path in files if path.suffix == ".safetensors"
    }


@pytest.mark.usefixtures("one_base")
def test_a_damaged_entry_of_the_cache_is_said_and_made_again_and_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    evaluate = Evaluate(loss_timesteps=1)
    settings = small(tmp_path, "frozen", evaluate=evaluate, train={"max_train_steps": 2})
    first = sweep(tmp_path, [settings])[0]
    expected = weights_of(first), rows_of(first)
    os.rename(tmp_path / "runs", tmp_path / "before")
    for kind in ("latents", "text"):
        entry = next((tmp_path / "cache" / kind).rglob("*.safetensors"))
        data = bytearray(entry.read_bytes())
        data[-3] ^= 1
        entry.write_bytes(data)
    with caplog.at_level("WARNING"):
        again = sweep(tmp_path, [settings])[0]
    assert (weights_of(again), rows_of(again)) == expected
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2 and all("is damaged" in line and "made again" in line for line in said)
