from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from pathlib import Path

import pytest
from made_sweeps import Made, make_sweep

from lora_sweep.results.report import write_report
from lora_sweep.results.report.page import PARTS, SCRIPTS, STYLES, render_page, script_json

AWKWARD = ["</script><script>x()</script>", "<!--<script>", "\u2028\u2029", "&lt;", '"\\', "]]>"]


def element(text: str, pattern: str) -> str:
    (found,) = re.findall(pattern, text, flags=re.DOTALL)
    return found


@pytest.mark.parametrize("value", AWKWARD)
def test_no_text_can_end_the_element_that_holds_the_data(value: str) -> None:
    text = script_json({value: [value]})
    assert not re.search(r"[<>&\u2028\u2029]", text)
    assert json.loads(text) == {value: [value]}


def test_a_title_is_text() -> None:
    text = render_page({"title": AWKWARD[0]}, [], [])
    assert element(text, r"<title>(.*?)</title>") == html.escape(AWKWARD[0]) + " · lora_sweep"


def test_only_this_script_and_this_style_may_run(made: Made) -> None:
    text = made.page.read_text("utf-8")
    policy = html.unescape(element(text, r'Content-Security-Policy" content="(.*?)">'))
    script = element(text, r"<script>(.*?)</script>")
    style = element(text, r"<style>(.*?)</style>")
    for kind, part in (("script", script), ("style", style)):
        digest = base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy and "unsafe" not in policy


def test_the_page_asks_for_nothing_but_pictures_beside_it(made: Made) -> None:
    text = made.page.read_text("utf-8")
    head = text[: text.index('<script type="application/json"')]
    assert not re.search(r"(src|href)=[\"'](?!#)", head)
    code = element(text, r"<script>(.*?)</script>")
    assert not re.search(r"\b(fetch|XMLHttpRequest|WebSocket|import)\s*\(", code)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b", code)
    assert re.findall(r"https?://[^'`\s]*", code) == ["http://www.w3.org/2000/svg"]


def test_every_part_of_the_page_is_in_it_once() -> None:
    for names, ending in ((SCRIPTS, "js"), (STYLES, "css")):
        assert sorted(names) == sorted(path.name for path in PARTS.glob(f"*.{ending}"))
    lines = [line for path in PARTS.iterdir() for line in path.read_text("utf-8").splitlines()]
    assert max(map(len, lines)) <= 100


def test_a_small_sweep_is_a_small_page(made: Made) -> None:
    assert made.page.stat().st_size < 400_000


def test_the_size_of_a_page_is_bounded_however_many_pictures_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lora_sweep.results.report import pictures, write

    folder, store = make_sweep(tmp_path, ranks=(4,), seeds=(0, 1), failed=0, pictures=40, size=256)
    full = write_report(folder, store).stat().st_size
    monkeypatch.setattr(
        write, "build_album", lambda found: pictures.build_album(found, budget=30_000)
    )
    small = write_report(folder, store).stat().st_size
    rest = len(render_page({"title": ""}, [], []))
    assert full > small + 100_000
    assert small < rest + 30_000 * 4 / 3 + 120_000  # the data of four trials, training pictures
