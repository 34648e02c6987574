"""Build the `face` pictures: drawn portraits of one invented woman, and of other invented people.

    python scripts/build_pictures/face.py --out lora_sweep/data/packaged/face
    python scripts/build_pictures/face.py --class-out lora_sweep/data/packaged/face_class

Without options both are built. Nothing is taken from anywhere: every line is drawn by the
face_*.py files beside this one.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from pathlib import Path

from face_body import draw_neck, draw_torso
from face_class import CLASS_PEOPLE
from face_hair import draw_hair_back, draw_hair_front
from face_head import draw_face, draw_glasses
from face_limbs import draw_arms, draw_legs
from face_parts import Head, Light, Outfit, Person, Pose, Svg
from face_places import (
    studio,
)
from face_shots import HELDOUT, SITTING, VARIED, WOMAN
from pictures import PACKAGED, Picture, rasterise, write_collection
from PIL import Image

NOTICE = """\
# {title}

{text}

- Origin: drawn by this project's own code, `scripts/build_pictures/face.py` (SVG, drawn to pixels
  with resvg). No photograph, drawing or model of anyone was used; the people do not exist.
- Licence: the same as the project's.
- Format: WebP, {size} x {size}, quality {quality}.
"""
ABOUT_FACE = """\
Portraits of one invented woman: auburn curls, freckles, green eyes, round glasses, a mole beside
the mouth. `sitting` are ten close-ups of one sitting, `varied` six pictures with other clothes,
places, light and framing; three more are held out. The captions use `TOK` as the word that
stands for her."""
ABOUT_CLASS = """\
Portraits of 24 other invented people, used as class pictures for prior preservation. Their
captions do not contain the subject's word."""


def draw(
    person: Person,
    pose: Pose,
    outfit: Outfit,
    place: Callable[[Svg], None],
    lamp: Light,
    camera: tuple[float, float, float],
    front: Callable[[Svg], None] | None = None,
    size: int = 1024,
) -> Image.Image:
    """Draw one portrait, back to front; RGB, (size, size)."""
    svg, head = Svg(), Head(pose)
    scale, x, y = camera
    tilt = f'<g transform="rotate({pose.tilt} 0 220)">'
    place(svg)
    svg.add(f'<g transform="translate({x} {y}) scale({scale})">{tilt}')
    draw_hair_back(svg, person, head, lamp)
    svg.add("</g>")
    draw_neck(svg, person, lamp, math.sin(head.yaw))
    draw_legs(svg, person, outfit)
    draw_torso(svg, person, outfit, lamp)
    draw_arms(svg, person, outfit, pose)
    svg.add(tilt)
    face = draw_face(svg, person, head, pose, lamp)
    draw_glasses(svg, person, head)
    draw_hair_front(svg, person, head, lamp, face)
    svg.add("</g></g>")
    if front is not None:
        front(svg)
    svg.add(
        f'<rect width="1024" height="1024" fill="{lamp.tint}" opacity="{lamp.tint_opacity}" '
        f'style="mix-blend-mode:{lamp.blend}"/>'
    )
    return rasterise(svg.text(1024), size)


def draw_woman() -> Iterator[Picture]:
    """Yield the 10 pictures of the sitting, the 6 varied ones and the 3 held out."""
    for group, shots in (("sitting", SITTING), ("varied", VARIED), ("heldout", HELDOUT)):
        for number, shot in enumerate(shots):
            image = draw(
                WOMAN, shot.pose, shot.outfit, shot.place, shot.light, shot.camera, shot.front
            )
            split = "heldout" if group == "heldout" else "train"
            name = f"{group}_{number:02d}_{shot.name}"
            yield Picture(name, shot.caption, split, image, group, quality=90)


def draw_class() -> Iterator[Picture]:
    """Yield the 24 portraits of other people, 512 x 512."""
    for number, one in enumerate(CLASS_PEOPLE):

        def wall(svg: Svg, color: str = one.wall) -> None:
            studio(svg, color)

        image = draw(one.person, one.pose, one.outfit, wall, one.light, (1.3, 512, 470), size=512)
        yield Picture(f"{number:02d}", one.caption, "train", image, quality=90)


def main() -> None:
    """Parse the command line and build what was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--class-out", type=Path)
    asked = parser.parse_args()
    if asked.out is None and asked.class_out is None:
        asked.out, asked.class_out = PACKAGED / "face", PACKAGED / "face_class"
    if asked.out is not None:
        notice = NOTICE.format(title="Face pictures", text=ABOUT_FACE, size=1024, quality=90)
        write_collection(asked.out, draw_woman(), notice)
    if asked.class_out is not None:
        notice = NOTICE.format(title="Class portraits", text=ABOUT_CLASS, size=512, quality=90)
        write_collection(asked.class_out, draw_class(), notice)


if __name__ == "__main__":
    main()
