"""What is composed once in a test is not composed again."""

from __future__ import annotations

import pytest
from translated import composed_once

from lora_sweep.translate import result


@pytest.fixture(autouse=True)
def compose_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result, "compose", lambda overrides: composed_once(tuple(overrides)))
