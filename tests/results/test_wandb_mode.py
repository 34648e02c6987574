from __future__ import annotations

import os
from pathlib import Path

import pytest
from wandb_alone import KEY, no_account

from lora_sweep.config.settings import Wandb
from lora_sweep.errors import SettingsError
from lora_sweep.results.wandb_mode import check_run, choose_mode, has_key

__all__ = ["no_account"]  # a fixture


@pytest.mark.parametrize(
    ("settings", "environ", "key", "expected"),
    [
        (Wandb(), {}, False, "offline"),
        (Wandb(), {}, True, "online"),
        (Wandb(offline=True), {}, True, "offline"),
        (Wandb(offline=False), {}, True, "online"),
        (Wandb(), {"WANDB_MODE": "offline"}, True, "offline"),
        (Wandb(offline=False), {"WANDB_MODE": "dryrun"}, True, "offline"),
        (Wandb(), {"WANDB_MODE": "disabled"}, True, "disabled"),
        (Wandb(), {"WANDB_MODE": "online"}, False, "offline"),
    ],
)
def test_a_run_is_online_only_with_a_key_and_nothing_against_it(
    settings: Wandb, environ: dict[str, str], key: bool, expected: str
) -> None:
    assert choose_mode(settings, environ, lambda: key)[0] == expected


def test_wishes_that_cannot_be_met_are_refused_by_name() -> None:
    with pytest.raises(SettingsError, match=r"tracker\.offline=false, but no W&B key"):
        choose_mode(Wandb(offline=False), {}, lambda: False)
    with pytest.raises(SettingsError, match=r"WANDB_MODE='of' is not one of online, offline"):
        choose_mode(Wandb(), {"WANDB_MODE": "of"}, lambda: True)
    with pytest.raises(SettingsError, match=r"tracker\.tags has '': .* 1 to 64") as caught:
        check_run(Wandb(tags=("", "x" * 65), group="g" * 129))
    assert len(caught.value.problems) == 3


def test_a_key_is_found_in_the_variable_and_in_netrc_for_the_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import wandb

    def found() -> bool:
        wandb.teardown()
        return has_key(dict(NETRC=str(tmp_path / "netrc")))

    assert not found()
    (tmp_path / "netrc").write_text(f"machine api.wandb.ai login user password {KEY}\n")
    assert found()
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    assert not found(), "the key belongs to another host"
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    assert found()


def test_a_child_process_does_not_use_the_service_of_its_parent() -> None:
    os.environ["WANDB_SERVICE"] = "3-1-unix-/nowhere/socket"  # as a parent process leaves it
    assert check_run(Wandb()) == ("offline", "no key is configured")
    assert "/nowhere/" not in os.environ.get("WANDB_SERVICE", "")
