from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl import (
    StableDiffusionXLPipeline,
)
from diffusers.utils.state_dict_utils import (
    convert_state_dict_to_diffusers,
    convert_state_dict_to_kohya,
)
from peft.tuners.lora import LoraLayer
from safetensors import safe_open
from safetensors.torch import load_file
from tiny_sdxl import add_random_lora, outputs, tiny_pipeline

from lora_sweep.errors import StoreError
from lora_sweep.results import export, kohya
from lora_sweep.results.export import About, Adapter, Embeddings
from lora_sweep.results.store import Store

ATTENTION = ["to_k", "to_q", "to_v", "to_out.0"]
MORE = [*ATTENTION, "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2"]
CONVOLUTIONS = ["conv1", "conv2", "conv_shortcut", "time_emb_proj", "conv_in", "conv_out", "conv"]
EMBEDDERS = ["time_embedding.linear_1", "time_embedding.linear_2", "add_embedding.linear_1"]
TEXT = ["q_proj", "k_proj", "v_proj", "out_proj"]
ABOUT = About(
    title="lora", base_model="tiny", resolution=64, steps=10, trigger="<s0><s1>", seed=0,
    optimizer="prodigy", learning_rate=1.0, num_train_images=6, trial_id="0123456789ab",
)  # fmt: skip


def trained(
    folder: Path, targets: list[str] = ATTENTION, te: bool = True, **config: Any
) -> tuple[StableDiffusionXLPipeline, Adapter]:
    """A pipeline with a random adapter in it, and that adapter's state dicts."""
    pipeline = tiny_pipeline(folder / "tokenizer", config.pop("layers_per_block", 2))
    unet = add_random_lora(pipeline.unet, 1, target_modules=targets, **config)
    one = two = None
    if te:
        one = add_random_lora(pipeline.text_encoder, 2, target_modules=TEXT, **config)
        two = add_random_lora(pipeline.text_encoder_2, 3, target_modules=TEXT, **config)
    return pipeline, Adapter(
        unet, config["r"], config["lora_alpha"], config.get("use_rslora", False), one, two
    )


def exported(folder: Path, pipeline: StableDiffusionXLPipeline, adapter: Adapter) -> list[Path]:
    layout = kohya.has_sdxl_layout(pipeline.unet.config)
    trial = Store(folder).trial("0123456789ab").create()
    return export.export_adapter(trial, "mine", adapter, ABOUT, sdxl_layout=layout)


def reloaded(folder: Path, path: Path, layers_per_block: int = 2) -> StableDiffusionXLPipeline:
    pipeline = tiny_pipeline(folder / "again", layers_per_block)
    pipeline.load_lora_weights(str(path.parent), weight_name=path.name)
    return pipeline


def assert_same(first: StableDiffusionXLPipeline, second: StableDiffusionXLPipeline) -> None:
    for a, b in zip(outputs(first), outputs(second), strict=True):
        assert (a - b).abs().max() <= 1e-6 * max(1.0, a.abs().max()), (a - b).abs().max()


@pytest.mark.parametrize(
    "config",
    [
        {"r": 4, "lora_alpha": 4},
        {"r": 4, "lora_alpha": 1},
        {"r": 3, "lora_alpha": 7, "use_rslora": True},
        {"r": 2, "lora_alpha": 5, "use_dora": True},
        {"r": 2, "lora_alpha": 5, "use_dora": True, "use_rslora": True},
    ],
)
def test_the_diffusers_file_gives_the_trained_model_back(
    tmp_path: Path, config: dict[str, Any]
) -> None:
    pipeline, adapter = trained(tmp_path, **config)
    path, _ = exported(tmp_path, pipeline, adapter)
    again = reloaded(tmp_path, path)
    plain = tiny_pipeline(tmp_path / "plain")
    assert (outputs(plain)[-1] - outputs(pipeline)[-1]).abs().max() > 1e-3, (
        "the adapter does nothing"
    )
    assert_same(pipeline, again)


@pytest.mark.parametrize("layers_per_block", [1, 2])
@pytest.mark.parametrize(
    "config", [{"r": 4, "lora_alpha": 1}, {"r": 3, "lora_alpha": 7, "use_rslora": True}]
)
def test_the_kohya_file_gives_the_trained_model_back(
    tmp_path: Path, config: dict[str, Any], layers_per_block: int
) -> None:
    pipeline, adapter = trained(tmp_path, layers_per_block=layers_per_block, **config)
    _, path = exported(tmp_path, pipeline, adapter)
    assert_same(pipeline, reloaded(tmp_path, path, layers_per_block))


