"""The 24 invented people of the class portraits; poses and small features are drawn by seed."""

from __future__ import annotations

import random
from dataclasses import dataclass

from face_parts import Hair, Light, Outfit, Person, Pose

SKINS = {
    "pale": "#f6d9c6",
    "fair": "#f0c8a8",
    "olive": "#d9a87c",
    "tan": "#c68a5c",
    "brown": "#96613f",
    "deep": "#6d4430",
}
WALLS = ["#c9d3dd", "#dccfc0", "#c5d2c1", "#d9c5cc", "#b7c4cf", "#d8d2b8", "#c9bfd6", "#b9cfcf"]


@dataclass(frozen=True)
class ClassPerson:
    """Somebody, how they are dressed and seen, and the caption."""

    person: Person
    pose: Pose
    outfit: Outfit
    light: Light
    wall: str
    caption: str


# caption after "a portrait of"; skin; hair style, colour; iris; cut, colour; other features
ROWS: list[tuple[str, str, tuple[str, str], str, tuple[str, str], dict[str, object]]] = [
    (
        "a woman with short black hair",
        "fair",
        ("pixie", "#1f1a1e"),
        "#4a3122",
        ("blouse", "#c24d4d"),
        {},
    ),
    (
        "a woman with long blonde hair",
        "pale",
        ("long", "#dcb467"),
        "#4f86b5",
        ("vneck", "#5c7ea8"),
        {},
    ),
    (
        "a woman with an afro and golden earrings",
        "brown",
        ("afro", "#2a1c18"),
        "#3f2618",
        ("blouse", "#e0a83c"),
        {"earrings": "#e8c04a", "lips": "#a8424c", "lip_fullness": 1.3},
    ),
    (
        "a man with a full brown beard",
        "fair",
        ("quiff", "#5a3a26"),
        "#5a4630",
        ("shirt", "#7d9bb8"),
        {"man": True, "beard": "full"},
    ),
    (
        "an elderly woman with grey hair in a bun, wearing glasses",
        "pale",
        ("bun", "#c9c6c4"),
        "#6d8aa3",
        ("blazer", "#7a5c83"),
        {"age": 1.0, "glasses": "cat", "glasses_color": "#7a2f45"},
    ),
    (
        "a woman with a brown ponytail in a grey hoodie",
        "olive",
        ("ponytail", "#5c3820"),
        "#5a3a20",
        ("hoodie", "#8c929b"),
        {},
    ),
    (
        "a bald man wearing square glasses",
        "tan",
        ("bald", "#3a2a22"),
        "#3c2a1c",
        ("turtleneck", "#3a3f4b"),
        {"man": True, "glasses": "square"},
    ),
    (
        "a woman wearing a teal headscarf",
        "olive",
        ("hijab", "#2f8a86"),
        "#4a3020",
        ("coat", "#c9b79c"),
        {},
    ),
    (
        "a woman with a black bob and a fringe",
        "fair",
        ("bob", "#17161c"),
        "#3a2618",
        ("tshirt", "#e9c9d2"),
        {},
    ),
    (
        "a man with short black hair in a white t-shirt",
        "deep",
        ("crop", "#17120f"),
        "#2f1e14",
        ("tshirt", "#eef0f0"),
        {"man": True, "lip_fullness": 1.25, "lips": "#8c4a48"},
    ),
    (
        "a woman with wavy chestnut hair",
        "fair",
        ("wavy", "#7a4527"),
        "#7a5a2c",
        ("vneck", "#4e7d5f"),
        {},
    ),
    (
        "a woman with pink hair and a denim jacket",
        "pale",
        ("lob", "#e07fa8"),
        "#6a8fb0",
        ("denim", "#56759c"),
        {},
    ),
    (
        "an elderly man with white hair and a moustache",
        "fair",
        ("parting", "#e6e3de"),
        "#5f7f95",
        ("blazer", "#6a5a4a"),
        {"man": True, "age": 1.0, "beard": "moustache"},
    ),
    (
        "a woman with long straight black hair",
        "tan",
        ("long", "#1b1618"),
        "#3a2416",
        ("dress", "#a83e58"),
        {},
    ),
    (
        "a woman with short curly hair in a yellow jumper",
        "deep",
        ("afro", "#35211a"),
        "#2f1e16",
        ("turtleneck", "#e2b23c"),
        {"lips": "#9c3d4c", "lip_fullness": 1.25},
    ),
    (
        "a man with red hair and freckles",
        "pale",
        ("quiff", "#b5582a"),
        "#5f8f7a",
        ("hoodie", "#48705c"),
        {"man": True, "freckles": 45},
    ),
    (
        "a woman with blonde hair in a bun",
        "fair",
        ("bun", "#d6a95a"),
        "#5b7f4f",
        ("dress", "#6c7fb5"),
        {"earrings": "#f2efe8"},
    ),
    (
        "a middle-aged woman with a short grey bob",
        "fair",
        ("bob", "#9a9594"),
        "#4f6f8a",
        ("shirt", "#e6e2dc"),
        {"age": 0.6},
    ),
    (
        "a man with black hair and stubble in a suit",
        "olive",
        ("parting", "#211a1a"),
        "#49301c",
        ("blazer", "#2f3b52"),
        {"man": True, "beard": "stubble"},
    ),
    (
        "a woman with brown hair and square glasses",
        "tan",
        ("lob", "#4a2c1c"),
        "#4a2f1c",
        ("blazer", "#51655c"),
        {"glasses": "square", "glasses_color": "#24242c"},
    ),
    (
        "a woman with a black ponytail in sportswear",
        "deep",
        ("ponytail", "#1a1413"),
        "#2c1c12",
        ("tshirt", "#e0583e"),
        {"lips": "#8f3f4a", "lip_fullness": 1.2},
    ),
    (
        "a young man with blond hair and round glasses",
        "pale",
        ("short", "#c99a52"),
        "#5580a8",
        ("shirt", "#b5c9a4"),
        {"man": True, "glasses": "round", "glasses_color": "#b08a3a"},
    ),
    (
        "a woman with dark wavy hair and red lipstick",
        "olive",
        ("wavy", "#2b1b1a"),
        "#5a3a1f",
        ("evening", "#222630"),
        {"lips": "#b3202f", "earrings": "#e8e4da"},
    ),
    (
        "a man with a grey beard in a blue jumper",
        "brown",
        ("crop", "#4f4a4a"),
        "#33231a",
        ("turtleneck", "#3f5f8c"),
        {"man": True, "beard": "full", "age": 0.7},
    ),
]


