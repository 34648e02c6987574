"""The files of a finished trial, and that diffusers gives the trial's own pictures from them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from diffusers import StableDiffusionXLPipeline
from PIL import Image
from runs import STEPS, record_of, rows_of, small

from lora_sweep.config.settings import Evaluate, Lora, ProdigyPlus, Results, Settings
from lora_sweep.data.captions import replace_abstractions
from lora_sweep.model import sample
from lora_sweep.model.base import Base
from lora_sweep.results.checkpoint import latest_checkpoint
from lora_sweep.results.finished import finished_trials
from lora_sweep.results.measures import MEASURES
from lora_sweep.results.weights import weights_on
from lora_sweep.sweep import trainer
from lora_sweep.sweep.run import run_trial
from lora_sweep.training.prepare import Items
from lora_sweep.training.trial import build_trial

PROMPT = "a photo of TOK woman"
DRAWN = Evaluate(prompts=(PROMPT,), images_per_prompt=1, sample_steps=2, loss_timesteps=2)
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "pivotal": ("pivotal", {}),
    "lora": ("lora", {}),
    "full": ("full", {}),
    "frozen": ("frozen", {}),
    "dora": ("lora", {"lora": Lora(rank=2, use_dora=True)}),
    "alpha": ("lora", {"lora": Lora(rank=4, alpha=1.0)}),
    "rslora": ("lora", {"lora": Lora(rank=4, use_rslora=True)}),
    "averaged": ("pivotal", {"optimizer": ProdigyPlus(d0=1e-3)}),
}


@dataclass(frozen=True)
class Finished:
    settings: Settings
    folder: Path


@pytest.fixture(scope="module", params=VARIANTS)
def finished(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    shared_cache: Path,
    loaded_base: Base,
) -> Finished:
    te_mode, sections = VARIANTS[request.param]
    root = tmp_path_factory.mktemp("results")
    (root / "cache").symlink_to(shared_cache)
    results = Results(dir=str(root), name="my_face")
    settings = small(root, te_mode, evaluate=DRAWN, results=results, **sections)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "load_base", lambda *arguments: loaded_base)
        result = run_trial(settings)
    assert not result.failed
    return Finished(settings, result.folder)


def files_of(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_a_finished_trial_leaves_exactly_the_files_that_are_promised(finished: Finished) -> None:
    expected = {
        "config.yaml", "trial.json", "metrics.jsonl", "pytorch_lora_weights.safetensors",
        "my_face.safetensors", "README.md", "samples/samples.json", ".lock",
        f"samples/step-{STEPS:06d}-prompt-0-seed-0.png",
        f"checkpoints/step-{STEPS:06d}/state.safetensors",
        f"checkpoints/step-{STEPS:06d}/state.json",
    }  # fmt: skip
    extra = {
        "pivotal": {"my_face_emb.safetensors"},
        "full": {"text_encoder.safetensors", "text_encoder_2.safetensors"},
    }
    assert files_of(finished.folder) == expected | extra.get(finished.settings.te_mode.name, set())


def test_records_and_metrics_are_read_with_the_standard_library(finished: Finished) -> None:
    record, rows = record_of(finished.folder), rows_of(finished.folder)
    assert record["state"] == "done" and record["error"] is None and record["steps"] == STEPS
    assert record["id"] == finished.folder.name and record["seconds"] > 0
    # One picture of one prompt has no diversity.
    assert set(record["scores"]) == set(MEASURES) - {"diversity"}
    assert [row["step"] for row in rows if "loss" in row] == list(range(1, STEPS + 1))
    (measured,) = [row for row in rows if "loss" not in row]
    assert measured == {"step": STEPS, **record["scores"]}


def test_config_yaml_holds_every_setting_with_the_steps_filled_in(finished: Finished) -> None:
    values = yaml.safe_load((finished.folder / "config.yaml").read_text(encoding="utf-8"))
    assert values["lora"]["rank"] == finished.settings.lora.rank
    assert values["te_mode"]["name"] == finished.settings.te_mode.name
    assert values["train"]["max_train_steps"] == STEPS


def test_diffusers_draws_the_trials_own_pictures_from_its_files(
    finished: Finished, base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    (drawn,) = json.loads((finished.folder / "samples/samples.json").read_text(encoding="utf-8"))
    monkeypatch.setattr(sample, "_picture", floats)
    live = live_picture(finished, base, drawn["text"], drawn["seed"])
    loaded = draw(card_pipeline(finished.folder), drawn["text"], drawn["seed"])
    assert np.abs(loaded - live).max() <= 1e-4
    with Image.open(finished.folder / "samples" / drawn["file"]) as picture:
        on_disk = np.asarray(picture) / 255
    assert np.abs(on_disk - live).max() <= 0.5 / 255 + 1e-4
    untrained = base_picture(PROMPT, drawn["seed"])
    assert np.abs(loaded - untrained).max() > 5e-3, "with no effect nothing would be tested"


def test_the_weights_on_a_base_again_draw_what_diffusers_draws(
    finished: Finished, base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    (drawn,) = json.loads((finished.folder / "samples/samples.json").read_text(encoding="utf-8"))
    monkeypatch.setattr(sample, "_picture", floats)
    (trial,) = finished_trials(finished.folder.parents[1], [finished.folder.name])
    request, sampler = sample.SampleRequest(drawn["text"], 7), sample.SamplerSettings(64, 2, 5.0, 1)
    with weights_on(base, trial) as replacements:
        assert replace_abstractions(PROMPT, replacements) == drawn["text"]
        (again,) = sample.draw_pictures(base, [request], sampler)
    loaded = draw(card_pipeline(finished.folder), drawn["text"], 7)
    assert np.abs(np.asarray(again) - loaded).max() <= 1e-4


# Not of a DoRA: diffusers drops that part of a kohya file, as the card says.
@pytest.mark.parametrize("finished", ["frozen", "lora", "alpha", "rslora"], indirect=True)
def test_the_kohya_file_gives_the_same_weights_as_the_diffusers_file(finished: Finished) -> None:
    of_diffusers, of_kohya = base_pipeline(), base_pipeline()
    of_diffusers.load_lora_weights(
        str(finished.folder), weight_name="pytorch_lora_weights.safetensors"
    )
    of_kohya.load_lora_weights(str(finished.folder), weight_name="my_face.safetensors")
    expected, found = deltas(of_diffusers), deltas(of_kohya)
    assert expected.keys() == found.keys() and expected
    for name in expected:
        torch.testing.assert_close(found[name], expected[name], rtol=1e-5, atol=1e-7)


# The lines before the drawing are run for every variant above.
@pytest.mark.parametrize("finished", ["pivotal"], indirect=True)
def test_the_cards_python_works_as_pasted(
    finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run_code(card_code(finished.folder))
    (drawn,) = json.loads((finished.folder / "samples/samples.json").read_text(encoding="utf-8"))
    sample_path = finished.folder / "samples" / drawn["file"]
    with Image.open("image.png") as pasted, Image.open(sample_path) as sampled:
        assert pasted.size == (64, 64)
        difference = np.asarray(pasted, np.int16) - np.asarray(sampled, np.int16)
    # It is the first validation picture; what lies between two levels may be rounded either way.
    assert np.abs(difference).max() <= 1 and (difference != 0).mean() < 1e-3


def test_the_card_shows_the_pictures_and_the_measures(finished: Finished) -> None:
    card = (finished.folder / "README.md").read_text(encoding="utf-8")
    (path,) = re.findall(r"!\[.*\]\((.*)\)", card)
    assert (finished.folder / path).is_file()
    assert "| val\\_loss |" in card and "| lora\\.rank |" in card


def test_subject_in_a_prompt_stands_for_the_abstractions(root: Path) -> None:
    evaluate = replace(DRAWN, prompts=("{subject} on the beach",), loss_timesteps=0)
    folder = run_trial(small(root, train={"max_train_steps": 2}, evaluate=evaluate)).folder
    (drawn,) = json.loads((folder / "samples/samples.json").read_text(encoding="utf-8"))
    assert drawn["prompt"] == "TOK on the beach" and drawn["text"] == "<s0><s1> on the beach"


def card_code(folder: Path) -> str:
    card = (folder / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    return code


def run_code(code: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(code, "README.md", "exec"), names)
    return names


def card_pipeline(folder: Path) -> StableDiffusionXLPipeline:
    """The pipeline as the card builds it, before it draws."""
    return run_code(card_code(folder).partition("image = ")[0])["pipe"]


def base_pipeline() -> StableDiffusionXLPipeline:
    from lora_sweep.nano import WEIGHTS

    pipe = StableDiffusionXLPipeline.from_pretrained(str(WEIGHTS), add_watermarker=False)
    return pipe.to("cpu", torch.float32)  # transformers keeps the encoders as they are stored


@cache
def base_picture(prompt: str, seed: int) -> np.ndarray:
    return draw(base_pipeline(), prompt, seed)


def draw(pipe: StableDiffusionXLPipeline, prompt: str, seed: int) -> np.ndarray:
    pipe.set_progress_bar_config(disable=True)
    generator = torch.Generator("cpu").manual_seed(seed)
    output: Any = pipe(
        prompt, width=64, height=64, num_inference_steps=2, guidance_scale=5.0,
        generator=generator, output_type="np",
    )  # fmt: skip
    return output.images[0]


def floats(pixels_CHW: torch.Tensor) -> np.ndarray:
    return (pixels_CHW * 0.5 + 0.5).clamp(0, 1).permute(1, 2, 0).numpy()


def live_picture(finished: Finished, base: Base, text: str, seed: int) -> np.ndarray:
    """The picture in floats, drawn by the training's own modules as of the last step."""
    items = Items(torch.zeros(1, 8, 16, 16), torch.zeros(1, 6, dtype=torch.long), (PROMPT,))
    trial = build_trial(base, finished.settings, items, None, STEPS)
    try:
        found = latest_checkpoint(finished.folder / "checkpoints")
        assert found is not None and found[0] == STEPS
        trial.restore(found[1], found[2])
        request, sampler = sample.SampleRequest(text, seed), sample.SamplerSettings(64, 2, 5.0, 1)
        with trial.optimizer.final_weights():
            (picture,) = sample.draw_pictures(base, [request], sampler)
        return np.asarray(picture)
    finally:
        trial.close()


def deltas(pipe: StableDiffusionXLPipeline) -> dict[str, torch.Tensor]:
    """What each LoRA adds to its layer, its scale included."""
    from peft.tuners.lora import LoraLayer

    models = {name: getattr(pipe, name) for name in ("unet", "text_encoder", "text_encoder_2")}
    layers: dict[str, Any] = {
        f"{part}.{name}": layer
        for part, model in models.items()
        for name, layer in model.named_modules()
        if isinstance(layer, LoraLayer)
    }
    return {
        name: layer.get_delta_weight(layer.active_adapters[0]) for name, layer in layers.items()
    }
