"""What is written on the command line is read back by the shell and by Hydra."""

from __future__ import annotations

import shlex
import subprocess
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from lora_sweep.config.compose import compose
from lora_sweep.config.words import command_lines, hydra_value, number, override, shell_word

AWKWARD = st.text("ab1 '\"\\$,:=[](){}~#!%@é…🐶\t", min_size=1, max_size=12)


def read_by_hydra(word: str) -> Any:
    """The value as Hydra parses it and OmegaConf resolves it, without a whole composition."""
    value = OverridesParser.create().parse_override(word).value()
    return OmegaConf.to_container(OmegaConf.create({"value": value}), resolve=True)["value"]  # type: ignore[index,call-overload]


@given(AWKWARD)
def test_every_text_goes_through_hydra_unchanged(text: str) -> None:
    assert read_by_hydra(override("dataset.instance_prompt", text)) == text


@given(st.lists(AWKWARD, min_size=1, max_size=3))
def test_every_list_of_texts_goes_through_hydra_unchanged(texts: list[str]) -> None:
    assert read_by_hydra(override("evaluate.prompts", texts)) == texts


@pytest.mark.parametrize(
    "text", ["null", "true", "7", "007", "1e3", "nan", ".5", "a:", "x y", " ", "${seed}", "it's"]
)
def test_texts_that_look_like_something_else_stay_texts(text: str) -> None:
    assert compose([override("dataset.class_noun", text)]).dataset.class_noun == text


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",))))
def test_every_word_goes_through_the_shell_unchanged(word: str) -> None:
    assert shlex.split(shell_word(word)) == [word]


def test_bash_reads_what_shlex_reads() -> None:
    awkward = ["a b", "it's", "a 'TOK' \"b\"", "$HOME", "a`b`", "x!y", "a\\b", "[a,b]", "~", "é*?"]
    line = " ".join(map(shell_word, awkward))
    done = subprocess.run(
        ["bash", "-c", f"printf '%s\\n' {line}"], capture_output=True, text=True, timeout=30
    )
    assert done.stdout.splitlines() == awkward


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_written_exactly(value: float) -> None:
    assert float(number(value)) == value


def test_numbers_are_written_as_people_do() -> None:
    written = [number(value) for value in (1e-4, 5e-6, 1.5e-5, 0.01, 0.99, 1.0, 16.0, 0.0)]
    assert written == ["1e-4", "5e-6", "1.5e-5", "0.01", "0.99", "1.0", "16", "0.0"]


def test_simple_values_need_no_quotes() -> None:
    assert hydra_value("./huggy_clean") == "./huggy_clean"
    assert hydra_value("a TOK emoji") == "a TOK emoji"
    assert hydra_value(["TOK", "BAG"]) == "[TOK,BAG]"
    assert hydra_value([None, True]) == "[null,true]"
    assert (
        shell_word("dataset.instance_prompt=a TOK emoji") == '"dataset.instance_prompt=a TOK emoji"'
    )


def test_a_long_command_is_wrapped_into_one_that_a_shell_reads() -> None:
    words = ["python", "-m", "lora_sweep", *(f"setting.number_{n}=a value" for n in range(20))]
    text = command_lines(words)
    assert max(map(len, text.splitlines())) <= 100
    assert shlex.split(text.replace("\\\n", "")) == words