def test_every_layer_that_can_be_adapted_survives_both_files(tmp_path: Path) -> None:
    targets = [*MORE, *CONVOLUTIONS, *EMBEDDERS]
    pipeline, adapter = trained(tmp_path, targets, te=False, r=2, lora_alpha=3)
    for path in exported(tmp_path, pipeline, adapter):
        assert_same(pipeline, reloaded(tmp_path, path))


def test_keys_and_metadata_of_the_diffusers_file_are_those_that_diffusers_writes(
    tmp_path: Path,
) -> None:
    pipeline, adapter = trained(tmp_path, r=4, lora_alpha=2)
    path, _ = exported(tmp_path, pipeline, adapter)
    reference = tmp_path / "reference"
    StableDiffusionXLPipeline.save_lora_weights(
        str(reference),
        convert_state_dict_to_diffusers(adapter.unet),
        # Before transformers 5 the first encoder's keys began with text_model. too.
        convert_state_dict_to_diffusers(
            {kohya.with_text_model(k): v for k, v in (adapter.text_encoder or {}).items()}
        ),
        convert_state_dict_to_diffusers(dict(adapter.text_encoder_2 or {})),
        unet_lora_adapter_metadata={"r": 4},
    )
    expected = load_file(reference / path.name)
    found = load_file(path)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in expected)
    assert metadata_of(path).keys() == metadata_of(reference / path.name).keys()


def metadata_of(path: Path) -> dict[str, str]:
    with safe_open(path, "pt") as file:
        return file.metadata()


def test_kohya_names_without_sdxl_blocks_are_those_that_diffusers_writes(tmp_path: Path) -> None:
    _, adapter = trained(tmp_path, te=False, r=4, lora_alpha=4)
    expected = convert_state_dict_to_kohya({f"unet.{k}": v for k, v in adapter.unet.items()})
    assert export.to_kohya(adapter, sdxl_layout=False).keys() == expected.keys()


def test_kohya_names_of_sdxl_are_those_of_sd_scripts(tmp_path: Path) -> None:
    pipeline, adapter = trained(tmp_path, MORE, r=4, lora_alpha=4)
    _, path = exported(tmp_path, pipeline, adapter)
    modules = {key.split(".")[0] for key in load_file(path)}
    # Names from published SDXL LoRAs made by sd-scripts.
    assert {
        "lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_k",
        "lora_unet_input_blocks_8_1_transformer_blocks_1_attn2_to_out_0",
        "lora_unet_middle_block_1_transformer_blocks_0_ff_net_0_proj",
        "lora_unet_output_blocks_0_1_proj_in",
        "lora_unet_output_blocks_5_1_transformer_blocks_0_attn2_to_v",
        "lora_te1_text_model_encoder_layers_0_self_attn_k_proj",
        "lora_te2_text_model_encoder_layers_1_self_attn_out_proj",
    } <= modules
    assert not any("down_blocks" in name or "up_blocks" in name for name in modules)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("down_blocks.1.attentions.0.proj_in", "input_blocks.4.1.proj_in"),
        ("down_blocks.0.downsamplers.0.conv", "input_blocks.3.0.op"),
        ("down_blocks.2.resnets.1.conv_shortcut", "input_blocks.8.0.skip_connection"),
        ("mid_block.resnets.1.time_emb_proj", "middle_block.2.emb_layers.1"),
        ("up_blocks.0.upsamplers.0.conv", "output_blocks.2.2.conv"),
        ("up_blocks.2.resnets.2.conv2", "output_blocks.8.0.out_layers.3"),
        ("conv_in", "input_blocks.0.0"),
        ("somewhere.else", None),
    ],
)
def test_module_names_follow_the_published_sdxl_checkpoint(module: str, name: str | None) -> None:
    assert kohya.sgm_name(module) == name


def test_one_module_without_an_sd_name_keeps_diffusers_names_for_all() -> None:
    names = kohya.unet_names(["conv_in", "extra.layer"], sdxl_layout=True)
    assert names == {"conv_in": "conv_in", "extra.layer": "extra_layer"}


def test_the_kohya_files_dora_scale_rebuilds_the_merged_weights(tmp_path: Path) -> None:
    """LyCORIS with wd_on_output: W' = dora_scale * (W + s BA) / ||W + s BA|| per output."""
    targets = [*ATTENTION, "conv1"]
    pipeline, adapter = trained(tmp_path, targets, te=False, r=2, lora_alpha=3, use_dora=True)
    tensors = export.to_kohya(adapter, sdxl_layout=True)
    checked = 0
    for module, layer in pipeline.unet.named_modules():
        if not isinstance(layer, LoraLayer):
            continue
        key = f"lora_unet_{kohya.unet_names([module], sdxl_layout=True)[module]}"
        base: Any = layer.get_base_layer()
        weight = base.weight.detach().clone()
        up, down = tensors[f"{key}.lora_up.weight"], tensors[f"{key}.lora_down.weight"]
        scale = tensors[f"{key}.alpha"].item() / down.shape[0]
        merged = weight + scale * (up.flatten(1) @ down.flatten(1)).reshape(weight.shape)
        dora_scale = tensors[f"{key}.dora_scale"]
        assert dora_scale.shape == (weight.shape[0], *[1] * (weight.ndim - 1)), dora_scale.shape
        norm = merged.flatten(1).norm(dim=1).reshape(dora_scale.shape)
        cast(Any, layer).merge()
        assert torch.allclose(base.weight, merged * dora_scale / norm, atol=1e-6)
        checked += 1
    assert checked > 20, checked


