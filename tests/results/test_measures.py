"""The formulas, by hand on a few vectors; and prompts of the class."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from lora_sweep.config.settings import Dataset, Evaluate, Settings
from lora_sweep.results.measure.drift import drift
from lora_sweep.results.measure.prompts import class_prompt_of, class_prompts, drift_prompts
from lora_sweep.results.measure.similarity import copying, diversity, prompt, subject
from lora_sweep.results.measures import MEASURES


def at(*degrees: float) -> Tensor:
    """Unit vectors in the plane, one per angle."""
    radians = torch.tensor([math.radians(angle) for angle in degrees], dtype=torch.float64)
    return torch.stack([radians.cos(), radians.sin()], dim=1)


def cos(degrees: float) -> float:
    return math.cos(math.radians(degrees))


def test_subject_is_the_mean_cosine_over_all_pairs() -> None:
    expected = (cos(10) + cos(50) + cos(40) + cos(20)) / 4
    assert subject(at(10, 40), at(0, 60)) == pytest.approx(expected)


def test_copying_is_the_cosine_of_the_closest_pair() -> None:
    assert copying(at(10, 40), at(0, 45, 90)) == pytest.approx(cos(5))
    assert copying(at(10, 40), at(40, 200)) == pytest.approx(1)


def test_one_copy_among_many_new_pictures_is_seen_by_copying_and_hardly_by_subject() -> None:
    new, one_copied = at(60, 70, 80, 90), at(60, 70, 80, 0)
    assert copying(one_copied, at(0)) > 0.999 and copying(new, at(0)) < 0.6
    assert subject(one_copied, at(0)) < 0.6


def test_diversity_is_one_minus_the_mean_over_pairs_of_one_prompt() -> None:
    first, second = at(0, 30, 60), at(0, 90, 180)
    pairs = (cos(30) + cos(60) + cos(30)) / 3, (cos(90) + cos(180) + cos(90)) / 3
    expected = 1 - sum(pairs) / 2
    assert diversity(torch.stack([first, second])) == pytest.approx(expected)


def test_prompts_that_differ_are_no_diversity() -> None:
    assert diversity(torch.stack([at(0, 0), at(90, 90)])) == pytest.approx(0, abs=1e-9)


def test_diversity_of_single_pictures_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 samples of each prompt, got 1"):
        diversity(torch.stack([at(0), at(90)]))


def test_prompt_compares_each_sample_with_its_own_text() -> None:
    assert prompt(at(0, 40), at(20, 100)) == pytest.approx((cos(20) + cos(60)) / 2)


def test_a_picture_in_which_nothing_was_found_is_like_nothing() -> None:
    samples = torch.cat([at(0), torch.zeros(1, 2, dtype=torch.float64)])
    assert subject(samples, at(0)) == pytest.approx(0.5)


def test_drift_is_the_squared_change_relative_to_the_base() -> None:
    base = torch.tensor([[3.0, 4.0], [0.0, 0.0]]).view(2, 2, 1, 1)
    assert drift(base, base) == 0
    assert drift(base + 1, base) == pytest.approx(4 / 25)
    assert drift(2 * base, base) == pytest.approx(1)


@pytest.mark.parametrize(
    ("given", "noun", "expected"),
    [
        ("a TOK emoji dressed as Yoda", "emoji", "an emoji dressed as Yoda"),
        ("a TOK in space", "emoji", "an emoji in space"),
        ("an TOK dog", "dog", "a dog"),
        ("A TOK, smiling", "Apple", "An Apple, smiling"),
        ("a photo of TOK woman wearing a hat", "woman", "a photo of woman wearing a hat"),
        ("a TOK webpage about cats", "web page", "a webpage about cats"),
        ("TOK on the beach", "picture", "picture on the beach"),
        ("a TOK TOK2 dog", "dog", "a dog"),
        ("a TOK dogs", "dog", "a dog dogs"),
        ("TOK and TOK2", "cat", "cat and cat"),
        ("a TOKYO street", "dog", "a TOKYO street"),
        ("a (TOK)", "c++ | book", "a (c++ | book)"),
        ("a dog", "dog", "a dog"),
        ("an hour of TOK's time", "dog", "an hour of dog's time"),
    ],
)
def test_the_class_noun_takes_the_triggers_place(given: str, noun: str, expected: str) -> None:
    assert class_prompt_of(given, ["TOK", "TOK2"], noun) == expected


def test_without_abstractions_a_prompt_stays_as_it_is() -> None:
    assert class_prompt_of("a TOK dog", [], "dog") == "a TOK dog"


def test_drift_is_measured_on_the_class_alone_and_on_each_prompt_once() -> None:
    settings = Settings(
        dataset=Dataset(class_noun="emoji"),
        evaluate=Evaluate(prompts=("a TOK emoji", "{subject} in space", "an emoji")),
    )
    assert class_prompts(settings) == ("an emoji", "emoji in space", "an emoji")
    assert drift_prompts(settings) == ("an emoji", "emoji in space")


def test_every_function_tells_its_range_its_direction_and_what_it_cannot_see() -> None:
    for function in (subject, prompt, diversity, copying, drift):
        text = str(function.__doc__)
        measure = MEASURES[function.__name__]
        assert measure.range.partition(",")[0] in text
        assert f"{measure.better} is better" in text and "cannot see" in text
