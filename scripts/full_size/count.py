"""FLOPs, bytes, kernel launches and live memory of work on tensors without data.

Arithmetic is that of a GPU as far as it can be had without one. Views cost nothing; any other
operation is one launch that reads its inputs and writes its outputs once.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry, sdpa_backward_flop_count, sdpa_flop_count

FREE = {
    "view", "_unsafe_view", "expand", "transpose", "t", "permute", "slice", "select", "unsqueeze",
    "squeeze", "split", "split_with_sizes", "chunk", "detach", "alias", "as_strided", "unbind",
    "_reshape_alias", "lift_fresh", "device", "empty", "empty_like", "empty_strided",
}  # fmt: skip
"""Operations that launch nothing."""

ATTENTION = "_scaled_dot_product_flash_attention_for_cpu"
"""What fused attention is called here; on a GPU it is one kernel as well."""


@dataclass(frozen=True)
class Kernel:
    """One launch."""

    name: str
    flops: int
    moved: int  # bytes read and written


@dataclass
class Counts:
    """What a stretch of work comes to."""

    kernels: list[Kernel] = field(default_factory=list)
    live: int = 0  # bytes allocated since the start and not freed
    peak: int = 0  # of live

    @property
    def launches(self) -> int:
        """Number of kernels."""
        return len(self.kernels)

    @property
    def flops(self) -> int:
        """Of matrix products, convolutions and attention."""
        return sum(kernel.flops for kernel in self.kernels)

    @property
    def moved(self) -> int:
        """Bytes read and written by all kernels."""
        return sum(kernel.moved for kernel in self.kernels)


class Counter(TorchDispatchMode):
    """Counts every operation that is called in its context."""

    def __init__(self) -> None:
        super().__init__()
        self.counts = Counts()
        self._storages: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        if name in FREE:
            return out
        outputs = _tensors(out)
        for tensor in outputs:
            self._allocated(tensor)
        moved = sum(map(_size, (*_tensors((args, kwargs or {})), *outputs)))
        flops = _flops(func, name, args, kwargs or {}, out)
        self.counts.kernels.append(Kernel(name, flops, moved))
        return out

    def _allocated(self, tensor: Tensor) -> None:
        storage: Any = tensor.untyped_storage()
        key = storage._cdata
        if key in self._storages:
            return
        self._storages.add(key)
        self.counts.live += storage.nbytes()
        self.counts.peak = max(self.counts.peak, self.counts.live)
        weakref.finalize(storage, self._freed, key, storage.nbytes())

    def _freed(self, key: int, size: int) -> None:
        self._storages.discard(key)
        self.counts.live -= size


def _tensors(values: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]


def _size(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _flops(func: Any, name: str, args: Any, kwargs: Any, out: Any) -> int:
    if name == ATTENTION:
        return sdpa_flop_count(args[0].shape, args[1].shape, args[2].shape)
    if name == f"{ATTENTION}_backward":
        return sdpa_backward_flop_count(*(each.shape for each in args[:4]))
    formula = flop_registry.get(func.overloadpacket)
    return 0 if formula is None else int(formula(*args, **kwargs, out_val=out))


@contextmanager
def norms_in_fp32() -> Iterator[None]:
    """As autocast has it on CUDA; on the CPU it leaves norms in 16 bits."""
    layer, group = F.layer_norm, F.group_norm

    def widened(norm: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def wide(x: Tensor, first: Any, *more: Any, **named: Any) -> Tensor:
            return norm(
                x.float(),
                first,
                *(each.float() if isinstance(each, Tensor) else each for each in more),
                **{n: v.float() if isinstance(v, Tensor) else v for n, v in named.items()},
            )

        return wide

    F.layer_norm, F.group_norm = widened(layer), widened(group)
    try:
        yield
    finally:
        F.layer_norm, F.group_norm = layer, group
