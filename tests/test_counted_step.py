"""What scripts/full_size counts of a step on tensors without data, and SDXL's names of modules."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from full_size.count import Counter
from full_size.counted_step import StepShape, count_step
from full_size.exports import UNET_MODULES, readable_keys
from torch._subclasses.fake_tensor import FakeTensorMode

from lora_sweep.nano import WEIGHTS

NANO = json.loads((WEIGHTS / "unet" / "config.json").read_text())


def test_a_product_counts_two_flops_for_each_pair_and_what_it_reads_and_writes() -> None:
    with FakeTensorMode():
        left, right = torch.empty(3, 5), torch.empty(5, 7)
        with Counter() as counter:
            product = left @ right
            del product
            kept = left + 1.0
    product_kernel, sum_kernel = counter.counts.kernels
    assert product_kernel.flops == 2 * 3 * 5 * 7
    assert product_kernel.moved == 4 * (3 * 5 + 5 * 7 + 3 * 7)
    assert (sum_kernel.flops, sum_kernel.moved) == (0, 4 * 2 * 3 * 5)
    assert (counter.counts.live, counter.counts.peak) == (4 * kept.numel(), 4 * 3 * 7)


def test_views_cost_nothing() -> None:
    with FakeTensorMode():
        values = torch.empty(4, 6)
        with Counter() as counter:
            values.t().reshape(6, 4)[1:]
    assert counter.counts.kernels == []


def test_checkpointing_computes_the_blocks_again_and_keeps_less() -> None:
    shape = StepShape(height=64, width=64, rank=4, precision=torch.float32)
    plain = count_step(shape, NANO, 4)
    again = count_step(replace(shape, checkpointing=True), NANO, 4)
    assert 1.25 < again.counts.flops / plain.counts.flops < 1.5
    assert again.saved < plain.saved / 4
    assert again.forward_flops == plain.forward_flops
    twice = count_step(replace(shape, batch=2), NANO, 4)
    assert twice.counts.flops == pytest.approx(2 * plain.counts.flops, rel=0.01)
    assert twice.counts.launches == pytest.approx(plain.counts.launches, rel=0.01)


def test_readers_look_for_560_modules_of_the_unet() -> None:
    keys = readable_keys(text_encoders=True)
    unet = {key for key in keys if key.startswith("lora_unet_")}
    assert len(unet) == UNET_MODULES and len(keys) == UNET_MODULES + 4 * (12 + 32)
    assert "lora_unet_middle_block_1_transformer_blocks_9_attn2_to_out_0" in keys
