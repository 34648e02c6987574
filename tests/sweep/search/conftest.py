"""Studies of these tests write no report, save where it is the subject."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def no_report(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "with_report" not in request.fixturenames:
        monkeypatch.setattr("lora_sweep.sweep.search.launch.report_on", lambda *args: None)


@pytest.fixture
def with_report() -> None:
    """Asks for the report."""
