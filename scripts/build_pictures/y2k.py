"""Build the `y2k` pictures: 32 web pages in the taste of 1995 to 2003, seen in a browser.

    python scripts/build_pictures/y2k.py --out lora_sweep/data/packaged/y2k

The pages are written by y2k_layouts.py from y2k_specs.py and photographed by Chromium (Debian:
`apt-get install chromium fonts-comic-neue fonts-liberation`). The HTML is the same on every
machine; its pixels depend on Chromium's version and the fonts.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pictures import PACKAGED, Picture, write_collection
from PIL import Image
from y2k_layouts import lay_out
from y2k_parts import Page
from y2k_specs import PAGES

SIZE = 1024
COLORS = 256
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--force-device-scale-factor=1",
)

NOTICE = """\
# Y2K web pages

32 pictures of web pages in the taste of 1995 to 2003 (27 in `train/`, 5 in `heldout/`).

- Origin: made by this project. The pages, their text, drawings and names are invented and were
  written by `scripts/build_pictures/y2k.py`; no real page, brand or address is shown.
- Licence: the same as the project's.
- How made: HTML drawn at 1024 x 1024 by Chromium {chromium} with the fonts Comic Neue and
  Liberation (both SIL Open Font License 1.1; only their drawn letters are in the pictures),
  reduced to 256 colours without dithering, as pictures of that time were, lossless WebP.

The captions use `TOK` as the word that stands for the style.
"""


def photograph(html: str, folder: Path, chromium: str) -> Image.Image:
    """Open a page in Chromium and take its picture; RGB, 1024 x 1024."""
    source, target = folder / "page.html", folder / "page.png"
    source.write_text(html)
    target.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as profile:
        command = [
            chromium,
            *FLAGS,
            f"--user-data-dir={profile}",
            f"--window-size={SIZE},{SIZE}",
            f"--screenshot={target}",
            source.as_uri(),
        ]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
    image = Image.open(target).convert("RGB")
    if image.size != (SIZE, SIZE):
        raise RuntimeError(f"screenshot of {source} is {image.size}, expected {(SIZE, SIZE)}")
    return image.quantize(COLORS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).convert("RGB")


def draw_pages(pages: list[Page], chromium: str) -> Iterator[Picture]:
    """Yield the pictures, numbered within their split; a page's seed is its place in the list."""
    counts = {"train": 0, "heldout": 0}
    with tempfile.TemporaryDirectory() as folder:
        for seed, page in enumerate(pages):
            split = "heldout" if page.heldout else "train"
            image = photograph(lay_out(page, seed), Path(folder), chromium)
            yield Picture(f"{counts[split]:02d}_{page.name}", page.caption, split, image)
            counts[split] += 1


def main() -> None:
    """Parse the command line and build."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=PACKAGED / "y2k")
    parser.add_argument("--chromium", default="chromium", help="name or path of the browser")
    asked = parser.parse_args()
    version = subprocess.run(
        [asked.chromium, "--version"], check=True, capture_output=True, text=True
    )
    number = next(word for word in version.stdout.split() if word[0].isdigit())
    write_collection(asked.out, draw_pages(PAGES, asked.chromium), NOTICE.format(chromium=number))


if __name__ == "__main__":
    main()
