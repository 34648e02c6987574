"""docs/from-diffusers.md and docs/pictures.md: their commands run, and print what the pages say."""

from __future__ import annotations

import io
import re
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from test_pages import commands

import lora_sweep
from lora_sweep.data import caption
from lora_sweep.data.check import __main__ as data_check
from lora_sweep.translate.cli import from_diffusers, from_kohya

ROOT = Path(lora_sweep.__file__).parents[1]
PAGES = {
    name: (ROOT / "docs" / name).read_text(encoding="utf-8")
    for name in ("from-diffusers.md", "pictures.md")
}


def blocks(page: str) -> list[tuple[str, str]]:
    """Code blocks with their language, in order; that of what is printed is empty."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", PAGES[page], re.M | re.S)


def printed_after(page: str, command: str) -> str:
    """The block that follows the one whose commands end with this one."""
    found = blocks(page)
    (place,) = [i for i, (kind, text) in enumerate(found) if kind == "bash" and command in text]
    assert found[place + 1][0] == ""
    return found[place + 1][1]


def test_the_translated_command_and_its_notes_are_those_of_the_page(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (text,) = [t for kind, t in blocks("from-diffusers.md") if kind == "bash" and "<<'END'" in t]
    first, *lines = text.splitlines()
    assert first == "python scripts/from_diffusers.py <<'END'" and lines[-1] == "END"
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(lines[:-1])))
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False)
    assert from_diffusers([]) == 0
    printed = capsys.readouterr()
    assert printed.out + printed.err == printed_after("from-diffusers.md", first)
    post = ROOT / "tests" / "translate" / "post" / "huggy_1.txt"
    assert "\n".join(lines[:-1]).split() == post.read_text().split()


def test_the_translated_toml_is_that_of_the_page(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    (command,) = [c for c in commands(ROOT / "docs" / "from-diffusers.md") if "from_kohya" in c]
    assert from_kohya(shlex.split(command)[2:]) == 0
    assert capsys.readouterr().out == printed_after("from-diffusers.md", command)


@pytest.mark.parametrize("name", ["face", "planted"])
def test_what_is_found_in_a_set_is_what_the_page_says(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    if find_spec("dlib") is None:
        pytest.skip("dlib-bin is not installed, and the page has faces counted")
    monkeypatch.chdir(tmp_path)
    if name == "planted":
        script = ROOT / "tests" / "data" / "planted.py"
        subprocess.run([sys.executable, str(script), "planted"], check=True, timeout=120)
    assert data_check.main([name]) == 0
    expected = printed_after("pictures.md", f"python -m lora_sweep.data.check {name}")
    assert capsys.readouterr().out == expected


def test_what_is_said_without_a_network_is_what_the_page_says(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from PIL import Image

    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    assert caption.main([str(tmp_path)]) == 2
    said = capsys.readouterr().err
    (block,) = [text for _, text in blocks("pictures.md") if text.startswith("lora_sweep:")]
    assert re.sub(r"does not give it \(.*?\);", "does not give it (…);", said) == block
