"""Writing files so that a reader never sees half of one."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from lora_sweep.errors import StoreError


def atomic_write(path: Path, data: bytes) -> None:
    """Write a file beside its final name and rename it into place; raises StoreError.

    Safe with several writers of one path: the last one wins, and a reader sees one of them whole.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        # Gone after a successful rename; left behind by a failed write.
        temporary.unlink(missing_ok=True)
