"""Keeping the libraries' own notices off a user's terminal: ours say what matters."""

from __future__ import annotations

import os


def quiet_libraries() -> None:
    """Silence warnings and bars of transformers, diffusers and the hub client; call it before
    importing them.

    What a user has set in the environment stays.
    """
    for name in ("TRANSFORMERS_VERBOSITY", "DIFFUSERS_VERBOSITY"):
        os.environ.setdefault(name, "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    # Tokenizers warn about forks that happened after use; ours make no threads.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def hide_progress_bars() -> None:
    """Hide the bars that transformers and diffusers draw while they load; imports both."""
    import diffusers.utils.logging
    import transformers.utils.logging

    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()
