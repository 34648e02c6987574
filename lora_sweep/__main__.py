"""The command line: Hydra composes the settings, the sweep room trains, errors become one message.

Exit status: 0 when every trial is done, 1 when one failed, 2 when the settings or the pictures
cannot be used, 130 when interrupted.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import hydra
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from lora_sweep.config import check, warnings
from lora_sweep.config.compose import (
    CONFIG_NAME,
    HYDRA_VERSION_BASE,
    conf_dir,
    explain,
    settings_from,
)
from lora_sweep.config.schema import register
from lora_sweep.errors import DataError, LoraSweepError, SettingsError
from lora_sweep.quiet import quiet_libraries

DEBUG = "LORA_SWEEP_DEBUG"
FULL_ERROR = "HYDRA_FULL_ERROR"

log = logging.getLogger("lora_sweep")


def main() -> None:
    """Run the command line and exit with a status that says how it went."""
    if {"--help", "-h"} & set(sys.argv[1:]):
        # printed here because Hydra's help first lists every file of conf, which takes a second
        print((conf_dir() / "help.txt").read_text(encoding="utf-8"), end="")
        return
    quiet_libraries()
    register()
    debug = os.environ.get(DEBUG) == "1" or os.environ.get(FULL_ERROR) == "1"
    outcome = _Outcome()
    try:
        with _full_error("1"):  # Hydra then hands its errors on, in place of printing and exiting
            hydra.main(
                version_base=HYDRA_VERSION_BASE,
                config_path=str(conf_dir()),
                config_name=CONFIG_NAME,
            )(outcome.run)()
    except KeyboardInterrupt:
        _say("interrupted; run the same command again to go on from the last checkpoints")
        sys.exit(130)
    except (LoraSweepError, HydraException, OmegaConfBaseException, ValueError) as error:
        # Hydra's own ValueErrors are wrong command lines; once a trial runs, they are our faults
        if debug or (isinstance(error, ValueError) and outcome.started):
            raise
        _say(_message(error))
        asked_wrongly = isinstance(error, SettingsError | DataError)
        sys.exit(2 if asked_wrongly or not isinstance(error, LoraSweepError) else 1)
    sys.exit(1 if outcome.failed else 0)


class _Outcome:
    """What the jobs of this process came to; Hydra's own return value is lost on the way."""

    def __init__(self) -> None:
        self.started = False
        self.failed = False
        self._full_error = os.environ.get(FULL_ERROR)

    def run(self, cfg: DictConfig) -> Any:
        """Run one trial; Hydra calls this once, or once for each job of a sweep."""
        settings = settings_from(cfg)
        check(settings)
        for warning in warnings(settings):
            log.warning(warning)
        self.started = True
        from lora_sweep.sweep.run import run_trial  # imports torch; refusals do without

        with _full_error(self._full_error):  # processes that the trial starts see the user's own
            result = run_trial(settings)
        self.failed = self.failed or bool(result.failed)
        return result


@contextmanager
def _full_error(value: str | None) -> Iterator[None]:
    """Set Hydra's environment variable, or unset it, and put it back afterwards."""
    before = os.environ.get(FULL_ERROR)
    try:
        _put(FULL_ERROR, value)
        yield
    finally:
        _put(FULL_ERROR, before)


def _put(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def _message(error: Exception) -> str:
    if isinstance(error, SettingsError) or not isinstance(error, LoraSweepError):
        problems = error.problems if isinstance(error, SettingsError) else explain(error)
        head = (
            "1 problem with the settings"
            if len(problems) == 1
            else f"{len(problems)} problems with the settings"
        )
        return "\n".join([f"{head}:", *(f"- {problem}" for problem in problems)])
    return str(error)


def _say(message: str) -> None:
    print(f"lora_sweep: {message}", file=sys.stderr)


if __name__ == "__main__":
    main()
