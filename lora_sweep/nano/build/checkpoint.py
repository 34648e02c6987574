"""Resumable building: a stage saves its modules, optimizer and step as safetensors and goes on from
there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn


def step_generator(seed: int, stage: str, step: int) -> torch.Generator:
    """Generator for every draw of one step, so that resuming needs no generator state."""
    return torch.Generator().manual_seed(hash_to_seed(f"{seed}/{stage}/{step}"))


def hash_to_seed(text: str) -> int:
    """63-bit seed from a text (SHA-256)."""
    from hashlib import sha256

    return int.from_bytes(sha256(text.encode()).digest()[:8], "big") >> 1


class StageState:
    """What a building stage needs to go on after a kill: modules, one AdamW, running averages, the
    step.
    """

    def __init__(
        self, folder: Path, modules: Mapping[str, nn.Module], optimizer: torch.optim.Optimizer
    ) -> None:
        self.folder = folder
        self.modules = dict(modules)
        self.optimizer = optimizer
        self.step = 0
        if (folder / "state.json").exists():
            self._load()

    def save(self) -> None:
        """Write the state beside the old one, then put it in its place."""
        self.folder.mkdir(parents=True, exist_ok=True)
        name = f"state-{self.step:06d}.safetensors"
        save_file(self._tensors(), self.folder / name)
        _replace(self.folder / "state.json", json.dumps({"step": self.step, "file": name}))
        for old in self.folder.glob("state-*.safetensors"):
            if old.name != name:
                old.unlink()

    def _tensors(self) -> dict[str, Tensor]:
        tensors: dict[str, Tensor] = {}
        for name, module in self.modules.items():
            for key, value in module.state_dict().items():
                tensors[f"module/{name}/{key}"] = value.clone()
        for index, moments in self.optimizer.state_dict()["state"].items():
            for key, value in moments.items():
                tensors[f"optimizer/{index}/{key}"] = torch.as_tensor(value).clone()
        return tensors

    def _load(self) -> None:
        state = json.loads((self.folder / "state.json").read_text())
        tensors = load_file(self.folder / state["file"])
        for name, module in self.modules.items():
            prefix = f"module/{name}/"
            module.load_state_dict(
                {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
            )
        moments: dict[int, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            if key.startswith("optimizer/"):
                _, index, name = key.split("/")
                moments.setdefault(int(index), {})[name] = value
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": moments, "param_groups": groups})
        self.step = int(state["step"])


@torch.no_grad()
def update_average(average: nn.Module, module: nn.Module, step: int, decay: float = 0.999) -> None:
    """Exponential moving average of weights, with the decay ramped up over the first steps."""
    decay = min(decay, (1 + step) / (10 + step))
    for slow, fast in zip(average.parameters(), module.parameters(), strict=True):
        slow.lerp_(fast.detach(), 1 - decay)


def cosine_lr(
    step: int, steps: int, peak: float, warmup_steps: int = 200, final: float = 0.02
) -> float:
    """Linear warm-up to `peak`, then half a cosine down to `final * peak`."""
    import math

    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    progress = (step - warmup_steps) / max(1, steps - warmup_steps)
    return peak * (final + (1 - final) * 0.5 * (1 + math.cos(math.pi * progress)))


def _replace(path: Path, text: str) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text)
    os.replace(temporary, path)
