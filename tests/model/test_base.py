"""Loading a base: what comes out, and what is refused with the setting named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from safetensors.torch import load_file, save_file

from lora_sweep.config.settings import Model, Precision, Prediction
from lora_sweep.errors import ModelError
from lora_sweep.model.base import Base, load_base
from lora_sweep.nano import WEIGHTS

CPU = torch.device("cpu")
Edit = Callable[[Path], None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the embedded base, to be spoilt."""
    return Path(shutil.copytree(WEIGHTS, tmp_path / "base"))


def refusal(**settings: object) -> str:
    with pytest.raises(ModelError) as found:
        load_base(Model(**settings), CPU)  # type: ignore[arg-type]
    return str(found.value)


def edit_json(file: Path, **values: object) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def test_every_part_is_frozen_in_eval_mode_and_in_the_asked_precision(base: Base) -> None:
    for module in (base.unet, base.vae, *base.text_encoders):
        assert not module.training
        assert not any(p.requires_grad for p in module.parameters())
        assert {p.dtype for p in module.parameters()} == {torch.float32}
    assert base.prediction_type == "epsilon" and base.vae_factor == 4


def test_a_vae_of_another_precision_is_read_in_it_not_rounded_first() -> None:
    base = load_base(Model(precision=Precision.bf16), CPU)
    for module in (base.unet, *base.text_encoders):
        assert {p.dtype for p in module.parameters()} == {torch.bfloat16}
    stored = load_file(WEIGHTS / "vae" / "diffusion_pytorch_model.safetensors")
    assert all(torch.equal(stored[name], p) for name, p in base.vae.state_dict().items())
    narrow = load_base(Model(vae_precision=Precision.bf16), CPU)
    assert {p.dtype for p in narrow.vae.parameters()} == {torch.bfloat16}
    assert {p.dtype for p in narrow.unet.parameters()} == {torch.float32}


def test_another_vae_takes_the_place_of_the_bases_own(base: Base, folder: Path) -> None:
    edit_json(folder / "vae" / "config.json", scaling_factor=0.5)
    other = load_base(Model(vae=str(folder / "vae")), CPU)
    assert other.vae.config["scaling_factor"] == 0.5 != base.vae.config["scaling_factor"]


def test_what_the_base_predicts_is_read_from_its_scheduler(folder: Path) -> None:
    edit_json(folder / "scheduler" / "scheduler_config.json", prediction_type="v_prediction")
    assert load_base(Model(path=str(folder)), CPU).prediction_type == "v_prediction"


def test_a_place_that_is_not_there_is_refused() -> None:
    for path in ("/no/such/folder", "nowhere"):
        assert refusal(path=path) == f"model.path is {path!r}: there is no such folder"


def test_a_folder_that_is_no_pipeline_is_refused(tmp_path: Path) -> None:
    message = refusal(path=str(tmp_path))
    assert f"model.path is '{tmp_path}': the folder has no model_index.json" in message


def stable_diffusion_1(folder: Path) -> None:
    edit_json(folder / "model_index.json", _class_name="StableDiffusionPipeline")


def not_json(folder: Path) -> None:
    (folder / "model_index.json").write_text("{")


def without_unet_weights(folder: Path) -> None:
    (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()


def cut_short(part: str, name: str) -> Edit:
    def edit(folder: Path) -> None:
        file = folder / part / name
        file.write_bytes(file.read_bytes()[:-1000])

    return edit


def unet_without_sizes(folder: Path) -> None:
    shutil.rmtree(folder / "unet")
    UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(8, 8),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        norm_num_groups=2,
        attention_head_dim=2,
        cross_attention_dim=160,
    ).save_pretrained(folder / "unet")


def refiner(folder: Path) -> None:
    shutil.rmtree(folder / "text_encoder")
    edit_json(folder / "model_index.json", text_encoder=[None, None])


def other_width(folder: Path) -> None:
    shutil.rmtree(folder / "text_encoder")
    shutil.copytree(folder / "text_encoder_2", folder / "text_encoder")


