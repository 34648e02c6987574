"""Main memory given back on a CPU: what is left to the system, and that no number changes."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from lora_sweep.config.settings import Model
from lora_sweep.model import base as base_module
from lora_sweep.model import main_memory
from lora_sweep.model.base import Base, load_base
from lora_sweep.nano import WEIGHTS

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux")
    or tuple(map(int, os.uname().release.split(".")[:2])) < (5, 4),
    reason="only Linux can be told, since 5.4",
)

MIB = 2**20


def resident(kind: str) -> int:
    """MiB of this process: RssFile or RssAnon."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(f"{kind}:")).split()[1]) // 1024


@pytest.fixture
def mapped(tmp_path: Path) -> nn.Linear:
    """64 MiB of weights that lie in a file."""
    file = tmp_path / "weights.safetensors"
    save_file({"weight": torch.arange(16 * MIB, dtype=torch.float32).view(4096, 4096)}, file)
    module = nn.Linear(4096, 4096, bias=False)
    module.load_state_dict(load_file(file), assign=True)
    return module.requires_grad_(False)


def test_mapped_weights_leave_memory_and_come_back_as_they_were(mapped: nn.Linear) -> None:
    before, in_ram = resident("RssFile"), resident("RssShmem")
    total = mapped.weight.double().sum()
    there = resident("RssFile")
    if resident("RssShmem") > in_ram:
        pytest.skip("temporary files lie in memory here")
    assert there - before >= 60, "all of them were read"
    main_memory.page_out(mapped)
    assert there - resident("RssFile") >= 60
    assert torch.equal(mapped.weight.double().sum(), total)


def test_what_was_changed_in_memory_is_not_lost(mapped: nn.Linear) -> None:
    mapped.weight[1000:2000].mul_(-1)
    changed = mapped.weight.clone()
    main_memory.page_out(mapped)
    assert torch.equal(mapped.weight, changed)


def test_weights_that_lie_in_no_file_stay() -> None:
    module = nn.Linear(512, 512)
    values = module.weight.detach().clone()
    main_memory.page_out(module)
    assert torch.equal(module.weight, values)


class Trimmed:
    """The C library, counting how often it is told to give back."""

    def __init__(self) -> None:
        self.times = 0

    def malloc_trim(self, pad: int) -> None:
        assert pad == 0
        self.times += 1


def forward_and_backward(base: Base) -> list[torch.Tensor]:
    """Gradients of every bias of the UNet's blocks, from a fixed input."""
    unet = base.unet
    biases = [p for n, p in unet.named_parameters() if n.endswith("bias") and "_block" in n]
    g = torch.Generator().manual_seed(3)
    config: Any = unet.config
    latents = torch.randn(1, 4, 8, 8, generator=g)
    text = torch.randn(1, 77, config.cross_attention_dim, generator=g)
    second: Any = base.text_encoder_2.config
    pooled = torch.randn(1, second.projection_dim, generator=g)
    condition = {"text_embeds": pooled, "time_ids": torch.full((1, 6), 64.0)}
    try:
        for bias in biases:
            bias.requires_grad_(True)
        out = unet(latents, 500, text, added_cond_kwargs=condition).sample
        return list(torch.autograd.grad(out.square().mean(), biases, allow_unused=True))
    finally:
        for bias in biases:
            bias.requires_grad_(False)


def test_blocks_give_back_in_both_passes_and_change_no_gradient(
    base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = len(base.unet.down_blocks) + 1 + len(base.unet.up_blocks)
    plain = forward_and_backward(base)
    trimmed = Trimmed()
    monkeypatch.setattr(main_memory, "_libc", lambda: trimmed)
    monkeypatch.setattr(main_memory, "WORTH_IT", -1)
    undo = main_memory.give_back_between_blocks(base.unet)
    watched = forward_and_backward(base)
    assert trimmed.times == 2 * blocks
    undo()
    forward_and_backward(base)
    assert trimmed.times == 2 * blocks, "nothing is left on the base"
    for one, other in zip(plain, watched, strict=True):
        assert (one is None and other is None) or torch.equal(one, other)


def test_little_is_not_given_back(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    trimmed, held = Trimmed(), [2**30]
    monkeypatch.setattr(main_memory, "_libc", lambda: trimmed)
    monkeypatch.setattr(main_memory, "_anonymous", lambda: held[0])
    undo = main_memory.give_back_between_blocks(base.unet)
    held[0] += main_memory.WORTH_IT
    forward_and_backward(base)
    assert trimmed.times == 0
    held[0] += 1
    forward_and_backward(base)
    undo()
    assert trimmed.times == 1, "and then not again until as much has come"


@pytest.mark.parametrize("having", [None, object()], ids=["another system", "another C library"])
def test_where_it_cannot_be_told_nothing_is_done(
    base: Base, having: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(main_memory, "_libc", lambda: having)
    undo = main_memory.give_back_between_blocks(base.unet)
    assert not any(block._forward_hooks for block in base.unet.down_blocks)
    undo()
    if having is None:
        main_memory.page_out(nn.Linear(2, 2))


def test_parts_of_a_large_base_are_paged_out_whenever_they_are_parked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    base = load_base(Model(path=str(WEIGHTS)), torch.device("cpu"))
    names = {
        base.unet: "unet",
        base.vae: "vae",
        base.text_encoder: "one",
        base.text_encoder_2: "two",
    }
    out: list[str] = []
    monkeypatch.setattr(base_module, "page_out", lambda module: out.append(names[module]))
    with base.at_hand(base.vae):
        pass
    assert out == [], "a small base is left alone"
    monkeypatch.setattr(main_memory, "LARGE", 1)
    with base.at_hand(base.vae):
        assert out == []
    assert out == ["vae"]
    base.bring(*base.text_encoders)
    with base.at_hand(*base.text_encoders):
        pass
    assert out == ["vae"], "what was there before stays"
    base.park(*base.text_encoders)
    assert out == ["vae", "one", "two"]
    with base.only(base.vae):
        assert out[3:] == ["unet"]
    assert out[3:] == ["unet", "vae"]
