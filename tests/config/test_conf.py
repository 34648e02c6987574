"""conf/: every file composes to settings that hold, and mistakes get the promised message."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from lora_sweep.config import problems, settings_from_plain, to_plain, warnings
from lora_sweep.config.compose import compose, conf_dir, settings_from
from lora_sweep.config.settings import AdamW, Pivotal, PriorReal, Prodigy, Settings, Wandb
from lora_sweep.errors import SettingsError

CHOICES = sorted((file.parent.name, file.stem) for file in conf_dir().glob("*/*.yaml"))
EVERY_CHOICE = [pytest.param(*choice, id="=".join(choice)) for choice in CHOICES]
NEEDED = {  # what a choice cannot know
    ("dataset", "folder"): ["dataset.path=pictures", "dataset.instance_prompt=a TOK dog"],
    ("dataset", "hub"): ["dataset.path=owner/name"],
    ("model", "sdxl_file"): ["model.path=base.safetensors"],
    ("prior", "real"): ["prior.path=class_pictures"],
}


@pytest.fixture
def all_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lora_sweep.config.rules.find_spec", lambda name: object())


@cache
def composed(*overrides: str) -> Settings:
    return compose(overrides)


def refused(*overrides: str) -> str:
    with pytest.raises(SettingsError) as caught:
        compose(overrides)
    return str(caught.value)


@pytest.mark.usefixtures("all_packages")
@pytest.mark.parametrize(("group", "choice"), EVERY_CHOICE)
def test_every_choice_composes_to_settings_that_obey_the_rules(group: str, choice: str) -> None:
    settings = composed(f"{group}={choice}", *NEEDED.get((group, choice), []))
    assert problems(settings) == []
    if group not in ("experiment", "optimizer"):
        assert warnings(settings) == []


@pytest.mark.parametrize(("group", "choice"), EVERY_CHOICE)
def test_every_file_says_what_it_is_and_the_command_that_uses_it(group: str, choice: str) -> None:
    text = (conf_dir() / group / f"{choice}.yaml").read_text().removeprefix("# @package _global_\n")
    comment = re.match(r"(# .*\n)+", text)
    assert comment and len(comment[0].splitlines()) >= 2
    assert re.search(rf"python -m lora_sweep .*{group}={re.escape(choice)}\b", comment[0])


@pytest.mark.parametrize(("group", "choice"), EVERY_CHOICE)
def test_no_file_names_python_code(group: str, choice: str) -> None:
    text = (conf_dir() / group / f"{choice}.yaml").read_text()
    assert "_target_" not in text and "lora_sweep." not in text


def test_the_help_lists_every_choice() -> None:
    words = set(re.findall(r"[\w-]+", (conf_dir() / "help.txt").read_text()))
    for group, choice in CHOICES:
        assert group in words and choice in words, f"{group}={choice}"


def test_the_help_marks_the_defaults() -> None:
    settings, text = composed(), (conf_dir() / "help.txt").read_text()
    for section in ("model", "dataset", "optimizer", "schedule", "te_mode", "prior", "tracker"):
        line = re.search(rf"^  {section} +(\w+)\*", text, re.MULTILINE)
        assert line and line[1] == getattr(settings, section).name


def test_the_settings_in_the_help_exist_with_the_values_shown() -> None:
    text = (conf_dir() / "help.txt").read_text().partition("commonest settings")[2]
    shown = re.findall(r"^  (\S+=\S+) ", text.partition("Examples")[0], re.MULTILINE)
    assert len(shown) >= 7
    same = [item for item in shown if not item.startswith("train.steps_per_image")]
    assert composed(*same) == composed()


def test_the_comments_of_the_defaults_list_name_every_choice() -> None:
    text = (conf_dir() / "config.yaml").read_text()
    for group in ("model", "dataset", "optimizer", "snr", "te_mode", "prior", "evaluate"):
        line = re.search(rf"^  - {group}: .*#(.*)$", text, re.MULTILINE)
        assert line is not None
        listed = set(re.findall(r"[\w-]+", line[1].rpartition(":")[2]))
        assert listed == {choice for other, choice in CHOICES if other == group}


def test_rank_is_a_shorthand_for_any_rank() -> None:
    assert composed("rank=24").lora.rank == 24
    assert composed("lora.rank=12").lora.rank == 12
    assert composed("experiment=huggy_adamw").lora.rank == 32
    assert composed("experiment=huggy_adamw", "rank=8").lora.rank == 8


def test_a_choice_carries_its_own_learning_rates() -> None:
    prodigy, adamw = composed("optimizer=prodigy").optimizer, composed("optimizer=adamw").optimizer
    assert isinstance(prodigy, Prodigy) and isinstance(adamw, AdamW)
    assert (prodigy.lr, prodigy.te_lr, prodigy.beta2, prodigy.weight_decay) == (
        1.0,
        None,
        0.99,
        0.01,
    )
    assert (adamw.lr, adamw.te_lr) == (1e-4, 3e-4)
    assert composed("optimizer=adamw_te5e-5").optimizer.te_lr == 5e-5


def test_the_command_line_beats_an_experiment() -> None:
    settings = composed("experiment=huggy_adamw", "optimizer=prodigy", "train.batch_size=2")
    assert isinstance(settings.optimizer, Prodigy) and settings.optimizer.lr == 1.0
    assert (settings.train.batch_size, settings.train.max_train_steps) == (2, 1000)


def test_prompts_come_with_the_dataset_and_can_be_overridden() -> None:
    assert all("webpage" in prompt for prompt in composed("dataset=y2k").evaluate.prompts)
    assert composed("evaluate.prompts=[a TOK dog]").evaluate.prompts == ("a TOK dog",)
    assert composed("evaluate=off").evaluate.prompts == ()


def test_the_huggy_experiments_are_the_commands_of_the_post() -> None:
    first, second = composed("experiment=huggy_adamw"), composed("experiment=huggy_prodigy")
    for settings in (first, second):
        assert settings.lora.rank == 32 and settings.seed == 0
        assert (settings.train.max_train_steps, settings.train.batch_size) == (1000, 4)
        assert isinstance(settings.te_mode, Pivotal) and settings.te_mode.frac == 0.5
        assert settings.schedule.name == "constant"
        assert settings.dataset.instance_prompt == "a TOK emoji"
    assert (first.optimizer.lr, first.optimizer.te_lr, first.snr.gamma) == (1e-4, 3e-4, None)
    assert (second.optimizer.name, second.optimizer.lr, second.snr.gamma) == ("prodigy", 1.0, 5.0)


Y2K_TABLE = {  # the post's table: steps, repeats, batch size, pictures, gamma
    "v1": (1500, 1, 4, None, 5.0),
    "v2": (1500, 1, 4, 14, 5.0),
    "v3": (1500, 2, 4, None, 5.0),
    "v4": (1000, 2, 4, None, 5.0),
    "v5": (1000, 1, 2, None, None),
    "v6": (1000, 1, 1, None, None),
    "v7": (1000, 2, 1, None, 5.0),
    "v8": (1000, 1, 1, None, 5.0),
}


@pytest.mark.parametrize("version", Y2K_TABLE)
def test_the_y2k_experiments_are_the_columns_of_the_posts_table(version: str) -> None:
    s = compose([f"experiment=y2k_{version}"])
    found = (s.train.max_train_steps, s.dataset.repeats, s.train.batch_size, s.dataset.subset)
    assert (*found, s.snr.gamma) == Y2K_TABLE[version]
    assert (s.dataset.name, s.lora.rank, s.optimizer.name) == ("y2k", 32, "prodigy")


def test_the_face_experiments_take_120_steps_for_each_of_6_pictures() -> None:
    settings = composed("experiment=face_prior_real")
    assert (settings.train.max_train_steps, settings.train.steps_per_image) == (None, 120)
    assert settings.dataset.set == "varied" and isinstance(settings.prior, PriorReal)


@pytest.mark.parametrize(
    ("overrides", "parts"),
    [
        (["optimiser=prodigy"], ["optimiser: there is no such setting", "did you mean optimizer?"]),
        (["experimnt=huggy_adamw"], ["did you mean experiment?"]),
        (
            ["optimizer=prodgy"],
            ["optimizer=prodgy", "did you mean optimizer=prodigy?", "adafactor"],
        ),
        (["nosuch.key=3"], ["nosuch.key: there is no such setting", "model, dataset"]),
        (["lr=3"], ["did you mean optimizer.lr?"]),
        (["data.path=x"], ["did you mean dataset.path"]),
        (
            ["optimizer=adamw", "optimizer.d_coef=2"],
            ["optimizer.d_coef: not a setting of optimizer=adamw, but of prodigy and prodigy_plus"],
        ),
        (["te_mode=frozen", "te_mode.frac=1"], ["not a setting of te_mode=frozen, but of"]),
        (["train.batch_size=four"], ["train.batch_size=four: must be a whole number"]),
        (["rank=four"], ["rank=four: must be a whole number"]),
        (["optimizer.lr=null"], ["optimizer.lr=null: must be a number"]),
        (["dataset.flip=maybe"], ["dataset.flip=maybe: must be true or false"]),
        (["model.precision=fp8"], ["model.precision=fp8: must be one of fp32, bf16, fp16"]),
        (["dataset.abstractions=TOK"], ["dataset.abstractions=TOK: must be a list"]),
        (["+optimizer.betas=2", "+foo=1"], ["optimizer.betas: there is no", "foo: there is no"]),
        (["optimizer.name=adamw"], ["optimizer.name=adamw: must stay prodigy", "optimizer=adamw"]),
        (["~optimizer"], ["optimizer: must be one of prodigy, adamw"]),
        (["optimizer=null"], ["takes the name of one of its choices"]),
        (["results.dir=${nowhere}"], ["results.dir: ", "nowhere"]),
        (["rank"], ["rank"]),
    ],
    ids=lambda value: value[0][:40],
)
def test_a_mistake_is_refused_by_name(overrides: list[str], parts: list[str]) -> None:
    message = refused(*overrides)
    for part in parts:
        assert part in message


def test_a_mistake_in_a_users_own_file_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "optimizer").mkdir()
    (tmp_path / "optimizer" / "mine.yaml").write_text(
        "defaults:\n  - /schema/optimizer@_here_: adamw\n  - _self_\nlearning_rate: 1\n"
    )
    message = refused(f"hydra.searchpath=[file://{tmp_path}]", "optimizer=mine")
    assert "optimizer/mine" in message and "optimizer.learning_rate: there is no" in message


def test_a_users_own_choice_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "optimizer").mkdir()
    (tmp_path / "optimizer" / "mine.yaml").write_text(
        "defaults:\n  - /schema/optimizer@_here_: adamw\n  - _self_\nlr: 0.5\n"
    )
    settings = compose([f"hydra.searchpath=[file://{tmp_path}]", "optimizer=mine"])
    assert isinstance(settings.optimizer, AdamW) and settings.optimizer.lr == 0.5


def test_broken_references_are_all_reported() -> None:
    message = refused("tracker=wandb", "tracker.project=${a.b}", "results.name=${c}", "+x=1")
    for part in ("tracker.project: ", "a.b", "results.name: "):
        assert part in message


@pytest.mark.parametrize(("group", "choice"), EVERY_CHOICE)
def test_settings_survive_a_round_trip_through_plain_values(group: str, choice: str) -> None:
    settings = composed(f"{group}={choice}", *NEEDED.get((group, choice), []))
    assert settings_from_plain(to_plain(settings)) == settings


def test_composed_settings_are_frozen_and_hashable() -> None:
    settings = composed("tracker=wandb", "tracker.tags=[a,b]")
    assert isinstance(settings, Settings) and isinstance(hash(settings), int)
    assert isinstance(settings.tracker, Wandb) and settings.tracker.tags == ("a", "b")


def test_a_composed_config_can_be_pickled_to_another_process() -> None:
    import pickle

    import hydra

    with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
        cfg = hydra.compose("config", ["optimizer=adamw"])
    assert settings_from(pickle.loads(pickle.dumps(cfg))) == composed("optimizer=adamw")


def test_conf_is_found_inside_an_installed_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packaged = tmp_path / "lora_sweep" / "conf"
    packaged.mkdir(parents=True)
    (packaged / "config.yaml").touch()
    module = tmp_path / "lora_sweep" / "config" / "compose.py"
    monkeypatch.setattr("lora_sweep.config.compose.__file__", str(module))
    assert conf_dir() == packaged
