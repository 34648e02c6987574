"""docs/measures.md and docs/experiments.md: what they name is what the code has."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

import lora_sweep
from lora_sweep.config.compose import conf_dir
from lora_sweep.config.settings import Embedder, Evaluate
from lora_sweep.results.measures import MEASURES

ROOT = Path(lora_sweep.__file__).parents[1]
MEASURES_PAGE = (ROOT / "docs" / "measures.md").read_text(encoding="utf-8")
EXPERIMENTS_PAGE = (ROOT / "docs" / "experiments.md").read_text(encoding="utf-8")


def rows(page: str, head: str) -> list[list[str]]:
    """The cells of a table, found by the first cell of its head."""
    lines = page.splitlines()
    first = next(k for k, line in enumerate(lines) if line.startswith(f"| {head} |"))
    found: list[list[str]] = []
    for line in lines[first + 2 :]:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split("|")])
    return found


def test_every_measure_is_listed_with_its_direction_and_range() -> None:
    listed = [cells[:3] for cells in rows(MEASURES_PAGE, "measure")]
    known = [[f"`{m.name}`", m.better or "", m.range] for m in MEASURES.values()]
    assert listed == known


@pytest.mark.parametrize("name", MEASURES)
def test_every_measure_is_explained(name: str) -> None:
    explained = re.findall(r"^\*\*.*", MEASURES_PAGE, re.M)
    assert any(f"**`{name}`**" in line for line in explained)


def test_every_embedder_is_listed() -> None:
    listed = [cells[0] for cells in rows(MEASURES_PAGE, "`evaluate.embedder`")]
    assert sorted(listed) == sorted(f"`{kind.name}`" for kind in Embedder)


def test_every_setting_of_measuring_is_listed_with_its_default() -> None:
    listed: dict[str, str] = {}
    for names, default, _ in rows(MEASURES_PAGE, "setting"):
        keys = re.findall(r"`evaluate\.(\w+)`", names)
        values = default.split(", ") if len(keys) > 1 else [default]
        listed |= dict(zip(keys, values, strict=True))
    assert set(listed) == {field.name for field in dataclasses.fields(Evaluate)}
    for field in dataclasses.fields(Evaluate):
        if field.name != "prompts":
            default = field.default
            shown = "null" if default is None else getattr(default, "name", str(default))
            assert listed[field.name] == shown, field.name


def test_every_sweep_of_the_post_has_its_result() -> None:
    sweeps = {file.stem for file in (Path(str(conf_dir())) / "sweep").glob("*.yaml")} - {"demo"}
    told = set(re.findall(r"sweep=(\w+)", EXPERIMENTS_PAGE))
    assert told == sweeps
