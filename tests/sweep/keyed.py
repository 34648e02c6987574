"""Keys and costs of steps by hand, where only a few of their parts matter."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lora_sweep.sweep.cost.keys import FinishKey, StepKey
from lora_sweep.sweep.cost.machine import Machine
from lora_sweep.sweep.cost.records import CALIBRATION, FinishCost, StepCost

HERE = Machine(cpu="a CPU", cores=2, gpus=(), torch="2.0")

STEP = StepKey(
    base="b", device="cpu", threads=1, precision="fp32", kernels="", resolution=64,
    te_mode="frozen", optimizer="adamw", rank=16, adapter="{}", checkpointing=False,
    accumulation=1, rows=4, texts=0,
)  # fmt: skip
FINISH = FinishKey(
    base="b", device="cpu", threads=1, precision="fp32", vae_precision="fp32", resolution=64,
    batch_size=4, embedder="auto",
)  # fmt: skip


def key(**changes: Any) -> StepKey:
    """A step of four rows with AdamW, the text side fixed, but for these changes."""
    return replace(STEP, **changes)


def cost(
    seconds: float, memory: int | None = None, source: str = CALIBRATION, **changes: Any
) -> StepCost:
    """What such a step takes, measured with a full batch."""
    measured = key(**changes)
    rows = float(measured.rows_per_step)
    return StepCost(measured, rows, seconds, memory, "2026-01-01", source)


def finish(**changes: Any) -> FinishCost:
    """What everything beside steps takes: nothing, but for what is named."""
    times = ("start", "encode", "embed", "build", "caption", "loss_row", "sample_step", "picture",
    "save", "export")  # fmt: skip
    of_key = {name: value for name, value in changes.items() if name in vars(FINISH)}
    values: dict[str, Any] = {"memory": None, "date": "2026-01-01", **dict.fromkeys(times, 0.0)}
    values["key"] = replace(FINISH, **of_key)
    values |= {name: value for name, value in changes.items() if name not in of_key}
    return FinishCost(**values)
