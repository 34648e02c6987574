"""Work whose result all processes share: done by the first to come, and waited for by the others.
No torch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from lora_sweep.files import atomic_write
from lora_sweep.results.lock import file_lock
from lora_sweep.results.progress import say
from lora_sweep.results.store import Store


@contextmanager
def first_alone(store: Store, what: object) -> Iterator[None]:
    """Inside, the cache is filled with what `what` names by its repr; whoever comes while the first
    is at it waits, and then finds all of it there.

    Once somebody has come through, nobody waits: a thousand processes may start together.
    """
    digest = hashlib.sha256(repr(what).encode()).hexdigest()[:24]
    done = store.cache / "prepared" / digest
    if done.is_file():
        yield
        return
    with file_lock(done.with_name(f"{digest}.lock"), on_wait=say):
        yield
        atomic_write(done, "")
