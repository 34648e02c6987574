from __future__ import annotations

import ast
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from markdown_it import MarkdownIt
from PIL import Image
from tiny_sdxl import WIDTH, add_random_lora, tiny_pipeline

from lora_sweep.config.settings import Model, Prediction, Settings
from lora_sweep.model.noise_schedule import build_scheduler
from lora_sweep.results import card, export
from lora_sweep.results.card import CardFacts, SamplePicture
from lora_sweep.results.card_facts import card_facts
from lora_sweep.results.export import About, Adapter, Embeddings
from lora_sweep.results.store import Store, TrialFolder

# numpy 2 against diffusers' Euler scheduler
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

FACTS = CardFacts(
    name="huggy", base="stabilityai/stable-diffusion-xl-base-1.0", resolution=1024,
    trigger="<s0><s1>", tokens=("<s0>", "<s1>"), scores={"val_loss": 0.12345, "drift": None},
    settings={"lora": {"rank": 4, "blocks": None}, "optimizer": {"name": "prodigy"}},
)  # fmt: skip


@pytest.fixture
def trial(tmp_path: Path) -> TrialFolder:
    return Store(tmp_path).trial("0123456789ab").create()


def front_matter(text: str) -> dict[str, Any]:
    """What lies before the first line that is just ---, where the hub ends it."""
    assert text.startswith("---\n")
    return yaml.safe_load(text[4:].split("\n---\n", 1)[0])


def snippet(text: str) -> str:
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 1, blocks
    return blocks[0]


def test_the_front_matter_names_base_tags_trigger_and_pictures(trial: TrialFolder) -> None:
    sample = SamplePicture(trial.samples / "0.png", 'a "<s0><s1>": icon', 0)
    values = front_matter(card.render_card(trial, replace(FACTS, samples=[sample])))
    assert values["base_model"] == FACTS.base
    assert values["instance_prompt"] == "<s0><s1>"
    assert {"text-to-image", "lora", "diffusers", "stable-diffusion-xl"} <= set(values["tags"])
    assert values["widget"] == [
        {"text": 'a "<s0><s1>": icon', "output": {"url": "samples/0.png"}},
    ]


def test_a_folder_of_this_machine_is_not_given_as_a_base_on_the_hub(trial: TrialFolder) -> None:
    values = front_matter(card.render_card(trial, replace(FACTS, base="/home/me/sdxl")))
    assert "base_model" not in values


def test_pictures_are_linked_as_seen_from_the_card() -> None:
    """Also where results.dir is relative, as it is by default."""
    for root in (Path("results"), Path("/results")):
        trial = Store(root).trial("0123456789ab")
        sample = SamplePicture(trial.samples / "0.png", "TOK", 0)
        text = card.render_card(trial, replace(FACTS, samples=[sample]))
        assert "![TOK](samples/0.png)" in text
        assert front_matter(text)["widget"][0]["output"] == {"url": "samples/0.png"}


def test_settings_and_measures_are_tables(trial: TrialFolder) -> None:
    html = MarkdownIt().enable("table").render(card.render_card(trial, FACTS))
    expected = {"lora.rank": "4", "optimizer.name": "prodigy", "val_loss": "0.1235", "drift": "-"}
    for name, value in expected.items():
        assert f"<td>{name}</td>\n<td>{value}</td>" in html, name


HOSTILE = (
    "a|b](http://x) <script>alert(1)</script>\n---\n# head\n```\n![p](q) *s* `c` \\ {{x}}: &amp;"
)


def test_text_that_a_user_wrote_is_shown_and_never_obeyed(trial: TrialFolder) -> None:
    sample = SamplePicture(trial.samples / "0.png", HOSTILE, 0)
    facts = replace(
        FACTS, base=HOSTILE, trigger=HOSTILE, samples=[sample], tokens=(HOSTILE,),
        settings={"dataset": {HOSTILE: HOSTILE}}, vae=HOSTILE, revision=HOSTILE,
    )  # fmt: skip
    text = card.render_card(trial, facts)
    values = front_matter(text)
    body = text.split("\n---\n", 1)[1]
    assert values["instance_prompt"] == HOSTILE
    assert values["widget"][0]["text"] == HOSTILE
    html = MarkdownIt().enable("table").render(body)
    shown = re.sub(r"<pre>.*?</pre>", "", html, flags=re.DOTALL)
    assert "<script" not in shown
    assert "<a " not in shown
    assert "<strong" not in shown
    assert shown.count("<img") == 1
    assert re.findall(r"<h1>", shown) == ["<h1>"]
    code = snippet(text)
    strings = [n.value for n in ast.walk(ast.parse(code)) if isinstance(n, ast.Constant)]
    assert strings.count(HOSTILE) == 5  # base, revision, vae, token, prompt


