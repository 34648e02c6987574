"""What a training step of SDXL comes to by setting, and what that takes at best on known GPUs.

python scripts/count_step.py

FLOPs, bytes and kernel launches are counted on tensors without data, at rank 32 on all attention
layers; seconds are computed from them, and nothing was timed. A kernel takes the longer of its
arithmetic and its traffic, at the share of a GPU's peak that good kernels reach; a step takes the
longer of all its kernels and of the host that launches them. The tables of docs/performance.md;
some three minutes on one core.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from full_size.count import ATTENTION, Kernel
from full_size.counted_step import CountedStep, StepShape, count_step
from torch.utils._python_dispatch import TorchDispatchMode

from lora_sweep.config.settings import Prodigy
from lora_sweep.training.flat import FlatGroup
from lora_sweep.training.optim import build_optimizer

REACHED_FLOPS, REACHED_BYTES = 0.6, 0.8
"""Of the peak."""
HOST = 20e-6
"""Seconds that PyTorch takes to launch a kernel, autograd and adapters included: an assumption."""
TENSORS = 1_120
SPECIFIC = {"convolution", "convolution_backward", "mm", "addmm", "bmm", "baddbmm", ATTENTION,
            f"{ATTENTION}_backward", "native_group_norm", "native_group_norm_backward",
            "native_layer_norm", "native_layer_norm_backward"}  # fmt: skip
"""What stays a kernel of its own when the pointwise rest is fused into neighbours."""


@dataclass(frozen=True)
class Gpu:
    """Peaks by its data sheet: dense bf16 with sums in fp32, and memory."""

    name: str
    flops: float
    bandwidth: float

    def seconds(self, kernels: Sequence[Kernel]) -> float:
        """Of kernels one after the other."""
        flops, bandwidth = self.flops * REACHED_FLOPS, self.bandwidth * REACHED_BYTES
        return sum(max(each.flops / flops, each.moved / bandwidth) for each in kernels)


GPUS = (
    Gpu("A100 80 GB", 312e12, 2.04e12),
    Gpu("H100", 989e12, 3.35e12),
    Gpu("L40S", 362e12, 0.864e12),
    Gpu("RTX 4090", 165e12, 1.008e12),
)

SETTINGS = {
    "bf16, checkpointing": StepShape(checkpointing=True),
    "bf16, no checkpointing": StepShape(),
    "bf16, batch 4, checkpointing": StepShape(batch=4, checkpointing=True),
    "bf16, batch 4, no checkpointing": StepShape(batch=4),
    "fp32, no checkpointing": StepShape(precision=torch.float32),
}


class Launches(TorchDispatchMode):
    """Counts operations."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += 1
        return func(*args, **(kwargs or {}))


def main() -> None:
    counted = {name: count_step(shape) for name, shape in SETTINGS.items()}
    print(
        "| setting | TFLOP | GB moved | launches | kept for backward, GiB |\n|---|---|---|---|---|"
    )
    for name, step in counted.items():
        counts = step.counts
        print(
            f"| {name} | {counts.flops / 1e12:.1f} | {counts.moved / 1e9:.0f} | "
            f"{counts.launches:,} | {step.saved / 2**30:.2f} |"
        )
    print(f"\n| setting | {' | '.join(gpu.name for gpu in GPUS)} | of it the host |")
    print(f"|---|{'---|' * (len(GPUS) + 1)}")
    for name, step in counted.items():
        if SETTINGS[name].precision == torch.bfloat16:
            _print_row(name, step.counts.kernels)
            _print_row(f"{name}, compiled", fused(step))
    for name, launches in optimizer_launches().items():
        print(
            f"\nan optimizer step, {name}: {launches:,} launches, {HOST * launches:.3f} s of host"
        )


def _print_row(name: str, kernels: Sequence[Kernel]) -> None:
    host = HOST * len(kernels)
    cells = [f"{max(gpu.seconds(kernels), host):.2f}" for gpu in GPUS]
    print(f"| {name} | {' | '.join(cells)} | {host:.2f} |")


def fused(step: CountedStep) -> list[Kernel]:
    """The kernels that are left where all pointwise work is done by its neighbours."""
    return [kernel for kernel in step.counts.kernels if kernel.name in SPECIFIC]


def optimizer_launches() -> dict[str, int]:
    """Of Prodigy over the tensors of an adapter, as prodigyopt and as this project has it."""
    from prodigyopt import Prodigy as Published

    tensors = [torch.nn.Parameter(torch.randn(2)) for _ in range(TENSORS)]
    for tensor in tensors:
        tensor.grad = torch.randn(2)
    published = Published(tensors)
    group = FlatGroup("unet", {f"{i}": tensor for i, tensor in enumerate(tensors)}, 1.0, 0.0)
    flat = build_optimizer(Prodigy(), [group])
    steps: dict[str, Callable[[], object]] = {
        f"prodigyopt over {TENSORS:,} tensors": published.step,
        "over one flat vector": lambda: flat.step(1.0),
    }
    found: dict[str, int] = {}
    for name, step in steps.items():
        step()
        with Launches() as launches:
            step()
        found[name] = launches.count
    return found


if __name__ == "__main__":
    main()