def build(number: int) -> ClassPerson:
    """One row of the table, with features, pose, light and wall drawn by its number."""
    caption, skin, (style, hair), iris, (cut, color), other = ROWS[number]
    rng = random.Random(1000 + number)
    extra = dict(other)
    man = bool(extra.pop("man", False))
    features: dict[str, object] = {
        "face_width": rng.uniform(0.94, 1.05),
        "jaw": rng.uniform(1.04, 1.14) if man else rng.uniform(0.9, 1.0),
        "chin": rng.uniform(6, 18) if man else rng.uniform(-10, 8),
        "eye_size": rng.uniform(0.84, 0.92) if man else rng.uniform(0.95, 1.08),
        "eye_gap": rng.uniform(0.95, 1.05),
        "nose_width": rng.uniform(1.05, 1.3) if man else rng.uniform(0.88, 1.15),
        "nose_length": rng.uniform(-2, 10),
        "brow_weight": rng.uniform(1.3, 1.7) if man else rng.uniform(0.8, 1.15),
        "lashes": not man,
        "shoulders": 1.12 if man else 1.0,
        "lips": "#b5736a" if man else "#c4626a",
        "lip_fullness": 0.8 if man else rng.uniform(0.95, 1.15),
    }
    person = Person(SKINS[skin], Hair(style, hair), iris, seed=number, **(features | extra))  # type: ignore[arg-type]
    smile = rng.uniform(0.15, 0.9)
    pose = Pose(
        yaw=rng.uniform(-20, 20),
        pitch=rng.uniform(-3, 4),
        tilt=rng.uniform(-6, 6),
        smile=smile,
        open=rng.choice([0.0, 0.0, 0.35]) if smile > 0.5 else 0.0,
        brows=rng.uniform(-0.3, 0.6),
        gaze=(rng.uniform(-0.3, 0.3), 0.0),
    )
    side = rng.choice([-0.6, 0.6])
    pattern = rng.choice([None, None, "dots", "stripes"]) if cut in ("blouse", "tshirt") else None
    outfit = Outfit(cut, color, pattern=pattern)
    return ClassPerson(
        person,
        pose,
        outfit,
        Light(side, rng.uniform(0.35, 0.6)),
        WALLS[number % 8],
        f"a portrait of {caption}",
    )


CLASS_PEOPLE = [build(number) for number in range(len(ROWS))]
