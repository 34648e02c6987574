"""Abstractions in captions: the words, such as TOK, that stand for the subject."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from lora_sweep.data.examples import Example, Examples


def replace_abstractions(caption: str, mapping: Mapping[str, str]) -> str:
    """Replace whole words by their values, all at once, so that nothing is replaced twice.

    "TOK's" and "TOK," hold the word TOK; "TOKYO", "TOK2" and "STOK" do not.
    """
    if not mapping:
        return caption
    return _whole_words(mapping).sub(lambda match: mapping[match.group()], caption)


def contains_abstraction(caption: str, abstraction: str) -> bool:
    """Whether the abstraction is in the caption as a whole word, in this very case."""
    return _whole_words([abstraction]).search(caption) is not None


def caption_problems(examples: Examples, abstractions: Sequence[str], pivotal: bool) -> list[str]:
    """What is wrong with the captions for training on these abstractions; empty when nothing is.

    Every abstraction must be in some training caption, since prompts are written with it. In
    pivotal training each caption, held-out ones too, must hold at least one: without it a picture
    teaches the new tokens nothing.
    """
    if pivotal and not abstractions:
        return [
            "dataset.abstractions is empty; te_mode=pivotal needs at least one word, such as TOK"
        ]
    problems = [
        f"dataset.abstractions: no training caption holds {abstraction!r} as a word of its own; "
        f"the first is {examples.train[0].caption!r}"
        for abstraction in abstractions
        if not any(contains_abstraction(each.caption, abstraction) for each in examples.train)
    ]
    # When no caption has any abstraction, the lines above have said so once.
    if pivotal and len(problems) < len(abstractions):
        problems += _captions_without((*examples.train, *examples.heldout), abstractions)
    return problems


def _captions_without(examples: Iterable[Example], abstractions: Sequence[str]) -> list[str]:
    problems: list[str] = []
    for example in examples:
        if not any(contains_abstraction(example.caption, each) for each in abstractions):
            near = [each for each in abstractions if each.casefold() in example.caption.casefold()]
            hint = " (it is there only inside another word or in another case)" if near else ""
            problems.append(
                f"{example.path}: the caption {example.caption!r} holds none of the abstractions "
                f"{', '.join(abstractions)} as a word of its own{hint}; te_mode=pivotal needs one"
            )
    return problems


def _whole_words(words: Iterable[str]) -> re.Pattern[str]:
    # Longest first, so that of "TOK" and "TOK 2" the longer wins. A combining mark (U+0300 to
    # U+036F) belongs to the letter before it, but \w does not match it.
    longest_first = sorted(words, key=len, reverse=True)
    alternatives = "|".join(re.escape(word) for word in longest_first)
    return re.compile(rf"(?<!\w)(?:{alternatives})(?![\w\u0300-\u036f])")
