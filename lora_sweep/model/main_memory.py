"""Main memory that a large base does not need for now, left to the system while a CPU trains it.

Linux alone can be told so; elsewhere nothing is done. Small bases are left alone: what theirs comes
to is not worth the time. No torch is imported.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diffusers import UNet2DConditionModel
    from torch import Tensor, nn

LARGE = 1 << 30
"""Bytes of a UNet from which on memory is given back."""

WORTH_IT = 512 << 20
"""Bytes by which a process must have grown before it gives memory back: what it then needs again
costs time, and at 256 pixels more than is gained.
"""

_MADV_PAGEOUT = 21  # of linux/mman.h; the module mmap does not have it


def is_worth_keeping_free(device: str, unet_bytes: int) -> bool:
    """Whether on a kind of device memory is given back for a UNet of so many bytes."""
    return device == "cpu" and unet_bytes >= LARGE and _libc() is not None


def page_out(module: nn.Module) -> None:
    """Take a module's weights out of memory where they lie mapped in a file, unchanged.

    They are read again when they are used, so that no number changes. Weights that were converted
    on loading lie in no file: they stay, or go to swap space.
    """
    libc = _libc()
    if libc is None:
        return
    page = mmap.PAGESIZE
    for parameter in module.parameters():
        start = parameter.data_ptr()
        end = start + parameter.numel() * parameter.element_size()
        start, end = -(-start // page) * page, end // page * page  # pages of its own
        if end > start:
            libc.madvise(start, end - start, _MADV_PAGEOUT)  # advice: it may be declined


def give_back_between_blocks(unet: UNet2DConditionModel) -> Callable[[], None]:
    """Give freed memory back after the forward pass of each of a UNet's blocks and before its
    backward pass, where it has become much; returns what undoes it.

    A block leaves freed memory behind that the next one, whose tensors have other sizes, cannot
    use: on SDXL at 1024 pixels some 2.5 GiB by the end of a step.
    """
    libc = _libc()
    if libc is None or not hasattr(libc, "malloc_trim"):  # glibc's own
        return lambda: None
    least = _anonymous()

    def look(_gradient: Tensor | None = None) -> None:
        nonlocal least
        now = _anonymous()
        if now - least > WORTH_IT:
            libc.malloc_trim(0)
            now = least = _anonymous()
        least = min(least, now)

    def after_forward(_module: nn.Module, _inputs: Any, output: Any) -> None:
        look()
        first: Tensor = output[0] if isinstance(output, tuple) else output
        if first.requires_grad:
            first.register_hook(look)

    blocks: list[nn.Module] = [*unet.down_blocks, unet.mid_block, *unet.up_blocks]
    handles = [block.register_forward_hook(after_forward) for block in blocks]

    def undo() -> None:
        for handle in handles:
            handle.remove()

    return undo


def _anonymous() -> int:
    """Bytes of this process that lie in no file."""
    _, resident, in_files, *_ = Path("/proc/self/statm").read_text().split()
    return (int(resident) - int(in_files)) * mmap.PAGESIZE


@lru_cache(maxsize=1)
def _libc() -> Any:
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    return libc
