"""Which weights lie in memory: those that are needed, and on a CPU those that no file holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from lora_sweep.config.settings import Model, Precision
from lora_sweep.nano import WEIGHTS
from lora_sweep.sweep.cost.resident import gives_back, resident
from lora_sweep.sweep.cost.shapes import SDXL, BaseShapes, base_shapes, folder_dtype

BF16 = Model(name="sdxl", path="folder", precision=Precision.bf16)
WEIGHED = ("unet", "text_encoder", "text_encoder_2")
MAPPED = replace(SDXL, dtypes={**dict.fromkeys(WEIGHED, "BF16"), "vae": "F32"})


def there(model: Model, base: BaseShapes, device: str = "cpu", **needed: bool) -> list[str]:
    return [name for name in resident(model, base, device, **needed) if name != "process"]


def test_on_a_gpu_what_is_not_needed_is_parked() -> None:
    assert there(BF16, SDXL, "cuda") == ["UNet"]
    assert there(BF16, SDXL, "cuda", text=True) == ["UNet", "text encoders"]
    assert there(BF16, SDXL, "cuda", unet=False, vae=True) == ["VAE"]


def test_on_a_cpu_weights_are_let_go_where_they_lie_in_a_file_as_they_are_used() -> None:
    assert there(BF16, MAPPED) == ["UNet"]
    assert there(BF16, MAPPED, unet=False, vae=True) == ["VAE"]
    in_fp32 = replace(BF16, precision=Precision.fp32)
    assert there(in_fp32, MAPPED, unet=False) == ["UNet", "text encoders"], "converted"
    assert there(replace(BF16, vae_precision=Precision.bf16), MAPPED) == ["UNet", "VAE"]
    assert there(BF16, SDXL, unet=False) == ["UNet", "text encoders", "VAE"], "not known: they stay"
    one = replace(MAPPED, dtypes={**MAPPED.dtypes, "text_encoder": "F32"})
    assert resident(BF16, one, "cpu")["text encoders"] == 2 * SDXL.weights["text_encoder"]


def test_a_vae_of_its_own_is_looked_at(tmp_path: Path) -> None:
    name, half = "diffusion_pytorch_model.safetensors", torch.zeros(2, dtype=torch.float16)

    def with_a_vae(folder: str) -> list[str]:
        return there(replace(BF16, vae=str(tmp_path / folder)), MAPPED)

    assert with_a_vae("none") == ["UNet", "VAE"], "there is none"
    for folder in ("whole", "mixed", "marked", "broken"):
        (tmp_path / folder).mkdir()
        save_file({"a": torch.zeros(2)}, tmp_path / folder / name)
    assert with_a_vae("whole") == ["UNet"]
    save_file({"a": torch.zeros(2), "b": half}, tmp_path / "mixed" / name)
    assert folder_dtype(tmp_path / "mixed") is None
    assert with_a_vae("mixed") == ["UNet", "VAE"]
    save_file({"a": half}, tmp_path / "marked" / "diffusion_pytorch_model.fp16.safetensors")
    assert with_a_vae("marked") == ["UNet"], "the file without a mark is the one that is read"
    (tmp_path / "broken" / name).write_bytes(b"\xff" * 20)
    assert with_a_vae("broken") == ["UNet", "VAE"]


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_small_bases_are_left_alone(device: str) -> None:
    nano = Model(path=str(WEIGHTS))
    base = base_shapes(nano)
    assert base is not None and set(base.dtypes.values()) == {"F16"}
    base = replace(base, dtypes=dict.fromkeys(base.dtypes, "F32"))
    assert not gives_back(nano, base, device)
    assert gives_back(BF16, MAPPED, device) == (device == "cpu")
    everything = ["UNet", "text encoders", "VAE"]
    assert there(nano, base, device) == (everything if device == "cpu" else ["UNet"])
