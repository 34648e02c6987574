"""torch.compile of the UNet's repeated blocks: two small graphs in place of one large one, compiled
in a fraction of the time and used for all transformer blocks alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

REPEATED = "BasicTransformerBlock"
"""What diffusers calls the block that SDXL has 70 of."""


class CompiledBlocks:
    """The repeated blocks of a UNet, compiled while in use: between steps, when pictures are drawn
    in other batches, they are as they were.
    """

    def __init__(self, unet: nn.Module) -> None:
        found = [each for each in unet.modules() if type(each).__name__ == REPEATED]
        self.blocks: list[Any] = found  # untyped, for what nn.Module keeps to itself
        self._calls = [torch.compile(each._call_impl) for each in self.blocks]

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Around a whole step: checkpointed blocks are called again in its backward pass."""
        for block, call in zip(self.blocks, self._calls, strict=True):
            block._compiled_call_impl = call  # what nn.Module.compile sets, and nothing unsets
        try:
            yield
        finally:
            for block in self.blocks:
                block._compiled_call_impl = None