def run_snippet(folder: TrialFolder, facts: CardFacts, monkeypatch: pytest.MonkeyPatch) -> Any:
    code = snippet(card.write_card(folder, facts).read_text(encoding="utf-8"))
    monkeypatch.chdir(folder.path.parent)
    variables: dict[str, Any] = {}
    exec(compile(code, "README.md", "exec"), variables)
    with Image.open(folder.path.parent / "image.png") as image:
        assert image.size == (facts.resolution, facts.resolution)
    return variables["pipe"]


def tiny_trial(tmp_path: Path, trial: TrialFolder) -> CardFacts:
    """A base on disk and an exported adapter."""
    base = tiny_pipeline(tmp_path / "tokenizer")
    base.save_pretrained(tmp_path / "base")
    unet = add_random_lora(base.unet, 1, r=2, lora_alpha=3, target_modules=["to_k"])
    about = About(title="huggy", base_model="tiny", resolution=16, steps=1)
    export.export_adapter(trial, "huggy", Adapter(unet, 2, 3), about, sdxl_layout=True)
    return replace(FACTS, base=str(tmp_path / "base"), resolution=16)


def test_the_snippet_works_as_pasted_with_new_tokens(
    tmp_path: Path, trial: TrialFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = tiny_trial(tmp_path, trial)
    rows = Embeddings(torch.randn(2, WIDTH), torch.randn(2, WIDTH))
    export.export_embeddings(trial, "huggy", rows)
    pipe = run_snippet(trial, replace(facts, pooling_at_eos=True), monkeypatch)
    ids = pipe.tokenizer.convert_tokens_to_ids(["<s0>", "<s1>"])
    for encoder, expected in ((pipe.text_encoder, rows.clip_l), (pipe.text_encoder_2, rows.clip_g)):
        assert torch.equal(encoder.get_input_embeddings().weight[ids], expected)
    assert pipe.text_encoder_2.text_model.eos_token_id == pipe.tokenizer_2.eos_token_id
    assert pipe.get_active_adapters()


def test_the_snippet_works_as_pasted_with_fully_trained_text_encoders_and_another_vae(
    tmp_path: Path, trial: TrialFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = tiny_trial(tmp_path, trial)
    trained = tiny_pipeline(tmp_path / "tokenizer")
    for part in ("text_encoder", "text_encoder_2"):
        model = getattr(trained, part)
        for parameter in model.parameters():
            parameter.data += 1
        export.export_text_encoder(trial, part, model.state_dict(), torch.float32)
    facts = replace(
        facts, trigger="TOK", tokens=(), full_text_encoders=True, vae=str(tmp_path / "base" / "vae")
    )
    pipe = run_snippet(trial, facts, monkeypatch)
    for part in ("text_encoder", "text_encoder_2"):
        expected = getattr(trained, part).state_dict()
        found = getattr(pipe, part).state_dict()
        assert all(torch.equal(found[key], expected[key]) for key in expected)


def test_a_single_file_base_is_loaded_as_one(trial: TrialFolder) -> None:
    code = card.diffusers_snippet(trial, replace(FACTS, single_file=True, base="x.safetensors"))
    assert "StableDiffusionXLPipeline.from_single_file('x.safetensors')" in code
    assert "clip_skip" not in code
    assert "clip_skip=1" in card.diffusers_snippet(trial, replace(FACTS, clip_skip=1))


def test_other_tools_are_told_their_files_and_the_limits_of_dora(trial: TrialFolder) -> None:
    text = card.render_card(trial, replace(FACTS, dora=True))
    for part in ("`models/loras`", "`<lora:huggy:1>`", "`embedding:huggy_emb`", "This is a DoRA"):
        assert part in text
    plain = card.render_card(trial, replace(FACTS, tokens=()))
    assert "embeddings" not in plain
    assert "DoRA" not in plain


def test_the_snippet_draws_with_the_noise_that_the_trial_was_trained_with(
    tmp_path: Path, trial: TrialFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Model(prediction=Prediction.v_prediction, zero_terminal_snr=True)
    noise = card_facts(Settings(model=model), trial, {}, []).noise
    facts = replace(tiny_trial(tmp_path, trial), tokens=(), trigger="", noise=noise)
    found = run_snippet(trial, facts, monkeypatch).scheduler
    file = tmp_path / "base" / "scheduler" / "scheduler_config.json"
    expected = build_scheduler(json.loads(file.read_text()), model)
    for key in ("prediction_type", "rescale_betas_zero_snr", "timestep_spacing"):
        assert found.config[key] == expected.config[key]
    assert torch.equal(found.alphas_cumprod, expected.alphas_cumprod)
    assert card_facts(Settings(), trial, {}, []).noise == {}