@pytest.mark.filterwarnings("ignore")  # diffusers warns of some of these before it refuses them
@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (stable_diffusion_1, "it holds a StableDiffusionPipeline; allowed: StableDiffusionXLPipe"),
        (not_json, "its model_index.json cannot be read"),
        (without_unet_weights, "it lacks unet/diffusion_pytorch_model.safetensors"),
        (cut_short("unet", "diffusion_pytorch_model.safetensors"), "it cannot be loaded"),
        (cut_short("text_encoder", "model.safetensors"), "it cannot be loaded"),
        (unet_without_sizes, "its UNet has no text_time conditioning"),
        (refiner, "it has not two text encoders (no text_encoder; a refiner cannot be trained on)"),
        (other_width, "its UNet attends to 160 features, its text encoders give 192"),
    ],
    ids=lambda value: getattr(value, "__name__", "").replace("edit", "cut_short") or None,
)
def test_a_spoilt_or_foreign_base_is_refused(folder: Path, spoil: Edit, reason: str) -> None:
    spoil(folder)
    message = refusal(path=str(folder))
    assert message.startswith(f"model.path is '{folder}': ") and reason in message


def test_a_vae_that_is_not_there_is_refused() -> None:
    message = refusal(vae="/no/such/vae")
    assert message == "model.vae is '/no/such/vae': there is no such file or folder"


@pytest.mark.parametrize("resolution", [60, 68, 100])
def test_a_resolution_that_the_unet_cannot_halve_is_refused(resolution: int) -> None:
    message = refusal(resolution=resolution)
    assert message.startswith(f"model.resolution is {resolution}; with model.path=nano it must be")
    assert "a multiple of 8 (VAE factor 4 times the UNet's 2)" in message


def test_any_multiple_of_vae_factor_and_unet_levels_is_allowed() -> None:
    for resolution in (8, 72, 128):
        load_base(Model(resolution=resolution), CPU)


def remove(*names: str) -> Edit:
    def edit(folder: Path) -> None:
        for name in names:
            path = folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return edit


def with_json(name: str, **values: object) -> Edit:
    return lambda folder: edit_json(folder / name, **values)


def pickled(folder: Path) -> None:
    for file in folder.glob("*/*.safetensors"):
        file.rename(file.with_suffix(".bin"))


def another_vocabulary(folder: Path) -> None:
    file = folder / "tokenizer_2" / "tokenizer.json"
    content = json.loads(file.read_text())
    vocabulary, merge = content["model"]["vocab"], content["model"]["merges"].pop()
    del vocabulary["".join(merge)]
    content["model"]["vocab"] = {word: i for i, word in enumerate(vocabulary)}
    for token in content["added_tokens"]:
        token["id"] = content["model"]["vocab"][token["content"]]
    file.write_text(json.dumps(content))


def edm(folder: Path) -> None:
    scheduler = ["diffusers", "EDMDPMSolverMultistepScheduler"]
    edit_json(folder / "model_index.json", scheduler=scheduler)


