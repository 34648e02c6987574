"""The drawn woman and her 19 pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from face_parts import Hair, Light, Outfit, Person, Pose, Svg
from face_places import (
    beach,
    bricks,
    city,
    harbour,
    kitchen,
    library,
    living_room,
    park,
    restaurant,
    snow,
    snowflakes,
)

WOMAN = Person(
    skin="#f3cdb4",
    hair=Hair("curls", "#a8482a"),
    iris="#4f9a5b",
    freckles=70,
    mole=(62, 96),
    glasses="round",
    glasses_color="#5a3826",
    jaw=0.96,
    chin=-4,
    eye_size=1.08,
    lip_fullness=1.05,
    seed=5,
)


@dataclass(frozen=True)
class Shot:
    """One picture of the woman: caption, what she does, and how she is seen."""

    name: str
    caption: str
    pose: Pose
    outfit: Outfit
    place: Callable[[Svg], None]
    light: Light
    camera: tuple[float, float, float]
    """Scale, and where the origin of the head lies in the picture."""
    front: Callable[[Svg], None] | None = None
    """Drawn over the figure."""


JUMPER = Outfit("turtleneck", "#2f7f80", pattern="knit")


DAY = Light(-0.6, 0.45)


WARM = Light(-0.8, 0.6, "#ffd9a0", 0.28)


COOL = Light(0.6, 0.55, "#cfe0ff", 0.3)


DIM = Light(0.8, 0.95, "#d8c4b4", 0.35)


def sat(
    name: str, caption: str, pose: Pose, light: Light, camera: tuple[float, float, float]
) -> Shot:
    """A close-up of the one sitting: same jumper, same room."""
    return Shot(name, caption, pose, JUMPER, living_room, light, camera)


SITTING = [
    sat(
        "front",
        "a photo of TOK woman, close-up, smiling softly at the camera",
        Pose(smile=0.45),
        DAY,
        (1.5, 512, 540),
    ),
    sat(
        "laugh",
        "a photo of TOK woman, close-up, laughing, head turned to the right",
        Pose(yaw=20, smile=0.95, open=0.6, tilt=6, lids=0.8),
        DAY,
        (1.5, 490, 545),
    ),
    sat(
        "left",
        "a portrait of TOK woman, serious, looking left",
        Pose(yaw=-24, smile=0.0, gaze=(-0.7, 0)),
        DAY,
        (1.55, 540, 540),
    ),
    sat(
        "eyes_closed",
        "a portrait of TOK woman, smiling with her eyes closed, in warm light",
        Pose(yaw=-6, tilt=-9, smile=0.9, lids=0.1),
        WARM,
        (1.45, 512, 555),
    ),
    sat(
        "surprised",
        "a photo of TOK woman, surprised, eyebrows raised and mouth open",
        Pose(smile=-0.1, open=0.7, brows=1.3, lids=1.16),
        DAY,
        (1.5, 512, 530),
    ),
    sat(
        "down",
        "a portrait of TOK woman, looking down, thoughtful, in cool light",
        Pose(yaw=12, pitch=10, smile=0.1, lids=0.62, gaze=(0.2, 0.9)),
        COOL,
        (1.5, 500, 520),
    ),
    sat(
        "up",
        "a photo of TOK woman, looking up, hopeful, head tilted",
        Pose(yaw=-14, pitch=-9, tilt=-7, smile=0.55, brows=0.7, gaze=(-0.3, -0.9)),
        DAY,
        (1.45, 530, 560),
    ),
    sat(
        "side_light",
        "a portrait of TOK woman, calm, in dim light from the right",
        Pose(yaw=8, smile=0.15, brows=-0.2),
        DIM,
        (1.6, 505, 545),
    ),
    sat(
        "very_close",
        "a photo of TOK woman, extreme close-up of her face, grinning",
        Pose(yaw=5, tilt=4, smile=1.0, open=0.32),
        WARM,
        (2.05, 505, 500),
    ),
    sat(
        "glance",
        "a portrait of TOK woman, glancing to the side with a small smile",
        Pose(yaw=22, tilt=-5, smile=0.6, brows=0.4, gaze=(-0.9, 0)),
        DAY,
        (1.3, 470, 520),
    ),
]


VARIED = [
    Shot(
        "harbour",
        "a photo of TOK woman in a yellow raincoat at a harbour, overcast day",
        Pose(yaw=16, smile=0.5, gaze=(0.4, 0)),
        Outfit("raincoat", "#f2bf36", "#d9a21f"),
        harbour,
        Light(0.4, 0.35, "#dfe8f2", 0.3),
        (0.86, 512, 360),
    ),
    Shot(
        "restaurant",
        "a portrait of TOK woman in a black evening dress in a restaurant, warm candlelight",
        Pose(yaw=-14, tilt=5, smile=0.7, gaze=(0.3, 0)),
        Outfit("evening", "#241d2a"),
        restaurant,
        Light(-0.8, 0.8, "#ffc27a", 0.4),
        (1.08, 530, 420),
    ),
    Shot(
        "park",
        "a photo of TOK woman in a denim jacket and a striped shirt, laughing in a sunny park",
        Pose(yaw=10, tilt=-4, smile=1.0, open=0.5, arms="wave"),
        Outfit("denim", "#5b7fb0", "#f5f3ee"),
        park,
        Light(-0.7, 0.4, "#fff3cf", 0.3),
        (0.68, 440, 340),
    ),
    Shot(
        "snow",
        "a photo of TOK woman in a red coat and a white scarf on a snowy street",
        Pose(yaw=-20, smile=0.4, gaze=(-0.5, -0.2)),
        Outfit("coat", "#b32c35", "#e8e2d8", scarf="#f4f1ea"),
        snow,
        Light(0.5, 0.4, "#cfdcff", 0.35),
        (0.95, 540, 400),
        front=snowflakes,
    ),
    Shot(
        "beach",
        "a full body photo of TOK woman in a green dress and brown boots, standing on a beach",
        Pose(yaw=12, smile=0.8, open=0.25, arms="hip"),
        Outfit("dress", "#4d9460", "#e9d9a6", shoes="#6b4630"),
        beach,
        Light(0.7, 0.45, "#ffdcb0", 0.3),
        (0.376, 540, 150),
    ),
    Shot(
        "library",
        "a photo of TOK woman in a white shirt reading a book in a library, lamplight",
        Pose(yaw=-8, pitch=11, smile=0.3, lids=0.6, gaze=(0, 0.9), arms="book"),
        Outfit("shirt", "#f1efe9"),
        library,
        Light(-0.8, 0.7, "#ffd08a", 0.45),
        (0.8, 512, 330),
    ),
]


HELDOUT = [
    Shot(
        "bricks",
        "a portrait of TOK woman in an orange t-shirt by a brick wall, smiling, head tilted",
        Pose(yaw=-10, tilt=7, smile=0.75, open=0.2),
        Outfit("tshirt", "#e5803a", "#fff0dc"),
        bricks,
        Light(-0.5, 0.4),
        (1.2, 520, 450),
    ),
    Shot(
        "city",
        "a photo of TOK woman in a blue hoodie in a city at night, neon light",
        Pose(yaw=24, smile=0.2, gaze=(0.6, -0.2)),
        Outfit("hoodie", "#3d5fa8", "#dfe6f5"),
        city,
        Light(0.9, 0.9, "#b7a6ff", 0.5),
        (1.0, 490, 410),
    ),
    Shot(
        "kitchen",
        "a photo of TOK woman in a floral blouse holding a mug in a bright kitchen",
        Pose(yaw=-6, smile=0.6, arms="mug"),
        Outfit("blouse", "#c9628a", "#fbe3ea", pattern="flowers"),
        kitchen,
        Light(-0.8, 0.35, "#fff8e4", 0.25),
        (0.84, 512, 350),
    ),
]
