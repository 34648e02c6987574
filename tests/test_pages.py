"""README.md and docs: every command on a page is understood, every link leads somewhere."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import lora_sweep
from lora_sweep.__main__ import main
from lora_sweep.config import check
from lora_sweep.config.compose import compose
from lora_sweep.data import caption
from lora_sweep.data.check import __main__ as data_check
from lora_sweep.results import push
from lora_sweep.results.generate import __main__ as generate
from lora_sweep.results.report import __main__ as report
from lora_sweep.sweep import status

ROOT = Path(lora_sweep.__file__).parents[1]
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
PARSERS = {
    "lora_sweep.data.check": data_check._parser,
    "lora_sweep.data.caption": caption._parser,
    "lora_sweep.results.generate": generate._parser,
    "lora_sweep.results.push": push._parser,
    "lora_sweep.results.report": report._parser,
    "lora_sweep.sweep.status": status._parser,
}
HYDRA_FLAGS = {"-m", "--help", "--cfg", "job"}
FOR_THE_READER = ("…", "...")
"""What stands for words that a page leaves out: such a command is not whole."""
LEFT_OUT = ("model=", "model.path=", "hydra/launcher=", "hydra.launcher.", "seed=range(78)")
"""What needs a network, a cluster or minutes: planned without, with the embedded base."""


def commands(page: Path) -> list[str]:
    """Every whole command of a page, from its code blocks and from its text."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    blocks = re.findall(r"^ *```\w*\n(.*?)^ *```$", text, re.M | re.S)
    lines = [line.partition("  #")[0] for block in blocks for line in block.splitlines()]
    prose = re.sub(r"^ *```.*?^ *```$", "", text, flags=re.M | re.S)
    found = [" ".join(each.split()) for each in (*lines, *re.findall(r"`([^`]+)`", prose))]
    found = [re.sub(r"^(time|OMP_NUM_THREADS=1) ", "", each) for each in found]
    return [
        each
        for each in dict.fromkeys(found)
        if each.startswith("python ") and not any(mark in each for mark in FOR_THE_READER)
    ]


def here(command: str) -> tuple[str, ...]:
    """The words of a command, less those left out."""
    words = shlex.split(re.sub(r"<[^>]+>", "3f2a9c", command))
    return tuple(word for word in words if not word.startswith(LEFT_OUT))


ALL = {
    here(command): f"{page.name}: {command[:60]}"
    for page in PAGES
    for command in commands(page)
    if "<<" not in command
}


@pytest.mark.parametrize("words", ALL, ids=ALL.values())
def test_every_command_is_understood(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = words[2] if words[1] == "-m" else words[1]
    if module in PARSERS:
        PARSERS[module]().parse_args(words[3:])
    elif module != "lora_sweep":
        path = module.replace(".", "/")
        assert (ROOT / module).is_file() or (ROOT / f"{path}.py").is_file()
    elif "-m" in words[3:]:
        assert planned(words[3:], tmp_path, monkeypatch) == 0
    else:
        check(compose([word for word in words[3:] if word not in HYDRA_FLAGS]))


def planned(words: Sequence[str], root: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """The exit status of the same command as a plan: pictures are read, nothing is trained."""
    plan = ("hydra/launcher=plan", "hydra.launcher.calibrate=never", f"results.dir={root}")
    monkeypatch.setattr(sys, "argv", ["lora_sweep", *words, *plan])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_the_pages_have_commands_to_try() -> None:
    assert len(ALL) >= 50


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(\s*([^)\s]+)\s*\)", page.read_text(encoding="utf-8"))
    local = [link.partition("#")[0] for link in links if not link.startswith("http")]
    assert [link for link in local if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_heading_has_one(page: Path) -> None:
    links = re.findall(r"\]\(\s*([^)\s]*#[^)\s]+)\s*\)", page.read_text(encoding="utf-8"))
    for link in links:
        file, _, anchor = link.partition("#")
        if not link.startswith("http"):
            target = page.parent / file if file else page
            assert anchor in anchors(target.read_text(encoding="utf-8")), link


def anchors(text: str) -> set[str]:
    """Of all headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}
