"""Nothing from captions, prompts, names, values or errors is executed; nothing is fetched."""

from __future__ import annotations

import pytest
from chromium import Reader
from hostile import HOSTILE, make_hostile
from made_sweeps import Made

from lora_sweep.results.report import write_report

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Made:
    made = make_hostile(tmp_path_factory.mktemp("hostile"))
    write_report(made.folder, made.store)
    return made


def seen(page: Reader, text: str) -> bool:
    """Whether a text stands on the page, letter by letter."""
    return page.run("return document.body.textContent.includes(arguments[0])", text)


def test_no_text_is_taken_for_markup_and_all_are_shown_as_they_are(
    reader: Reader, hostile: Made
) -> None:
    reader.open(hostile.page)
    reader.run("document.getElementById('curves').scrollIntoView()")
    reader.wait("document.querySelectorAll('#curves canvas').length > 0")
    for place in range(len(reader.all("#trials tbody tr"))):
        reader.hover(reader.all("#trials tbody tr")[place])
    reader.click("#trials td:last-child button")
    assert all(seen(reader, text) for text in HOSTILE)
    reader.run("document.getElementById('details').close()")
    reader.click(".picture-table button.picture")
    reader.wait("document.querySelector('#zoom img.full').naturalWidth > 0")
    assert reader.run("return window.hit ?? null") is None
    counts = reader.run(
        """return [document.scripts.length, document.querySelectorAll('style').length,
          [...document.images].filter((image) => /^x$/.test(image.getAttribute('src'))).length,
          document.querySelectorAll('[onerror], [onload], [onmouseover]').length,
          document.querySelectorAll('svg script, textarea, iframe, object').length];"""
    )
    assert counts == [4, 1, 0, 0, 0]
    assert not reader.all(".note.bad")


def test_links_go_to_files_beside_the_page_alone(reader: Reader, hostile: Made) -> None:
    reader.open(hostile.page)
    reader.click("#trials td:last-child button")
    addresses = reader.run("return [...document.links].map((link) => link.href)")
    assert all(address.startswith("file:///") for address in addresses)


def test_what_gets_in_all_the_same_is_stopped_by_the_policy(reader: Reader, made: Made) -> None:
    reader.open(made.page)
    reader.run(
        """document.body.insertAdjacentHTML('beforeend', '<img src="x" onerror="window.hit=1">');
        const script = document.createElement('script');
        script.textContent = 'window.hit = 2';
        document.body.append(script);
        const link = document.createElement('a');
        link.href = 'javascript:window.hit=3';
        document.body.append(link);
        link.click();"""
    )
    reader.wait("document.images.length && document.images[document.images.length - 1].complete")
    assert reader.run("return window.hit ?? null") is None
    refused = reader.complaints()
    assert len([line for line in refused if "Content Security Policy" in line]) >= 3


def test_nothing_is_asked_of_a_network(reader: Reader, made: Made) -> None:
    reader.open(made.page)
    reader.draw_all()
    names = reader.run("return performance.getEntriesByType('resource').map((one) => one.name)")
    assert all(name.startswith(("data:", "file:")) for name in names)
    blocked = reader.run(
        """const done = arguments[arguments.length - 1];
        return fetch('https://example.org').then(() => 'sent', (error) => error.message);"""
    )
    assert blocked != "sent"
    reader.complaints()
