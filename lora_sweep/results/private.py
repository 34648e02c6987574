"""What leaves this machine: settings and texts without secrets, logins and places of files."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lora_sweep.results.names import PATHS, without_path

SECRET_VARIABLES = ("WANDB_API_KEY", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_TOKEN")
CREDENTIALS_IN_URL = re.compile(r"(?<=://)[^/\s@]+(?=@)")


def without_secrets(value: Any, environ: Mapping[str, str] = os.environ) -> Any:
    """Plain containers with keys and tokens of the environment, and logins in URLs, blotted out."""
    if isinstance(value, str):
        for name in SECRET_VARIABLES:
            if secret := environ.get(name):
                value = value.replace(secret, "***")
        return CREDENTIALS_IN_URL.sub("***", value)
    if isinstance(value, Mapping):
        return {key: without_secrets(item, environ) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_secrets(item, environ) for item in value]
    return value


def public_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """A trial's settings as another machine may see them: of paths of this one the last part.

    Where results lie and where progress is sent say nothing there, and are left out.
    """
    shown = {name: part for name, part in settings.items() if name not in ("tracker", "results")}
    for name in PATHS:
        section, _, key = name.partition(".")
        part = shown.get(section)
        if isinstance(part, Mapping) and isinstance(part.get(key), str):
            shown[section] = {**part, key: without_path(name, part[key])}
    return without_secrets(shown)


def public_text(text: str) -> str:
    """A message without secrets, and with `~` for the user's own folder."""
    home = str(Path.home())
    return without_secrets(text.replace(home, "~") if len(home) > 1 else text)
