"""Embedders against the libraries' own ways, and what is said where one cannot be had."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from transformers import (
    AutoImageProcessor,
    BitImageProcessorPil,
    CLIPModel,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTokenizer,
    Dinov2Config,
    Dinov2Model,
)

import lora_sweep
from lora_sweep.config import problems
from lora_sweep.config.settings import Embedder, Evaluate, Model, Settings
from lora_sweep.data.images import read_picture
from lora_sweep.errors import ModelError
from lora_sweep.nano import WEIGHTS
from lora_sweep.results.embedders import places
from lora_sweep.results.embedders.interface import (
    PictureEmbedder,
    open_embedder,
    open_text_embedder,
)
from lora_sweep.results.embedders.places import (
    HUB_CLIP,
    HUB_DINOV2,
    Source,
    embedder_problems,
    picture_source,
    text_source,
    unavailable,
)
from lora_sweep.results.measure.similarity import subject

NANO = Source(Embedder.clip, "nano")
NETWORK = importlib.util.find_spec("efficientnet_lite_pytorch")
PACKAGED = Path(lora_sweep.__file__).parent / "data" / "packaged"
FACES = all(map(importlib.util.find_spec, ("dlib", "face_recognition_models")))


def picture(seed: int, size: tuple[int, int] = (64, 64)) -> Image.Image:
    levels = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(levels).resize(size, Image.Resampling.BICUBIC)


def packaged(embedder: PictureEmbedder, name: str, part: str, count: int | None = None) -> Tensor:
    """Embeddings of the first `count` pictures that come with the package."""
    paths = sorted((PACKAGED / name / part).iterdir())[:count]
    return embedder.images([read_picture(path) for path in paths])


@pytest.fixture(autouse=True)
def asked_anew() -> None:
    unavailable.cache_clear()


@pytest.fixture(scope="module")
def dinov2_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("dinov2")
    config = Dinov2Config(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=28, patch_size=14
    )
    Dinov2Model(config).save_pretrained(folder)
    square = {"height": 28, "width": 28}
    BitImageProcessorPil(size={"shortest_edge": 28}, crop_size=square).save_pretrained(folder)
    return folder


@torch.no_grad()
def test_the_packaged_clip_embeds_as_transformers_does() -> None:
    model = CLIPModel.from_pretrained(WEIGHTS / "clip", dtype=torch.float32).eval()
    processor: Any = AutoImageProcessor.from_pretrained(WEIGHTS / "clip", backend="pil")
    tokenizer: Any = CLIPTokenizer.from_pretrained(WEIGHTS / "clip")
    pictures, texts = [picture(0), picture(1, (90, 70))], ["a red circle", "an emoji in space"]
    pixels = processor(images=pictures, return_tensors="pt")["pixel_values"]
    tokens = tokenizer(texts, padding=True, return_tensors="pt")
    outputs = model(pixel_values=pixels, **tokens)
    embedder = open_text_embedder(NANO)
    torch.testing.assert_close(embedder.images(pictures), outputs.image_embeds)
    torch.testing.assert_close(embedder.texts(texts), outputs.text_embeds)


def test_the_packaged_clip_tells_which_caption_is_a_pictures_own() -> None:
    drawn = Image.new("RGB", (64, 64), "red")
    embedder = open_text_embedder(NANO)
    texts = embedder.texts(["a web page about cats", "a red background"])
    assert (embedder.images([drawn]) @ texts.T).argmax() == 1


@torch.no_grad()
def test_dinov2_embeds_as_transformers_does(dinov2_folder: Path) -> None:
    model = Dinov2Model.from_pretrained(dinov2_folder).eval()
    processor: Any = AutoImageProcessor.from_pretrained(dinov2_folder, backend="pil")
    pictures = [picture(0), picture(1)]
    pixels = processor(images=pictures, return_tensors="pt")["pixel_values"]
    expected = torch.nn.functional.normalize(model(pixel_values=pixels).pooler_output, dim=-1)
    embedder = open_embedder(Source(Embedder.dinov2, str(dinov2_folder)))
    torch.testing.assert_close(embedder.images(pictures), expected)
    assert embedder.module is not None and not embedder.module.training


def test_many_pictures_are_embedded_as_each_alone(dinov2_folder: Path) -> None:
    pictures = [picture(seed) for seed in range(20)]
    for source in (NANO, Source(Embedder.dinov2, str(dinov2_folder))):
        embedder = open_embedder(source)
        together = embedder.images(pictures)
        torch.testing.assert_close(together, torch.cat([embedder.images([p]) for p in pictures]))
        torch.testing.assert_close(together.norm(dim=1), torch.ones(20))


def test_an_embedder_is_loaded_once_and_moves_no_generator(dinov2_folder: Path) -> None:
    source = Source(Embedder.dinov2, str(dinov2_folder))
    open_embedder.cache_clear()
    state = torch.get_rng_state()
    first = open_embedder(source)
    assert torch.equal(torch.get_rng_state(), state)
    assert open_embedder(source) is first
    assert open_embedder(NANO) is open_text_embedder(NANO)


def test_an_identity_is_of_the_content_not_of_the_place(
    dinov2_folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(dinov2_folder, tmp_path / "copy")
    first = open_embedder(Source(Embedder.dinov2, str(dinov2_folder)))
    copy = open_embedder(Source(Embedder.dinov2, str(tmp_path / "copy")))
    assert first.identity == copy.identity
    processor = tmp_path / "copy" / "preprocessor_config.json"
    values = json.loads(processor.read_text(encoding="utf-8"))
    processor.write_text(json.dumps(values | {"image_mean": [0.5, 0.5, 0.5]}))
    open_embedder.cache_clear()
    other = open_embedder(Source(Embedder.dinov2, str(tmp_path / "copy")))
    assert other.identity != first.identity


def test_a_model_with_weights_missing_is_refused_and_not_filled_at_random(tmp_path: Path) -> None:
    model = CLIPModel.from_pretrained(WEIGHTS / "clip")
    text_config = model.config.text_config
    assert isinstance(text_config, CLIPTextConfig)
    CLIPTextModel(text_config).save_pretrained(tmp_path)
    for name in ("config.json", "preprocessor_config.json"):
        shutil.copy(WEIGHTS / "clip" / name, tmp_path)
    with pytest.raises(ModelError, match=r"evaluate.clip is .*weights are missing, the first is"):
        open_text_embedder(Source(Embedder.clip, str(tmp_path)))


def test_pickled_weights_are_not_read(tmp_path: Path) -> None:
    for name in ("config.json", "preprocessor_config.json", "tokenizer.json"):
        shutil.copy(WEIGHTS / "clip" / name, tmp_path)
    torch.save({}, tmp_path / "pytorch_model.bin")
    source = Source(Embedder.clip, str(tmp_path))
    assert "has no .safetensors file" in str(unavailable(source))
    with pytest.raises(ModelError, match="cannot be loaded"):
        open_text_embedder(source)


def test_auto_is_the_packaged_clip_on_the_packaged_base_and_the_hubs_elsewhere() -> None:
    nano, sdxl = Settings(), Settings(model=Model(path="stabilityai/sdxl"))
    assert picture_source(nano) == text_source(nano) == NANO
    assert picture_source(sdxl) == text_source(sdxl) == Source(Embedder.clip, HUB_CLIP)


@pytest.mark.parametrize(
    ("asked", "pictures", "text"),
    [
        (Evaluate(clip="a/b"), Source(Embedder.clip, "a/b"), Source(Embedder.clip, "a/b")),
        (Evaluate(embedder=Embedder.dinov2), Source(Embedder.dinov2, HUB_DINOV2), NANO),
        (Evaluate(embedder=Embedder.dinov2, dinov2="x"), Source(Embedder.dinov2, "x"), NANO),
        (Evaluate(embedder=Embedder.face), Source(Embedder.face), NANO),
        (Evaluate(embedder=Embedder.none), None, None),
    ],
)
def test_settings_choose_the_models(asked: Evaluate, pictures: object, text: object) -> None:
    settings = Settings(evaluate=asked)
    assert (picture_source(settings), text_source(settings)) == (pictures, text)


PROMPTS = ("a TOK dog",)


def told(model: Model | None = None, **asked: Any) -> list[str]:
    evaluate = Evaluate(prompts=PROMPTS, **asked)
    return embedder_problems(Settings(model=model or Model(), evaluate=evaluate))


def test_what_is_not_asked_for_by_name_is_no_problem(tmp_path: Path) -> None:
    sdxl = Model(path="stabilityai/sdxl")
    assert told() == told(sdxl) == told(sdxl, embedder=Embedder.none) == []
    nothing = Evaluate(embedder=Embedder.dinov2, dinov2=str(tmp_path))
    assert embedder_problems(Settings(evaluate=nothing)) == [], "no pictures are drawn"


def test_a_model_that_cannot_be_had_is_named_with_what_is_allowed(tmp_path: Path) -> None:
    (line,) = told(embedder=Embedder.dinov2)
    assert line.startswith("evaluate.embedder=dinov2: facebook/dinov2-base is no folder here")
    (line,) = told(embedder=Embedder.dinov2, dinov2="/nowhere")
    assert line == "evaluate.dinov2=/nowhere: there is no such folder: /nowhere"
    (line,) = told(clip=str(tmp_path))
    assert line.startswith(f"evaluate.clip={tmp_path}: {tmp_path}/config.json is not a model's")
    assert line.endswith("evaluate.embedder=none to measure no pictures")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    unavailable.cache_clear()
    assert "holds a model of type bert, not clip" in told(clip=str(tmp_path))[0]
    (line,) = told(Model(path="stabilityai/sdxl"), embedder=Embedder.clip)
    assert line.startswith(f"evaluate.clip=null: {HUB_CLIP} is no folder here")


def test_the_hub_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(places, "_hub_problem", lambda name: asked.append(name))
    for _ in range(3):
        assert told(embedder=Embedder.dinov2) == []
    assert asked == [HUB_DINOV2]


@pytest.mark.parametrize("kind", [Embedder.efficientnet, Embedder.face])
def test_a_missing_extra_is_refused_with_the_command_that_installs_it(
    kind: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lora_sweep.config.rules.find_spec", lambda name: None)
    settings = Settings(evaluate=Evaluate(prompts=PROMPTS, embedder=kind))
    (line,) = [line for line in problems(settings) if "evaluate" in line]
    assert line.startswith(f"evaluate.embedder={kind.name}: needs packages")
    assert f"pip install -e '.[{kind.name}]'" in line
    assert not any("evaluate" in line for line in problems(Settings(evaluate=Evaluate())))


@pytest.mark.skipif(NETWORK is None, reason="needs lora_sweep[efficientnet]")
def test_efficientnet_sees_a_crop_as_the_same_and_another_picture_as_another() -> None:
    embedder = open_embedder(Source(Embedder.efficientnet))
    whole = picture(0, (300, 300))
    crop = whole.crop((20, 20, 280, 280))
    found = embedder.images([whole, crop, picture(3, (300, 300))])
    assert found.shape == (3, 1280)
    assert float(found[0] @ found[1]) > float(found[0] @ found[2]) + 0.05


@pytest.mark.skipif(NETWORK is None, reason="needs lora_sweep[efficientnet]")
@pytest.mark.parametrize("name", ["huggy", "y2k", "face"])
def test_efficientnet_finds_new_pictures_of_a_subject_closer_than_all_else(name: str) -> None:
    embedder = open_embedder(Source(Embedder.efficientnet))
    known = packaged(embedder, name, "train", 4)
    kept_back = packaged(embedder, name, "heldout", 3)
    others = [packaged(embedder, other, "train", 4) for other in {"huggy", "y2k", "face"} - {name}]
    assert all(subject(kept_back, known) > subject(each, known) + 0.1 for each in others)


@pytest.mark.skipif(not FACES, reason="needs lora_sweep[face]")
def test_a_picture_without_a_face_is_zero() -> None:
    embedder = open_embedder(Source(Embedder.face))
    assert not embedder.images([picture(0, (200, 150))]).any()


@pytest.mark.skipif(not FACES, reason="needs lora_sweep[face]")
def test_a_face_is_known_again_among_other_people() -> None:
    embedder = open_embedder(Source(Embedder.face))
    known, kept_back = (packaged(embedder, "face", part) for part in ("train", "heldout"))
    others = packaged(embedder, "face_class", "train")
    assert known.any(dim=1).all() and others.any(dim=1).all(), "every picture shows a face"
    assert (kept_back @ known.T).mean(dim=1).min() > (others @ known.T).mean(dim=1).max()
