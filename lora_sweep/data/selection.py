"""Which pictures are kept back, and which of the others are trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lora_sweep.config.settings import Dataset
from lora_sweep.data.examples import Example
from lora_sweep.randomness import Stream, number, permutation

AUTO = "auto"
AUTO_SHARE = 8
"""`auto` keeps back one in so many."""


def keep_back(
    examples: Sequence[Example], holdout: str, problems: list[str]
) -> tuple[list[Example], list[Example]]:
    """Split a user's pictures into (train, held out), both in the order given.

    Who is held out follows from the pictures alone, not from seed, names or order. Copies of one
    picture stay on one side, so that val_loss never sees a picture that was trained on.
    """
    distinct = sorted({example.digest for example in examples}, key=_rank)
    count = _holdout_count(holdout, len(distinct), problems)
    held = set(distinct[:count])
    train = [example for example in examples if example.digest not in held]
    heldout = [replace(example, split="heldout") for example in examples if example.digest in held]
    return train, heldout


def packaged_heldout(
    heldout: Sequence[Example], holdout: str, problems: list[str]
) -> list[Example]:
    """The held-out pictures that a packaged set brings: all for `auto`, else the first so many."""
    if holdout == AUTO:
        return list(heldout)
    count = _parse_count(holdout, len(heldout), "the packaged set brings its own", problems)
    return list(heldout[:count])


def draw_subset(train: Sequence[Example], settings: Dataset, problems: list[str]) -> list[Example]:
    """`dataset.subset` random pictures, in the order given; of one seed, more hold fewer."""
    if settings.subset is None:
        return list(train)
    if not 1 <= settings.subset <= len(train):
        problems.append(
            f"dataset.subset={settings.subset}: there are {len(train)} pictures to train on; "
            f"allowed is null or 1 to {len(train)}"
        )
        return list(train)
    chosen = permutation(len(train), settings.subset_seed, Stream.subset)[: settings.subset]
    return [train[index] for index in sorted(chosen)]


def _rank(digest: str) -> int:
    return number(0, Stream.holdout, digest)


def _holdout_count(holdout: str, num_distinct: int, problems: list[str]) -> int:
    if holdout == AUTO:
        return max(1, num_distinct // AUTO_SHARE) if num_distinct >= 2 else 0
    return _parse_count(holdout, num_distinct - 1, "one must be left to train on", problems)


def _parse_count(holdout: str, largest: int, why: str, problems: list[str]) -> int:
    count = int(holdout) if holdout.isascii() and holdout.isdigit() else -1
    if 0 <= count <= largest:
        return count
    problems.append(
        f"dataset.holdout={holdout}: allowed is {AUTO} or 0 to {largest} different pictures ({why})"
    )
    return 0
