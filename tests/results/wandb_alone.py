"""W&B on a machine where nobody has logged in; whoever asks a question fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lora_sweep.results import wandb_mode, wandb_run

KEY = "0123456789abcdef0123456789abcdef01234567"
VARIABLES = (
    "WANDB_API_KEY",
    "WANDB_BASE_URL",
    "WANDB_DATA_DIR",
    "WANDB_IDENTITY_TOKEN_FILE",
    "WANDB_MODE",
    "WANDB_SERVICE",
)


@pytest.fixture(autouse=True)
def no_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    import wandb

    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setattr("builtins.input", lambda *arguments: pytest.fail("it asks"))
    for remembered in (wandb_run._said, wandb_run._unreachable, wandb_mode._owner_of_service):
        remembered.clear()
    wandb.teardown()
    yield
    wandb.teardown()
