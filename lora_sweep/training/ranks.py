"""Several processes that train one trial: each takes its share of the rows of every batch.

Process 0 leads: it decides, writes and measures, and the others do its steps with it. What a row
draws depends on its slot alone, and the gradient is the sum over all rows, so the number of
processes changes no more than the order of additions. `accelerate launch` and torchrun start them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

PATIENCE = timedelta(hours=24)  # others wait while process 0 measures and draws


@dataclass
class Ranks:
    """This process among those that train together."""

    rank: int = 0
    count: int = 1
    is_broken: bool = False  # a step failed here, and others may be in the middle of it

    @property
    def leads(self) -> bool:
        """Whether others follow this process."""
        return self.count > 1 and self.rank == 0

    def share(self, length: int) -> range:
        """The rows of this process among `length`: as even as can be, none where there are fewer
        rows than processes.
        """
        return range(length * self.rank // self.count, length * (self.rank + 1) // self.count)

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its sum over all processes."""
        if self.count > 1:
            for tensor in tensors:
                dist.all_reduce(tensor)

    def tell(self, message: Mapping[str, Any], tensors: Mapping[str, Tensor] | None = None) -> None:
        """Send JSON values and tensors to all others, each of which has to `hear`; process 0."""
        tensors = dict(tensors or {})
        shapes = [[n, str(t.dtype).removeprefix("torch."), list(t.shape)] for n, t in
                  tensors.items()]  # fmt: skip
        data = json.dumps({"message": message, "tensors": shapes}).encode()
        dist.broadcast(torch.tensor([len(data)]), src=0)
        dist.broadcast(torch.frombuffer(bytearray(data), dtype=torch.uint8), src=0)
        for tensor in tensors.values():
            dist.broadcast(tensor.detach().cpu().contiguous(), src=0)

    def hear(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """What process 0 tells, waited for; tensors are on the CPU."""
        length = torch.zeros(1, dtype=torch.int64)
        dist.broadcast(length, src=0)
        data = torch.zeros(int(length), dtype=torch.uint8)
        dist.broadcast(data, src=0)
        values = json.loads(bytes(data.tolist()))
        tensors: dict[str, Tensor] = {}
        for name, dtype, shape in values["tensors"]:
            tensors[name] = torch.zeros(shape, dtype=getattr(torch, dtype))
            dist.broadcast(tensors[name], src=0)
        return values["message"], tensors

    def break_up(self, error: Exception) -> None:
        """End this process where others may wait for the rest of a step that has failed here: who
        started them ends them, too. Nothing happens to a process that trains alone.
        """
        if self.count > 1:
            self.is_broken = True
            what = f"{type(error).__name__}: {error}"
            raise SystemExit(f"lora_sweep: process {self.rank} of {self.count}: {what}") from error

    def dismiss(self) -> None:
        """Let the others end; process 0 calls it at its own end."""
        if self.leads and not self.is_broken:
            self.tell({"do": "end"})
            dist.destroy_process_group()


def follows_another() -> bool:
    """Whether this process was started to follow process 0."""
    return is_one_of_many() and os.environ["RANK"] != "0"


def is_one_of_many() -> bool:
    """Whether this process was started with others to train together."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1 and "RANK" in os.environ


@cache
def ranks() -> Ranks:
    """This process and its like; joins them, which waits until all are there."""
    if not is_one_of_many():
        return Ranks()
    with_nccl = torch.cuda.is_available() and dist.is_nccl_available()
    dist.init_process_group("cpu:gloo,cuda:nccl" if with_nccl else "gloo", timeout=PATIENCE)
    return Ranks(dist.get_rank(), dist.get_world_size())
