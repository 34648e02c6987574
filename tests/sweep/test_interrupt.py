from __future__ import annotations

import signal
from pathlib import Path

import pytest

from lora_sweep.sweep.interrupt import Interrupt, interruptible


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_outside_steps_a_signal_stops_at_once(signum: signal.Signals) -> None:
    with interruptible() as interrupt:
        with interrupt.after_the_step():
            pass
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signum)
    assert not interrupt.asked


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_between_steps_the_first_signal_waits_and_the_second_does_not(
    signum: signal.Signals, capfd: pytest.CaptureFixture[str]
) -> None:
    with interruptible() as interrupt, interrupt.after_the_step():
        signal.raise_signal(signum)
        assert interrupt.asked
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signum)
    assert capfd.readouterr().err.count("stopping after this step") == 1


def test_handlers_are_put_back(tmp_path: Path) -> None:
    before = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(RuntimeError), interruptible():
        raise RuntimeError
    assert [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_closed_terminal_does_not_stop_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.write", _broken)
    interrupt = Interrupt()
    with interrupt.after_the_step():
        interrupt.handle(signal.SIGINT, None)
    assert interrupt.asked


def _broken(*arguments: object) -> int:
    raise BrokenPipeError
