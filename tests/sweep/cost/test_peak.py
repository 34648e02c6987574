"""Computed memory: a UNet's blocks by its config, what they keep, and the most of all phases."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from diffusers import UNet2DConditionModel
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.resnet import ResnetBlock2D

from lora_sweep.config.settings import (
    Adafactor,
    AdamW,
    Evaluate,
    Lora,
    Model,
    Pivotal,
    Precision,
    PriorGenerated,
    Prodigy,
    Settings,
    TeFull,
    TeLora,
    Train,
)
from lora_sweep.model.folder_files import SDXL_FOLDER
from lora_sweep.nano import WEIGHTS
from lora_sweep.sweep.cost.activations import (
    Unit,
    activation_bytes,
    coefficients,
    trained_through,
    unet_units,
)
from lora_sweep.sweep.cost.peak import computed_peak

MIB, GIB = 2**20, 2**30
CONFIGS = {"sdxl": SDXL_FOLDER, "nano": WEIGHTS}
SDXL = Model(
    name="sdxl",
    path="stabilityai/stable-diffusion-xl-base-1.0",
    resolution=1024,
    precision=Precision.bf16,
)
TRIAL = Settings(
    model=SDXL,
    optimizer=Prodigy(),
    lora=Lora(rank=32),
    train=Train(max_train_steps=10, batch_size=1),
    evaluate=Evaluate(prompts=()),
)


def units_of(base: str) -> tuple[Unit, ...]:
    return unet_units(json.loads((CONFIGS[base] / "unet" / "config.json").read_text()))


def total(device: str = "cuda", **changes: Any) -> int:
    found = computed_peak(changed(**changes), device)
    assert found is not None
    return found.total


def changed(**changes: Any) -> Settings:
    """The trial with sections replaced, or with single settings of `train`."""
    train = {name: changes.pop(name) for name in list(changes) if hasattr(TRIAL.train, name)}
    return replace(TRIAL, train=replace(TRIAL.train, **train), **changes)


@pytest.mark.parametrize("base", CONFIGS)
def test_units_are_the_blocks_that_diffusers_builds_with_their_widths(base: str) -> None:
    import torch

    config = json.loads((CONFIGS[base] / "unet" / "config.json").read_text())
    with torch.device("meta"):
        unet: Any = UNet2DConditionModel.from_config(config)
    resnets = [m.conv1.in_channels for m in unet.modules() if isinstance(m, ResnetBlock2D)]
    transformers: list[Any] = [m for m in unet.modules() if isinstance(m, BasicTransformerBlock)]
    blocks = [block.norm1.normalized_shape[0] for block in transformers]
    units = units_of(base)
    assert sorted(u.width for u in units if u.kind == "resnet") == sorted(resnets)
    assert sorted(u.width for u in units if u.kind == "transformer") == sorted(blocks)
    places = {unit.place for unit in units}
    assert places == {
        name for name, module in unet.named_modules()
        if isinstance(module, ResnetBlock2D) or name.split(".")[-2:-1] == ["attentions"]
    }  # fmt: skip


# Peaks in MiB of forward and backward, by scripts/count_step.py on tensors without data.
COUNTED = [
    ("sdxl", 512, 1, 32, False, "fp32", "cpu", 2746),
    ("sdxl", 1024, 1, 32, False, "bf16", "cpu", 6354),
    ("sdxl", 1024, 1, 32, False, "bf16", "cuda", 7510),
    ("sdxl", 512, 4, 32, False, "bf16", "cpu", 6556),
    ("sdxl", 512, 1, 128, False, "bf16", "cpu", 2001),
    ("sdxl", 512, 1, 128, True, "bf16", "cpu", 756),
    ("sdxl", 256, 1, 32, True, "bf16", "cpu", 189),
    ("sdxl", 1024, 1, 32, True, "fp32", "cpu", 1045),
    ("sdxl", 1024, 1, 32, True, "bf16", "cuda", 688),
    ("nano", 128, 2, 16, False, "fp32", "cpu", 38.7),
    ("nano", 128, 2, 16, False, "bf16", "cuda", 29.7),
    ("nano", 128, 2, 16, True, "fp32", "cpu", 12),
]


@pytest.mark.parametrize(
    ("base", "pixels", "rows", "rank", "checkpointing", "precision", "device", "counted"), COUNTED
)
def test_activations_are_those_of_steps_counted_on_tensors_without_data(
    base: str,
    pixels: int,
    rows: int,
    rank: int,
    checkpointing: bool,
    precision: str,
    device: str,
    counted: float,
) -> None:
    numbers = 1_451_520 * rank if base == "sdxl" else 0
    found = activation_bytes(
        trained_through(units_of(base), None, text_trains=False),
        pixels // (8 if base == "sdxl" else 4),
        rows,
        coefficients(precision == "bf16", device),
        checkpointing=checkpointing,
        adapter_numbers=numbers,
    )
    assert found / MIB == pytest.approx(counted, rel=0.1)


def test_a_gradient_passes_only_what_comes_after_the_first_adapter() -> None:
    units = units_of("sdxl")
    assert trained_through(units, None, text_trains=True) == units
    after = trained_through(units, ("up_blocks.0.attentions.1",), text_trains=False)
    assert after[0].place == "up_blocks.0.attentions.1"
    assert after == units[-len(after) :]
    assert trained_through(units, None, text_trains=False)[0].place == "down_blocks.1.attentions.0"
    assert trained_through(units, ("unet.mid_block",), text_trains=False)[0].place.startswith("mid")
    assert trained_through(units, ("down_blocks.0",), text_trains=False) == ()


def test_each_setting_that_costs_memory_costs_what_it_should() -> None:
    plain = total()
    assert total(gradient_checkpointing=True) < plain - 5 * GIB
    assert total(batch_size=2) - plain == pytest.approx(7.2 * GIB, rel=0.1)
    assert total(lora=Lora(rank=64)) - plain == pytest.approx(
        46_448_640 * (16 + 8 + 2.5), rel=0.01
    ), "values, gradients, Prodigy's state, copies in 16 bits"
    assert plain - total(optimizer=Adafactor()) == pytest.approx(46_448_640 * 16, rel=0.1)
    assert total(prior=PriorGenerated()) == total(batch_size=2)
    assert total(te_mode=TeLora()) > total(te_mode=Pivotal()) > plain
    full = total(te_mode=TeFull(), optimizer=Adafactor(), gradient_checkpointing=True)
    frozen = total(optimizer=Adafactor(), gradient_checkpointing=True)
    copies = (8 + 2) * 810_000_000  # values, gradients, and what autocast makes of them
    assert full - frozen == pytest.approx(copies, rel=0.1)
    with_vectors = total(te_mode=TeFull(), optimizer=AdamW(), gradient_checkpointing=True)
    assert with_vectors - full > 5 * GIB
    half = replace(SDXL, resolution=512)
    assert total(model=half) < plain - 5 * GIB
    assert total(model=replace(SDXL, precision=Precision.fp32)) > plain + 5 * GIB


def test_offloaded_state_is_not_there_beside_activations() -> None:
    kept = total(gradient_checkpointing=True, batch_size=4)
    moved = total(gradient_checkpointing=True, batch_size=4, offload_optimizer=True)
    assert kept - moved == pytest.approx(46_448_640 * 16, rel=0.01), "Prodigy's four vectors"
    small = computed_peak(changed(gradient_checkpointing=True, offload_optimizer=True), "cuda")
    assert small is not None and small.phase == "stepping" and "optimizer state" in small.parts
    on_cpu = total("cpu", gradient_checkpointing=True)
    assert on_cpu == total("cpu", gradient_checkpointing=True, offload_optimizer=True)


def test_on_the_cpu_the_allocator_keeps_a_part_of_what_is_freed() -> None:
    nano = Model(path=str(WEIGHTS), resolution=512)
    kept: list[int] = []
    for checkpointing in (True, False):
        peak = computed_peak(changed(model=nano, gradient_checkpointing=checkpointing), "cpu")
        assert peak is not None
        kept.append(peak.parts["kept by the allocator"])
        if not checkpointing:
            assert kept[0] == kept[1] == pytest.approx(0.7 * peak.parts["activations"], rel=0.01)


def test_a_large_base_gives_most_of_it_back_on_the_cpu() -> None:
    for batch_size in (1, 4):
        peak = computed_peak(changed(batch_size=batch_size), "cpu")
        assert peak is not None and peak.phase == "training"
        in_blocks = peak.parts["kept by the allocator"] - 512 * MIB
        assert in_blocks == pytest.approx(0.075 * peak.parts["activations"], rel=0.01)
    small = replace(SDXL, resolution=256)
    peak = computed_peak(changed(model=small), "cpu")
    assert peak is not None and peak.parts["kept by the allocator"] == 712 * MIB


def test_a_checkpoint_in_one_file_is_mapped_and_copied_on_the_cpu() -> None:
    one_file = replace(SDXL, name="sdxl_file", single_file=True)
    found = computed_peak(changed(model=one_file, gradient_checkpointing=True), "cpu")
    assert found is not None and found.phase == "loading"
    assert found.total == pytest.approx(13.48 * GIB, rel=0.05), "as measured"
    on_gpu = computed_peak(changed(model=one_file, gradient_checkpointing=True), "cuda")
    assert on_gpu is not None and on_gpu.total == total(gradient_checkpointing=True)


def test_drawing_pictures_can_be_what_needs_most() -> None:
    drawing = computed_peak(
        changed(gradient_checkpointing=True, evaluate=Evaluate(prompts=("a TOK",))), "cuda"
    )
    assert drawing is not None and drawing.phase == "drawing pictures"
    assert drawing.total == sum(drawing.parts.values())
    training = computed_peak(changed(gradient_checkpointing=True), "cuda")
    assert training is not None and training.phase == "training"
    assert "VAE" not in training.parts and "text encoders" not in training.parts, "they are parked"


def test_of_an_unknown_base_nothing_is_computed() -> None:
    assert computed_peak(changed(model=Model(name="other", path="owner/name")), "cpu") is None
