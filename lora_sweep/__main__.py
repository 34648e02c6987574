"""The command line: Hydra composes the settings, the sweep room trains, errors become one message.

Exit status: 0 when every trial is done, 1 when one failed, 2 when the settings, the pictures or the
base cannot be used, 130 when interrupted.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from lora_sweep.config import Settings, problems, warnings
from lora_sweep.config.compose import (
    CONFIG_NAME,
    HYDRA_VERSION_BASE,
    conf_dir,
    explain,
    refuse_study,
    settings_from,
    sweep_of,
)
from lora_sweep.config.plain import NOT_OF_CHOICE
from lora_sweep.config.schema import register
from lora_sweep.errors import DataError, LoraSweepError, ModelError, SettingsError
from lora_sweep.files import store_error
from lora_sweep.quiet import quiet_libraries
from lora_sweep.results.trial_record import TrialState

if TYPE_CHECKING:
    from lora_sweep.config.sweep import Calibrate
    from lora_sweep.sweep.asked import Asked
    from lora_sweep.sweep.cost.calibrator import Calibrator
    from lora_sweep.sweep.search.launch import StudyAsked

DEBUG = "LORA_SWEEP_DEBUG"
FULL_ERROR = "HYDRA_FULL_ERROR"

CHOICE_TOO = (
    "a single value is looked at before the file of sweep= is: give the choice that it belongs to "
    "as well, as in `sweep=face prior=real prior.num_class_images=100`"
)

log = logging.getLogger("lora_sweep")


def main() -> None:
    """Run the command line and exit with a status that says how it went.

    Of several processes that `accelerate launch` starts, one does; the others train with it.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        _main()
        return
    from lora_sweep.training.ranks import follows_another, ranks  # imports torch

    if follows_another():
        from lora_sweep.sweep.follow import follow

        follow()
        return
    try:
        _main()
    finally:
        ranks().dismiss()


def _main() -> None:
    if {"--help", "-h"} & set(sys.argv[1:]):
        # printed here because Hydra's help first lists every file of conf, which takes a second
        print((conf_dir() / "help.txt").read_text(encoding="utf-8"), end="")
        return
    quiet_libraries()
    register()
    debug = os.environ.get(DEBUG) == "1" or os.environ.get(FULL_ERROR) == "1"
    outcome = _Outcome(debug)
    try:
        with _full_error("1"):  # Hydra then hands its errors on, in place of printing and exiting
            hydra.main(
                version_base=HYDRA_VERSION_BASE,
                config_path=str(conf_dir()),
                config_name=CONFIG_NAME,
            )(outcome.run)()
    except BrokenPipeError:
        # Whoever read the output, such as `head`, has read enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        _say("interrupted; run the same command again to go on from the last checkpoints")
        sys.exit(130)
    except (LoraSweepError, HydraException, OmegaConfBaseException, ValueError, OSError) as error:
        # Before a trial runs, Hydra's ValueErrors are wrong command lines, its OSErrors a
        # results.dir that it cannot write to; afterwards they are our faults.
        if debug or (outcome.started and isinstance(error, ValueError | OSError)):
            raise
        _say(_message(error))
        sys.exit(_status(error))
    sys.exit(outcome.status)


