"""What samples are compared with, and the measures that come of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from lora_sweep.config.settings import Dataset, Embedder, Evaluate, Model, Settings
from lora_sweep.data.cache import Cache
from lora_sweep.data.examples import Example
from lora_sweep.data.sources import load_examples
from lora_sweep.errors import ModelError
from lora_sweep.model.base import Base
from lora_sweep.results.measure import pictures as module
from lora_sweep.results.measure.pictures import (
    PictureReference,
    centre_square,
    make_picture_reference,
    measure_pictures,
)

FACES = Dataset(name="face", set="varied", class_noun="woman")
PROMPTS = ("a TOK woman", "a TOK woman at the beach")


@dataclass
class Brightness:
    """Embeds a picture by its mean colour, nothing of it where it is black."""

    identity: str = "brightness"
    module: None = None
    seen: list[tuple[int, int]] = field(default_factory=list)

    def images(self, pictures: Sequence[Image.Image]) -> Tensor:
        self.seen += [picture.size for picture in pictures]
        means = [
            picture.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0)) for picture in pictures
        ]
        return torch.nn.functional.normalize(torch.tensor(means, dtype=torch.float32), dim=-1)

    def texts(self, texts: Sequence[str]) -> Tensor:
        red, blue = torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 0.0, 1.0])
        return torch.stack([red if "red" in text else blue for text in texts])


def colours(*names: str) -> list[Image.Image]:
    return [Image.new("RGB", (8, 8), name) for name in names]


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> tuple[Example, ...]:
    return load_examples(FACES, tmp_path_factory.mktemp("cache")).train


def settings(model: Model | None = None, **asked: object) -> Settings:
    evaluate = Evaluate(prompts=PROMPTS, **asked)  # type: ignore[arg-type]
    return Settings(model=model or Model(), dataset=FACES, evaluate=evaluate)


def test_measures_of_colours_are_what_they_must_be(base: Base) -> None:
    embedder = Brightness()
    reference = PictureReference(embedder, embedder, embedder.images(colours("red", "lime")))
    scores = measure_pictures(
        base, reference, colours("red", "red", "red", "blue"), ["a red ball", "a blue ball"]
    )
    assert scores == pytest.approx(
        {"subject": 3 / 8, "copying": 1, "diversity": 0.5, "prompt": 3 / 4}
    )


def test_what_cannot_be_measured_is_left_out(base: Base) -> None:
    embedder, one = Brightness(), colours("red")
    training = embedder.images(one)
    only_text = PictureReference(None, embedder, None)
    assert measure_pictures(base, only_text, one, ["a red ball"]) == {"prompt": 1}
    single = PictureReference(embedder, None, training)
    assert set(measure_pictures(base, single, one, ["a red ball"])) == {"subject", "copying"}
    faceless = PictureReference(embedder, None, training[:0])
    twice = colours("red", "red")
    assert measure_pictures(base, faceless, twice, ["a red ball"]) == {"diversity": 0}


def test_training_pictures_are_embedded_once_as_large_as_samples(
    base: Base,
    faces: tuple[Example, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    embedder, said = Brightness(), []
    monkeypatch.setattr(module, "open_embedder", lambda source: embedder)
    first, again = (
        make_picture_reference(base, settings(), faces, Cache(tmp_path), said.append)
        for _ in range(2)
    )
    assert embedder.seen == [(64, 64)] * len(faces) and not said
    assert first.training_TD is not None and again.training_TD is not None
    assert torch.equal(first.training_TD, again.training_TD)
    alone = embedder.images([centre_square(faces[2], FACES, 64)])
    assert torch.equal(first.training_TD[2:3], alone)
    embedder.identity = "another"
    make_picture_reference(base, settings(), faces, Cache(tmp_path), said.append)
    assert len(embedder.seen) == 2 * len(faces) + 1


def test_training_pictures_without_a_find_are_left_out(
    base: Base, faces: tuple[Example, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Blind(Brightness):
        def images(self, pictures: Sequence[Image.Image]) -> Tensor:
            self.seen += [picture.size for picture in pictures]
            return torch.zeros(len(pictures), 3) + (len(self.seen) == self.identity.count("2"))

    said: list[str] = []
    for identity, rows in (("finds 2 of them, no", 1), ("finds none", 0)):
        monkeypatch.setattr(module, "open_embedder", lambda source, i=identity: Blind(i))
        found = make_picture_reference(base, settings(), faces, Cache(tmp_path), said.append)
        assert found.training_TD is not None and len(found.training_TD) == rows
    (line,) = said
    assert "finds nothing in any training picture: subject and copying are not measured" in line


def test_with_auto_what_cannot_be_had_is_said_once_and_left_out(
    base: Base, faces: tuple[Example, ...], tmp_path: Path
) -> None:
    said: list[str] = []
    asked = settings(Model(path="stabilityai/stable-diffusion-xl-base-1.0"))
    found = make_picture_reference(base, asked, faces, Cache(tmp_path), said.append)
    assert found == PictureReference(None, None, None)
    (line,) = said
    assert line.startswith("not measured: subject, prompt, diversity, copying (openai/clip-vit")


def test_with_another_embedder_only_the_prompt_is_left_out_where_there_is_no_clip(
    base: Base, faces: tuple[Example, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "open_embedder", lambda source: Brightness())
    said: list[str] = []
    asked = settings(Model(path="some/sdxl"), embedder=Embedder.efficientnet)
    found = make_picture_reference(base, asked, faces, Cache(tmp_path), said.append)
    assert found.embedder is not None and found.text_embedder is None
    assert [line.partition(" (")[0] for line in said] == ["not measured: prompt"]


@pytest.mark.parametrize(
    "asked",
    [
        {"embedder": Embedder.clip},
        {"clip": "owner/not-there"},
        {"embedder": Embedder.dinov2, "dinov2": "/nowhere"},
    ],
)
def test_what_was_asked_for_by_name_must_be_there(
    base: Base, faces: tuple[Example, ...], tmp_path: Path, asked: dict[str, object]
) -> None:
    with pytest.raises(ModelError):
        make_picture_reference(
            base, settings(Model(path="some/sdxl"), **asked), faces, Cache(tmp_path), print
        )


def test_none_measures_no_pictures(base: Base, faces: tuple[Example, ...], tmp_path: Path) -> None:
    asked = settings(embedder=Embedder.none)
    found = make_picture_reference(base, asked, faces, Cache(tmp_path), print)
    assert found == PictureReference(None, None, None)
