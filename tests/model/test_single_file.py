"""A checkpoint in one file: what comes out of it is what went in, and nothing is fetched."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from full_size.original_names import original_state
from safetensors.torch import save_file
from tiny_sdxl import outputs, tiny_pipeline
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from lora_sweep.config.settings import Model
from lora_sweep.errors import ModelError
from lora_sweep.model.base import load_base
from lora_sweep.model.folder_files import SDXL_FOLDER
from lora_sweep.model.single_file import load_single_file

State = dict[str, Tensor]
CPU = torch.device("cpu")
PARTS = ("unet", "vae", "text_encoder", "text_encoder_2")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return tiny_pipeline(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def configs(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Configs of the tiny SDXL, in the place of the packaged ones."""
    folder = tmp_path_factory.mktemp("configs")
    for part in (*PARTS, "scheduler"):
        (folder / part).mkdir()
        owner = getattr(tiny, part)
        if part.startswith("text"):
            owner.config.save_pretrained(folder / part)
        else:
            owner.save_config(folder / part)
    tiny.save_config(folder)
    return folder


@pytest.fixture(scope="module")
def state(tiny: Any) -> State:
    return original_state(tiny.unet, tiny.vae, tiny.text_encoder, tiny.text_encoder_2)


def write(folder: Path, state: State, name: str = "model", **metadata: str) -> Path:
    path = folder / f"{name}.safetensors"
    save_file({key: value.clone() for key, value in state.items()}, path, metadata or None)
    return path


def test_every_weight_of_every_part_arrives(
    tiny: Any, state: State, configs: Path, tmp_path: Path
) -> None:
    parts = load_single_file(write(tmp_path, state), torch.float32, torch.float32, configs)
    for part in PARTS:
        found, wanted = getattr(parts, part).state_dict(), getattr(tiny, part).state_dict()
        assert found.keys() == wanted.keys()
        assert all(torch.equal(found[name], wanted[name]) for name in wanted), part
    loaded: Any = parts  # it has the modules that `outputs` looks at
    assert all(torch.equal(a, b) for a, b in zip(outputs(loaded), outputs(tiny), strict=True))


def test_each_part_is_read_in_its_own_precision_the_vae_without_rounding(
    tiny: Any, state: State, configs: Path, tmp_path: Path
) -> None:
    parts = load_single_file(write(tmp_path, state), torch.bfloat16, torch.float32, configs)
    for module in (parts.unet, parts.text_encoder, parts.text_encoder_2):
        assert {p.dtype for p in module.parameters()} == {torch.bfloat16}
    own = tiny.vae.state_dict()
    assert all(torch.equal(own[name], value) for name, value in parts.vae.state_dict().items())


def test_a_vae_that_is_given_takes_the_place_of_the_files_own(
    tiny: Any, state: State, configs: Path, tmp_path: Path
) -> None:
    without = {name: value for name, value in state.items() if "first_stage_model" not in name}
    path = write(tmp_path, without)
    assert load_single_file(path, torch.float32, tiny.vae, configs).vae is tiny.vae
    with pytest.raises(ModelError, match="it lacks a VAE"):
        load_single_file(path, torch.float32, torch.float32, configs)


@pytest.mark.parametrize(
    ("marks", "metadata", "prediction", "zero_snr"),
    [
        ((), {}, "epsilon", False),
        (("v_pred",), {}, "v_prediction", False),
        (("v_pred", "ztsnr"), {}, "v_prediction", True),
        ((), {"modelspec.prediction_type": "v"}, "v_prediction", False),
        ((), {"modelspec.prediction_type": "epsilon"}, "epsilon", False),
    ],
)
def test_what_the_unet_predicts_is_read_from_the_file(
    state: State,
    configs: Path,
    tmp_path: Path,
    marks: tuple[str, ...],
    metadata: dict[str, str],
    prediction: str,
    zero_snr: bool,
) -> None:
    marked = {**state, **{name: torch.empty(0) for name in marks}}
    path = write(tmp_path, marked, **metadata)
    config = load_single_file(path, torch.float32, torch.float32, configs).scheduler_config
    assert config["prediction_type"] == prediction
    assert config["rescale_betas_zero_snr"] is zero_snr


def test_a_name_that_speaks_of_v_prediction_alone_is_told(
    state: State, configs: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path, state, "thing_V-Pred_10")
    with caplog.at_level(logging.WARNING):
        parts = load_single_file(path, torch.float32, torch.float32, configs)
    assert parts.scheduler_config["prediction_type"] == "epsilon"
    assert "model.prediction=v_prediction" in caplog.text


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("model.diffusion_model.output_blocks.3.0.in_layers.2.weight", "unet"),
        ("first_stage_model.decoder.conv_in.weight", "vae"),
        ("conditioner.embedders.1.model.transformer.resblocks.1.ln_1.bias", "text_encoder_2"),
    ],
)
def test_a_part_that_was_cut_down_is_refused(
    state: State, configs: Path, tmp_path: Path, name: str, part: str
) -> None:
    path = write(tmp_path, {key: value for key, value in state.items() if key != name})
    with pytest.raises(ModelError, match=f"some weights of its {part} are missing"):
        load_single_file(path, torch.float32, torch.float32, configs)


def test_a_tiny_checkpoint_is_no_sdxl_by_the_packaged_sizes(state: State, tmp_path: Path) -> None:
    path = write(tmp_path, state)
    with pytest.raises(ModelError) as found:
        load_base(Model(path=str(path), single_file=True), CPU)
    assert str(found.value).startswith(f"model.path is '{path}': its UNet takes 40 numbers for")


def test_a_file_that_is_cut_short_or_not_there_is_refused(state: State, tmp_path: Path) -> None:
    path = write(tmp_path, state)
    path.write_bytes(path.read_bytes()[:-100])
    for place, reason in ((path, "its last 100 bytes are missing"), (tmp_path / "no", "no such")):
        with pytest.raises(ModelError, match=reason):
            load_base(Model(path=str(place), single_file=True), CPU)


def config_of(part: str) -> Any:
    return json.loads((SDXL_FOLDER / part / "config.json").read_text())


def test_the_packaged_configs_give_sdxls_sizes() -> None:
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(config_of("unet"))
        vae = AutoencoderKL.from_config(config_of("vae"))
        text = CLIPTextModel(CLIPTextConfig.from_pretrained(SDXL_FOLDER / "text_encoder"))
        text_2 = CLIPTextModelWithProjection(
            CLIPTextConfig.from_pretrained(SDXL_FOLDER / "text_encoder_2")
        )
    models: tuple[Any, ...] = (unet, text, text_2, vae)
    found = [sum(p.numel() for p in model.parameters()) for model in models]
    assert found == [2_567_463_684, 123_060_480, 694_659_840, 83_653_863]