class _Outcome:
    """What the jobs of this process came to; Hydra's own return value is lost on the way."""

    def __init__(self, debug: bool) -> None:
        self.started = False
        self.status = 0
        self._debug = debug
        self._full_error = os.environ.get(FULL_ERROR)

    def run(self, cfg: DictConfig) -> Any:
        """Run one trial; Hydra calls this once, or once for each job of a sweep."""
        try:
            _refuse_sweep(cfg)
            refuse_study(cfg)
            return self._run(settings_from(cfg))
        except LoraSweepError as error:
            # Said now: Hydra would run the other jobs of a sweep, and then report the first error
            # alone.
            if self._debug:
                raise
            _say(_message(error))
            self.status = max(self.status, _status(error))
            return None

    def _run(self, settings: Settings) -> Any:
        if problems(settings):
            from lora_sweep.sweep.request import resolve_request  # no torch: refusals come fast

            resolve_request(settings)  # raises, with what is wrong with the pictures as well
        for warning in warnings(settings):
            log.warning(warning)
        self.started = True
        from lora_sweep.sweep.run import run_trial  # imports torch; refusals do without

        with _full_error(self._full_error):  # processes that the trial starts see the user's own
            result = run_trial(settings)
        if result.failed:
            self.status = max(self.status, 1)
        return result

    def run_sweep(self, asked: Asked) -> list[Any]:
        """Run a whole sweep; launchers that take all trials at once call this."""
        _warn(asked)
        from lora_sweep.sweep.launch import run_sweep  # imports torch

        with _full_error(self._full_error):
            results = run_sweep(
                asked.trials, asked.overrides, asked.folder, asked.options, asked.about
            )
        self.started = True
        if any(result.failed for result in results if result is not None):
            self.status = max(self.status, 1)
        return [None if result is None else result.record.scores for result in results]

    def run_study(self, asked: StudyAsked) -> list[Any]:
        """Search; hydra/sweeper=optuna calls this."""
        from lora_sweep.sweep.device import device_problems  # imports torch
        from lora_sweep.sweep.search.launch import run_study

        with _full_error(self._full_error):
            # What trains elsewhere needs nothing of this machine.
            rows = run_study(asked, [] if asked.options.cluster else [device_problems])
        self.started = True
        if not any(row.record.state is TrialState.done for row in rows):
            self.status = max(self.status, 1)
        return [row.record.scores for row in rows]

    def plan_study(self, asked: StudyAsked) -> list[Any]:
        """Say what a study would be; hydra/launcher=plan calls this."""
        from lora_sweep.sweep.search.launch import describe_study

        for line in describe_study(asked):
            print(line)
        return []

    def plan_sweep(self, asked: Asked, calibrate: Calibrate, calibrator: Calibrator) -> list[None]:
        """Say what a sweep would come to; hydra/launcher=plan calls this."""
        _warn(asked)
        from lora_sweep.sweep.plan import plan_sweep

        plan_sweep(asked, calibrate, calibrator)
        return [None] * len(asked.trials)


def _refuse_sweep(cfg: DictConfig) -> None:
    """Raise SettingsError where one trial is to be run, but the settings name many."""
    sweep = sweep_of(cfg)
    if sweep.names_trials:
        name = sweep.name or "…"
        raise SettingsError(
            [
                f"sweep={name}: names many trials, and this is one; run them with "
                f"python -m lora_sweep -m sweep={name} (and hydra/sweeper=grid, the default)"
            ]
        )


def _warn(asked: Asked) -> None:
    trials = [trial for trial in asked.trials if isinstance(trial, Settings)]
    for warning in dict.fromkeys(line for trial in trials for line in warnings(trial)):
        log.warning(warning)


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


def _status(error: Exception) -> int:
    if isinstance(error, LoraSweepError) and not isinstance(
        error, SettingsError | DataError | ModelError
    ):
        return 1
    return 2


def _message(error: Exception) -> str:
    hint: str | None = None
    match error:
        case OSError() if not isinstance(error, HydraException):  # some of Hydra's are both
            return str(store_error(Path(error.filename or "results.dir"), "write", error))
        case DataError():
            problems, what = error.problems, "the pictures"
        case SettingsError():
            problems, what, hint = error.problems, "the settings", error.hint
        case LoraSweepError():
            return str(error)
        case _:
            problems, what = explain(error), "the settings"
            if any(NOT_OF_CHOICE in each for each in problems) and _names_a_sweep():
                hint = CHOICE_TOO
    head = f"{len(problems)} problem{'s' if len(problems) > 1 else ''} with {what}"
    lines = [f"{head}:", *(f"- {problem}" for problem in problems)]
    return "\n".join(lines if hint is None else [*lines, hint])


def _names_a_sweep() -> bool:
    return any(word.startswith("sweep=") for word in sys.argv)


def _say(message: str) -> None:
    print(f"lora_sweep: {message}", file=sys.stderr)


if __name__ == "__main__":
    main()
