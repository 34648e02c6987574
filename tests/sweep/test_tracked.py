"""A trial with tracker=wandb, offline: the run holds what metrics.jsonl holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from runs import STEPS, before_step, only_run, rows_of, small
from wandb_reader import read_run

from lora_sweep.config.settings import Evaluate, Wandb
from lora_sweep.sweep.run import run_trial


@pytest.fixture(autouse=True)
def no_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A machine where nobody has logged in to W&B; whoever asks a question gets an error."""
    import wandb

    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_BASE_URL", "WANDB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setattr("builtins.input", lambda *arguments: pytest.fail("it asks"))
    wandb.teardown()
    yield
    wandb.teardown()


@pytest.mark.timeout(300)
def test_the_offline_run_of_a_resumed_trial_holds_its_whole_history(root: Path) -> None:
    import wandb

    tracker = Wandb(project="faces", group="ranks", run_name="rank 2", tags=("small",))
    evaluate = Evaluate(every=2, loss_timesteps=1)
    settings = small(
        root, "frozen", tracker=tracker, evaluate=evaluate, train={"checkpoint_every": 3}
    )

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        before_step(patch, 5, stop)
        run_trial(settings)
    result = run_trial(settings)
    wandb.teardown()  # its service writes the end of a run a moment later
    folders = sorted((root / "wandb" / "wandb").glob("offline-run-*"))
    assert len(folders) == 2
    run = read_run(max(folders, key=lambda folder: folder.stat().st_mtime_ns))
    assert (run.id, run.name, run.group, run.project) == (
        result.record.id, "rank 2", "ranks", "faces"
    )  # fmt: skip
    assert run.tags == ["small"] and run.exit_code == 0
    assert run.config["lora"]["rank"] == 2
    assert run.config["trial_id"] == result.record.id
    rows: dict[int, dict[str, float]] = {}
    for row in rows_of(only_run(root)):
        rows.setdefault(row["step"], {}).update(row)
    history = {row["_step"]: row for row in run.history}
    assert sorted(history) == sorted(rows) == list(range(1, STEPS + 1))
    for step, row in rows.items():
        assert {key: history[step][key] for key in row if key != "step"} == {
            key: value for key, value in row.items() if key != "step"
        }
    assert run.summary["fit_loss"] == result.record.scores["fit_loss"]