SCHEDULER = "scheduler/scheduler_config.json"


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (remove("text_encoder_2/model.safetensors"), "it lacks text_encoder_2/model.safetensors"),
        (remove("text_encoder"), "it lacks text_encoder/config.json, text_encoder/model.safe"),
        (remove("scheduler"), "it lacks scheduler/scheduler_config.json"),
        (remove("tokenizer"), "it lacks tokenizer/vocab.json and tokenizer/merges.txt"),
        (pickled, "weights in .bin files are not read, since they can run code: convert them"),
        (another_vocabulary, "its tokenizer_2 is not that of its text encoder: it has 1,010 tok"),
        (with_json("tokenizer/tokenizer_config.json", model_max_length=40), "it cuts at 40 tok"),
        (edm, "its noise is of the EDM kind (EDMDPMSolverMultistepScheduler), as that of Playgr"),
        (with_json(SCHEDULER, prediction_type="sample"), "it predicts 'sample'; allowed: epsilon"),
        (with_json(SCHEDULER, rescale_betas_zero_snr=True), "with zero terminal SNR it must pre"),
    ],
)
def test_what_a_folder_lacks_or_cannot_be_is_said(
    folder: Path, spoil: Edit, reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    spoil(folder)
    message = refusal(path=str(folder))
    assert message.startswith(f"model.path is '{folder}': ") and reason in message
    assert message.count("\n") == 0


def test_a_variant_that_is_not_there_is_refused_with_those_that_are(folder: Path) -> None:
    unet = folder / "unet" / "diffusion_pytorch_model.safetensors"
    shutil.copy(unet, unet.with_name("diffusion_pytorch_model.fp16.safetensors"))
    message = refusal(path=str(folder), variant="bf16")
    assert message == "model.variant=bf16: its unet has no such weights, but fp16, none"


def test_a_variant_is_read_where_there_is_one(base: Base, folder: Path) -> None:
    for part, stem in (("unet", "diffusion_pytorch_model"), ("text_encoder", "model")):
        file = folder / part / f"{stem}.safetensors"
        tensors = load_file(file)
        save_file({k: v.half() for k, v in tensors.items()}, file.with_suffix(".fp16.safetensors"))
    loaded = load_base(Model(path=str(folder), variant="fp16"), CPU)
    for name, value in base.unet.state_dict().items():
        assert torch.equal(loaded.unet.state_dict()[name], value.half().float())
    assert all(
        torch.equal(loaded.vae.state_dict()[name], value)
        for name, value in base.vae.state_dict().items()
    )


def test_prediction_and_terminal_snr_can_be_set(folder: Path) -> None:
    v = load_base(Model(prediction=Prediction.v_prediction, zero_terminal_snr=True), CPU)
    assert v.prediction_type == "v_prediction" and float(v.alphas_cumprod()[-1]) == 0.0
    edit_json(folder / SCHEDULER, prediction_type="v_prediction", rescale_betas_zero_snr=True)
    read = load_base(Model(path=str(folder)), CPU)
    assert torch.equal(read.alphas_cumprod(), v.alphas_cumprod())
    back = load_base(
        Model(path=str(folder), prediction=Prediction.epsilon, zero_terminal_snr=False), CPU
    )
    assert back.prediction_type == "epsilon" and float(back.alphas_cumprod()[-1]) > 0.004


def test_prediction_and_terminal_snr_can_be_set_where_the_bases_files_do_not_name_them(
    folder: Path,
) -> None:
    path = folder / SCHEDULER
    told = json.loads(path.read_text())
    for key in ("prediction_type", "rescale_betas_zero_snr", "timestep_spacing"):
        told.pop(key, None)  # SDXL's own file has no rescale_betas_zero_snr
    path.write_text(json.dumps(told))
    model = Model(path=str(folder), prediction=Prediction.v_prediction, zero_terminal_snr=True)
    base = load_base(model, CPU)
    assert base.prediction_type == "v_prediction" and float(base.alphas_cumprod()[-1]) == 0.0
    assert base.scheduler.config["timestep_spacing"] == "trailing"


def test_a_vae_that_overflows_in_16_bits_is_refused(folder: Path) -> None:
    edit_json(folder / "vae" / "config.json", force_upcast=True)
    message = refusal(path=str(folder), vae_precision=Precision.fp16)
    assert message.startswith(
        "model.vae_precision=fp16: this VAE overflows in fp16 and gives black"
    )
    assert "model.vae=madebyollin/sdxl-vae-fp16-fix" in message
    load_base(Model(path=str(folder), vae_precision=Precision.bf16), CPU)


def test_a_vae_may_be_one_file_in_stability_ais_names(tmp_path: Path) -> None:
    file = tmp_path / "other.safetensors"
    save_file({"x": torch.zeros(1)}, file)
    assert "it holds no VAE in Stability AI's names" in refusal(vae=str(file))


class Part(torch.nn.Module):
    """A module that only says where it is."""

    def __init__(self, place: str) -> None:
        super().__init__()
        self.place = place

    def to(self, device: object, *_: object, **__: object) -> Part:  # type: ignore[override]
        self.place = torch.device(device).type  # type: ignore[arg-type]
        return self


def test_parts_are_on_the_device_only_where_they_are_needed(
    base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    unet, vae, one, two = (Part("cuda"), Part("cpu"), Part("cuda"), Part("cpu"))
    parts = {"unet": unet, "vae": vae, "text_encoder": one, "text_encoder_2": two}
    for name, part in parts.items():
        monkeypatch.setattr(base, name, part)
    monkeypatch.setattr(base, "device", torch.device("cuda"))
    monkeypatch.setattr(Base, "_is_here", lambda self, part: part.place == "cuda")

    def places() -> str:
        return " ".join(part.place for part in parts.values())

    with base.only(vae):
        assert places() == "cpu cuda cpu cpu"
    assert places() == "cuda cpu cuda cpu"
    with base.at_hand(vae, one):
        assert places() == "cuda cuda cuda cpu"
        with base.only(vae):
            assert places() == "cpu cuda cpu cpu"
        assert places() == "cuda cuda cuda cpu"
    assert places() == "cuda cpu cuda cpu", "what was there before stays"
