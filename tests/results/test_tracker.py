from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lora_sweep.config.settings import Tracker as TrackerSettings
from lora_sweep.config.settings import Wandb
from lora_sweep.results.names import TrialName
from lora_sweep.results.tracker import NoTracker, build_tracker, is_sent, plan_run
from lora_sweep.results.wandb_files import RunPlan
from lora_sweep.results.wandb_run import Picture


def plan(settings: TrackerSettings, **more: Any) -> RunPlan:
    given: dict[str, Any] = {"config": {}, "folder": Path("results/wandb"), "name": "huggy"}
    return plan_run(settings, "0123456789ab", **given | more)


def test_no_tracker_takes_everything_and_writes_nothing(tmp_path: Path) -> None:
    settings = TrackerSettings()
    of = plan(settings, folder=tmp_path / "wandb")
    tracker = build_tracker(settings, of, [{"step": 1, "loss": 1.0}])
    tracker.log(1, {"loss": 1.0})
    tracker.pictures(1, [Picture(tmp_path / "missing.png", "a", 0)])
    tracker.finish({})
    assert isinstance(tracker, NoTracker)
    assert is_sent(settings, of)
    assert list(tmp_path.iterdir()) == []


def test_a_trial_has_one_run_in_each_sweep_and_the_same_when_asked_for_again() -> None:
    alone, first, second = (plan(Wandb(), group=group).id for group in (None, "a/b:c", "ranks"))
    assert alone == "0123456789ab"
    assert len({alone, first, second}) == 3
    assert plan(Wandb(), group="ranks").id == plan(Wandb(group="ranks"), group="x").id == second
    assert not set(first) & set(":;,#?/'")


def test_a_run_is_named_by_what_varies_behind_the_name_that_was_asked_for() -> None:
    varied = TrialName("rank=4", ("rank=4", "mine"))
    assert plan(Wandb()).name == "huggy"
    assert plan(Wandb(), varied=TrialName()).name == "huggy"
    assert plan(Wandb(), varied=varied).name == "rank=4"
    named = plan(Wandb(run_name="faces", tags=("mine",)), varied=varied)
    assert (named.name, named.tags) == ("faces rank=4", ["mine", "rank=4"])


def test_settings_are_sent_without_secrets_and_places_on_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    config = {
        "dataset": {"path": "/home/me/pictures/cat", "instance_prompt": "/a hf_secret b"},
        "model": {"path": "stabilityai/sdxl", "vae": "C:\\models\\vae", "revision": None},
        "prior": {"path": "https://me:pass@host/x"},
        "results": {"dir": "/home/me/results"},
        "tracker": {"entity": "me"},
        "seed": 1,
    }
    varied = TrialName("path=hf_secret", ("path=hf_secret",))
    sent = plan(Wandb(), config=config, varied=varied)
    assert sent.config == {
        "dataset": {"path": "cat", "instance_prompt": "/a *** b"},
        "model": {"path": "stabilityai/sdxl", "vae": "vae", "revision": None},
        "prior": {"path": "https://***@host/x"},
        "seed": 1,
        "trial_id": "0123456789ab",
    }
    assert (sent.name, sent.tags) == ("path=***", ["path=***"])
