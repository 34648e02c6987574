"""Prompts of the class: the trigger replaced by the class noun. No torch."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lora_sweep.config.resolve import validation_prompts, with_article
from lora_sweep.config.settings import Settings
from lora_sweep.data.captions import replace_abstractions

_MARK = "\0"


def class_prompts(settings: Settings) -> tuple[str, ...]:
    """The validation prompts with the class noun in place of the trigger, in their order."""
    data = settings.dataset
    prompts = validation_prompts(settings)
    return tuple(class_prompt_of(each, data.abstractions, data.class_noun) for each in prompts)


def drift_prompts(settings: Settings) -> tuple[str, ...]:
    """What `drift` is measured on: the class alone, then the validation prompts of the class."""
    alone = with_article(settings.dataset.class_noun)
    return tuple(dict.fromkeys((alone, *class_prompts(settings))))


def class_prompt_of(prompt: str, abstractions: Sequence[str], class_noun: str) -> str:
    """Return "an emoji in space" for "a TOK emoji in space" and for "a TOK in space".

    Where the noun follows the trigger it is not said twice, also where only its spaces differ
    ("webpage", "web page"). Abstractions in a row stand for one subject. The indefinite article is
    made to fit.
    """
    marked = replace_abstractions(prompt, dict.fromkeys(abstractions, _MARK))
    one = re.sub(rf"{_MARK}(?:\s+{_MARK})+", _MARK, marked)
    noun = r"\s*".join(re.escape(letter) for letter in class_noun if not letter.isspace())
    kept = re.sub(rf"{_MARK}\s+(?={noun}(?!\w))", _MARK, one, flags=re.IGNORECASE)
    named = re.sub(rf"{_MARK}(?!{noun}(?!\w))", _MARK + class_noun, kept, flags=re.IGNORECASE)
    return re.sub(rf"(?:\b([Aa])n?(\s+))?{_MARK}(\w?)", _with_article, named)


def _with_article(match: re.Match[str]) -> str:
    article, space, letter = match.groups()
    if article is None:
        return letter
    fitting = article + ("n" if letter.lower() in set("aeiou") else "")
    return f"{fitting}{space}{letter}"