def test_rslora_is_folded_into_the_kohya_alpha(tmp_path: Path) -> None:
    _, adapter = trained(tmp_path, te=False, r=4, lora_alpha=3, use_rslora=True)
    tensors = export.to_kohya(adapter, sdxl_layout=True)
    alphas = {value.item() for key, value in tensors.items() if key.endswith(".alpha")}
    assert alphas == {3 * math.sqrt(4)}


def test_kohya_metadata_name_the_network_the_base_and_the_trigger(tmp_path: Path) -> None:
    pipeline, adapter = trained(tmp_path, te=False, r=4, lora_alpha=2)
    _, path = exported(tmp_path, pipeline, adapter)
    metadata = metadata_of(path)
    expected = {
        "ss_network_dim": "4",
        "ss_network_alpha": "2",
        "ss_base_model_version": "sdxl_base_v1-0",
        "ss_sd_model_name": "tiny",
        "ss_resolution": "(64, 64)",
        "ss_max_train_steps": "10",
        "modelspec.architecture": "stable-diffusion-xl-v1-base/lora",
        "modelspec.trigger_phrase": "<s0><s1>",
        "modelspec.resolution": "64x64",
    }
    assert metadata.items() >= expected.items()
    assert not any("date" in key or "time" in key for key in metadata)


def test_equal_adapters_are_equal_bytes_whatever_the_order_of_their_keys(tmp_path: Path) -> None:
    pipeline, adapter = trained(tmp_path, te=False, r=4, lora_alpha=2)
    backwards = Adapter(dict(reversed(list(adapter.unet.items()))), 4, 2)
    first = [path.read_bytes() for path in exported(tmp_path / "a", pipeline, adapter)]
    second = [path.read_bytes() for path in exported(tmp_path / "b", pipeline, backwards)]
    assert first == second
    header = json.loads(first[1][8 : 8 + int.from_bytes(first[1][:8], "little")])
    assert list(header["__metadata__"]) == sorted(header["__metadata__"])


def test_a_state_dict_of_another_rank_is_refused_by_module(tmp_path: Path) -> None:
    _, adapter = trained(tmp_path, te=False, r=4, lora_alpha=2)
    with pytest.raises(ValueError, match=r"attn1.to_\w.* not rank 8"):
        export.to_diffusers(Adapter(adapter.unet, 8, 8))
    with pytest.raises(ValueError, match=r"conv_in\.bias is not a LoRA key"):
        export.to_diffusers(Adapter({"conv_in.bias": torch.zeros(1)}, 8, 8))


def test_embeddings_are_two_fp32_tables_in_token_order(tmp_path: Path) -> None:
    rows = Embeddings(torch.arange(6.0, dtype=torch.float64).reshape(2, 3), torch.ones(2, 5))
    path = export.export_embeddings(Store(tmp_path).trial("abc"), "mine", rows)
    tables = load_file(path)
    assert path.name == "mine_emb.safetensors"
    assert tables.keys() == {"clip_l", "clip_g"}
    assert tables["clip_l"].dtype == torch.float32
    assert tables["clip_l"].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_a_fully_trained_text_encoder_is_saved_whole_under_its_old_names(tmp_path: Path) -> None:
    pipeline = tiny_pipeline(tmp_path / "tokenizer")
    trial = Store(tmp_path).trial("abc").create()
    for part in ("text_encoder", "text_encoder_2"):
        state = getattr(pipeline, part).state_dict()
        saved = load_file(export.export_text_encoder(trial, part, state, torch.bfloat16))
        assert len(saved) == len(state)
        assert all(key.startswith(("text_model.", "text_projection")) for key in saved)
        assert {value.dtype for value in saved.values()} == {torch.bfloat16}


def test_a_name_that_leaves_the_folder_is_refused_before_anything_is_written(
    tmp_path: Path,
) -> None:
    _, adapter = trained(tmp_path, te=False, r=4, lora_alpha=2)
    trial = Store(tmp_path).trial("abc")
    with pytest.raises(StoreError, match=r"results.name='../evil'"):
        export.export_adapter(trial, "../evil", adapter, ABOUT, sdxl_layout=True)
    assert not trial.path.exists()
