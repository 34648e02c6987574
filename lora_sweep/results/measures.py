"""The numbers that trials are judged by: what each is, which way is better, what it cannot see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Measure:
    """One number of a trial, the same for all trials of a sweep."""

    name: str
    better: Literal["lower", "higher"] | None  # None: neither; read it beside the others
    formula: str
    range: str
    blind_to: str


_ALL = (
    Measure(
        "val_loss",
        "lower",
        "mean squared error of the predicted noise on held-out pictures, unweighted, at fixed "
        "timesteps with fixed noise",
        "[0, inf), about 1 for a model that knows nothing",
        "whether samples look good",
    ),
    Measure(
        "fit_loss",
        None,
        "val_loss on the pictures trained on",
        "[0, inf)",
        "memorising: it only falls",
    ),
    Measure("gap", "lower", "val_loss - fit_loss", "(-inf, inf)", "whether anything was learnt"),
    Measure(
        "drift",
        "lower",
        "|eps_lora - eps_base|^2 / |eps_base|^2 on class prompts without the trigger",
        "[0, inf), 0 for the base",
        "whether the change is for the worse",
    ),
    Measure(
        "subject",
        "higher",
        "mean cosine of image embeddings, samples against training pictures",
        "[-1, 1]",
        "copies: a memorised picture scores highest",
    ),
    Measure(
        "prompt",
        "higher",
        "cosine of a sample and its prompt, with the class noun in place of the trigger (CLIP-T)",
        "[-1, 1]",
        "the subject",
    ),
    Measure(
        "diversity",
        "higher",
        "1 - mean pairwise cosine among the samples of one prompt over seeds",
        "[0, 2]",
        "whether the variety is wanted",
    ),
    Measure(
        "copying",
        "lower",
        "highest cosine of any sample with any training picture",
        "[-1, 1]",
        "copies of a part of a picture",
    ),
)

MEASURES: dict[str, Measure] = {measure.name: measure for measure in _ALL}
"""By name, in the order in which tables show them."""
