"""Numbers that are computed without loading anything, against what is really trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from runs import TE_MODES, small
from safetensors.torch import save_file

from lora_sweep.config.settings import (
    Adafactor,
    AdamW,
    Lora,
    Model,
    Optimizer,
    Prodigy,
    ProdigyPlus,
)
from lora_sweep.model.base import Base
from lora_sweep.nano import WEIGHTS
from lora_sweep.results.store import Store
from lora_sweep.sweep.cost.footprint import state_bytes, trained
from lora_sweep.sweep.cost.shapes import SDXL, base_shapes, read_shapes
from lora_sweep.sweep.prepare import prepare
from lora_sweep.sweep.request import Resolver
from lora_sweep.training.loop import train
from lora_sweep.training.trial import build_trial

ADAPTERS: dict[str, Lora] = {
    "plain": Lora(rank=4),
    "DoRA": Lora(rank=3, use_dora=True),
    "some layers": Lora(rank=4, target_modules=("to_q", "proj_in"), te_target_modules=("q_proj",)),
    "one block": Lora(rank=4, blocks=("up_blocks.0.attentions.0",)),
}


@pytest.mark.parametrize("te_mode", TE_MODES)
@pytest.mark.parametrize("adapter", ADAPTERS)
def test_what_is_trained_is_counted_as_it_is_built(
    te_mode: str, adapter: str, base: Base, root: Path
) -> None:
    settings = small(root, te_mode, lora=ADAPTERS[adapter])
    prepared = prepare(base, Resolver().resolve(settings), Store(root))
    trial = build_trial(base, settings, prepared.items, None, 6, None)
    try:
        sizes = {name: group.vector.numel() for name, group in trial.groups.items()}
    finally:
        trial.close()
    size = trained(settings)
    assert size is not None
    assert size.unet == sizes.pop("unet")
    assert size.text == sum(sizes.values())


def test_a_text_side_with_rate_0_is_not_counted() -> None:
    size = trained(small(Path(), "lora", optimizer=AdamW(te_lr=0.0)))
    assert size is not None and size.text == 0


OPTIMIZERS: list[Optimizer] = [
    AdamW(), Prodigy(), Prodigy(slice_p=11), Adafactor(), ProdigyPlus(),
]  # fmt: skip


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_optimizer_state_is_as_large_as_computed(
    optimizer: Optimizer, base: Base, root: Path
) -> None:
    settings = small(root, "lora", optimizer=optimizer, lora=Lora(rank=4))
    prepared = prepare(base, Resolver().resolve(settings), Store(root))
    trial = build_trial(base, settings, prepared.items, None, 6, None)
    try:
        next(iter(train(trial, 1)))
        tensors, _ = trial.optimizer.snapshot()
        real = sum(t.numel() * t.element_size() for t in tensors.values())
    finally:
        trial.close()
    size = trained(settings)
    assert size is not None
    computed = state_bytes(optimizer, size.unet, size.unet_factored)
    computed += state_bytes(optimizer, size.text, size.text_factored)
    assert computed == pytest.approx(real, rel=0.05)


def test_the_base_is_as_large_as_its_files_say(base: Base) -> None:
    shapes = base_shapes(Model())
    assert shapes is not None
    modules: dict[str, Any] = {
        "unet": base.unet, "vae": base.vae, "text_encoder": base.text_encoders[0],
        "text_encoder_2": base.text_encoders[1],
    }  # fmt: skip
    for name, module in modules.items():
        assert shapes.weights[name] == sum(p.numel() for p in module.parameters())
    assert shapes.bytes_on_disk == sum(
        file.stat().st_size for part in modules for file in (WEIGHTS / part).glob("*.safetensors")
    )


def test_sdxls_adapter_is_as_large_as_counted_in_its_module_graph() -> None:
    rank_32 = Lora(rank=32)
    sizes = [SDXL.lora(part, rank_32) for part in ("unet", "text_encoder", "text_encoder_2")]
    numbers = [size.numbers(rank_32) for size in sizes if size is not None]
    assert numbers[0] == 46_448_640
    assert sum(numbers[1:]) == 12_845_056


@pytest.mark.parametrize("path", ["owner/name", "nowhere/at/all"])
def test_of_a_base_that_is_not_here_nothing_is_computed(path: str) -> None:
    model = Model(name="other", path=path)
    assert base_shapes(model) is None
    assert trained(small(Path(), "frozen", model=model)) is None


def test_a_broken_base_is_not_known(tmp_path: Path) -> None:
    for part in ("unet", "text_encoder", "text_encoder_2", "vae"):
        (tmp_path / part).mkdir()
        (tmp_path / part / "model.safetensors").write_bytes(b"\xff" * 20)
    assert base_shapes(Model(name="broken", path=str(tmp_path))) is None


def test_only_the_headers_of_weights_are_read(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_file({"a": torch.zeros(3, 4), "b": torch.zeros(5)}, path, metadata={"format": "pt"})
    whole = path.read_bytes()
    path.write_bytes(whole[:-60])
    assert read_shapes(path) == {"a": (3, 4), "b": (5,)}
