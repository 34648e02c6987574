"""Rules: each refuses what it is for and nothing else, and all are reported together."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest

from lora_sweep.config import check, problems, resolved_steps, warnings
from lora_sweep.config.ranges import RANGES
from lora_sweep.config.resolve import pivot_step
from lora_sweep.config.settings import (
    VARIANTS,
    Adafactor,
    AdamW,
    AdamW8bit,
    Dataset,
    Device,
    Evaluate,
    Lora,
    Model,
    Optimizer,
    Pivotal,
    PivotRounding,
    Precision,
    Prediction,
    Prior,
    PriorGenerated,
    PriorReal,
    Prodigy,
    ProdigyPlus,
    Results,
    Schedule,
    Settings,
    Snr,
    TeFull,
    TeLora,
    TeMode,
    Train,
    Wandb,
)
from lora_sweep.errors import SettingsError

GOOD = Settings(
    dataset=Dataset(instance_prompt="a TOK emoji", class_noun="emoji"),
    te_mode=Pivotal(),
    train=Train(max_train_steps=100),
)


@pytest.fixture(autouse=True)
def all_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lora_sweep.config.rules.find_spec", lambda name: object())


def having(**changes: Any) -> Settings:
    """Return the good settings with sections replaced, or with `section__setting` replaced."""
    settings = GOOD
    for path, value in changes.items():
        section, _, key = path.partition("__")
        value = replace(getattr(settings, section), **{key: value}) if key else value
        settings = replace(settings, **{section: value})
    return settings


def only_problem(**changes: Any) -> str:
    found = problems(having(**changes))
    assert len(found) == 1, found
    return found[0]


def test_good_settings_have_no_problems_and_no_warnings() -> None:
    assert problems(GOOD) == [] and warnings(GOOD) == []
    check(GOOD)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": -1}, "seed=-1: must be between 0 and"),
        ({"lora__rank": 0}, "lora.rank=0: must be at least 1"),
        ({"lora__alpha": 0.0}, "lora.alpha=0.0: must be greater than 0"),
        ({"lora__dropout": 1.0}, "lora.dropout=1.0: must be at least 0 and less than 1"),
        ({"lora__target_modules": ()}, "lora.target_modules=[]: must be not empty"),
        ({"lora__blocks": ()}, "lora.blocks=[]: must be not empty"),
        ({"optimizer": AdamW(lr=-1e-4)}, "optimizer.lr=-0.0001: must be at least 0"),
        ({"optimizer": AdamW(te_lr=-1.0)}, "optimizer.te_lr=-1.0: must be at least 0"),
        ({"optimizer": AdamW(beta2=1.0)}, "optimizer.beta2=1.0: must be at least 0 and less"),
        ({"optimizer": AdamW(lr=float("nan"))}, "optimizer.lr=nan: must be a finite number"),
        ({"optimizer": Adafactor(decay_rate=0.8)}, "optimizer.decay_rate=0.8: must be less"),
        ({"snr": Snr(gamma=0.0)}, "snr.gamma=0.0: must be greater than 0"),
        ({"te_mode": Pivotal(frac=1.5)}, "te_mode.frac=1.5: must be greater than 0 and at most"),
        ({"te_mode": Pivotal(frac=0.0)}, "te_mode.frac=0.0: must be greater than 0"),
        ({"te_mode": Pivotal(num_new_tokens=0)}, "te_mode.num_new_tokens=0: must be at least 1"),
        ({"model__resolution": 63}, "model.resolution=63: must be a multiple of 8"),
        ({"model__resolution": 0}, "model.resolution=0: must be a multiple of 8"),
        ({"model__path": " "}, "model.path= : must be not empty"),
        ({"model__clip_skip": -1}, "model.clip_skip=-1: must be at least 0"),
        ({"dataset__repeats": 0}, "dataset.repeats=0: must be at least 1"),
        ({"dataset__subset": 0}, "dataset.subset=0: must be at least 1"),
        ({"dataset__holdout": "-1"}, "dataset.holdout=-1: must be auto, or a whole number"),
        ({"dataset__holdout": "some"}, "dataset.holdout=some: must be auto"),
        ({"prior": PriorGenerated(num_class_images=0)}, "prior.num_class_images=0: must be at"),
        ({"prior": PriorGenerated(weight=-1.0)}, "prior.weight=-1.0: must be at least 0"),
        ({"train__batch_size": 0}, "train.batch_size=0: must be at least 1"),
        ({"train__gradient_accumulation_steps": 0}, "accumulation_steps=0: must be at least 1"),
        ({"train__max_train_steps": 0}, "train.max_train_steps=0: must be at least 1"),
        ({"train__threads": 0}, "train.threads=0: must be at least 1"),
        ({"train__checkpoint_every": -1}, "train.checkpoint_every=-1: must be at least 0"),
        ({"train__max_grad_norm": 0.0}, "train.max_grad_norm=0.0: must be greater than 0"),
        ({"evaluate": Evaluate(images_per_prompt=0)}, "evaluate.images_per_prompt=0: must be at"),
        ({"evaluate": Evaluate(prompts=("",))}, "evaluate.prompts=[]: must be a list without"),
        ({"schedule": Schedule(name="cosin")}, "schedule.name=cosin: must be one of constant"),
        ({"tracker": Wandb(project="")}, "tracker.project=: must be not empty"),
        ({"tracker": Wandb(tags=("x" * 65,))}, "must be of 1 to 64 characters each"),
        ({"results": Results(name="a/b")}, "results.name=a/b: must be a plain file name"),
        ({"results": Results(name="..")}, "results.name=..: must be a plain file name"),
        ({"results": Results(dir="")}, "results.dir=: must be not empty"),
    ],
)
def test_a_setting_outside_its_range_is_the_only_problem(
    changes: dict[str, Any], message: str
) -> None:
    found = problems(having(**changes))
    assert any(message in problem for problem in found), found


def test_every_range_belongs_to_a_setting_that_exists() -> None:
    known = {"seed"}
    for section in fields(Settings):
        default = getattr(Settings(), section.name)
        if is_dataclass(default):
            bases = [base for base in VARIANTS if isinstance(default, base)]
            choices: Any = VARIANTS[bases[0]] if bases else (type(default),)
            for cls in choices:
                known |= {f"{section.name}.{item.name}" for item in fields(cls)}
    assert set(RANGES) <= known


def test_all_problems_are_reported_at_once() -> None:
    bad = having(
        lora=Lora(rank=0),
        seed=-1,
        optimizer=Prodigy(te_lr=0.5),
        train=Train(max_train_steps=1, steps_per_image=3),
        te_mode=Pivotal(frac=0.4),
        results=Results(name="../x"),
    )
    with pytest.raises(SettingsError) as caught:
        check(bad)
    assert len(caught.value.problems) == 6
    for name in ("lora.rank", "seed", "te_lr", "steps_per_image", "results.name", "te_mode.frac"):
        assert name in str(caught.value)


@pytest.mark.parametrize(("frac", "refused"), [(0.49, True), (0.5, False)])
def test_a_pivot_is_refused_just_where_training_would_put_it_at_step_0(
    frac: float, refused: bool
) -> None:
    settings = having(train=Train(max_train_steps=1), te_mode=Pivotal(frac=frac))
    assert (pivot_step(frac, 1, PivotRounding.exact, 1) == 0) is refused
    assert bool(problems(settings)) is refused


def test_prodigy_takes_no_second_learning_rate_except_0() -> None:
    assert "optimizer.te_lr=0.5: must be null, 0 or equal" in only_problem(
        optimizer=Prodigy(te_lr=0.5)
    )
    for fine in (Prodigy(te_lr=0.0), Prodigy(te_lr=1.0), Prodigy(te_lr=None)):
        assert problems(having(optimizer=fine)) == []
    assert problems(having(optimizer=Prodigy(te_lr=0.5), te_mode=TeMode())) == []
    assert problems(having(optimizer=ProdigyPlus(te_lr=0.5))) == []


def test_something_must_be_trained() -> None:
    assert "one of them" in only_problem(optimizer=AdamW(lr=0.0, te_lr=None))
    assert "nothing would be trained" in only_problem(optimizer=AdamW(lr=0.0), te_mode=TeMode())
    assert problems(having(optimizer=AdamW(lr=0.0, te_lr=1e-3))) == []
    assert problems(having(optimizer=AdamW(lr=1e-3, te_lr=0.0))) == []


@pytest.mark.parametrize(("total", "each"), [(None, None), (10, 10)])
def test_exactly_one_way_to_give_the_length_is_taken(total: int | None, each: int | None) -> None:
    message = only_problem(train=Train(max_train_steps=total, steps_per_image=each))
    assert "exactly one of them" in message


def test_steps_follow_from_the_number_of_pictures() -> None:
    face = having(train=Train(steps_per_image=120))
    assert problems(face) == [] and resolved_steps(face, 6) == 720  # the post: 6 x 120
    assert resolved_steps(GOOD, 6) == 100


@pytest.mark.parametrize("mode", [Pivotal(frac=0.1), TeLora(frac=0.1), TeFull(frac=0.1)])
def test_a_pivot_at_step_0_is_refused(mode: TeMode) -> None:
    assert "that is step 0" in only_problem(te_mode=mode, train=Train(max_train_steps=4))
    assert problems(having(te_mode=mode, train=Train(max_train_steps=10))) == []


def test_a_pivot_rounded_to_epochs_is_left_to_those_who_know_the_epochs() -> None:
    mode = Pivotal(frac=0.1, pivot_rounding=PivotRounding.epoch)
    assert problems(having(te_mode=mode, train=Train(max_train_steps=4))) == []


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ((), "must have at least one word"),
        (("",), "must be one word without white space"),
        (("TOK", "a b"), "'a b' must be one word without white space"),
        (("TOK", "TOK2"), "'TOK' must not be part of 'TOK2'"),
        (("TOK", "TOK"), "'TOK' must not be part of 'TOK'"),
    ],
)
def test_abstractions_are_distinct_words(words: tuple[str, ...], part: str) -> None:
    found = problems(having(dataset__abstractions=words))
    assert any(part in problem for problem in found), found


def test_pivotal_needs_an_abstraction_in_the_instance_prompt() -> None:
    message = only_problem(dataset__instance_prompt="an emoji")
    assert (
        "dataset.instance_prompt=an emoji: must contain one of dataset.abstractions=[TOK]"
        in message
    )
    assert problems(having(dataset__instance_prompt="an emoji", te_mode=TeMode())) == []


def test_class_pictures_are_not_described_by_the_abstraction() -> None:
    assert "prior.class_prompt=a TOK" in only_problem(prior=PriorGenerated(class_prompt="a TOK"))
    assert "dataset.class_noun=TOK" in only_problem(
        prior=PriorGenerated(), dataset__class_noun="TOK"
    )
    assert problems(having(prior=Prior(), dataset__class_noun="TOK")) == []


def test_real_class_pictures_need_a_folder_where_none_are_packaged() -> None:
    assert "prior.path=null: must be a folder" in only_problem(prior=PriorReal())
    assert problems(having(prior=PriorReal(path="women"))) == []
    face = Dataset(name="face", set="varied", instance_prompt="TOK", class_noun="woman")
    assert problems(having(prior=PriorReal(), dataset=face)) == []


@pytest.mark.parametrize("name", ["folder", "hub"])
def test_pictures_that_are_not_packaged_need_a_place(name: str) -> None:
    assert "dataset.path=null" in only_problem(dataset__name=name)
    assert problems(having(dataset__name=name, dataset__path="x")) == []


def test_only_the_face_has_sets() -> None:
    assert "only dataset=face has sets" in only_problem(dataset__set="varied")
    for wrong in (None, "standing"):
        message = only_problem(dataset__name="face", dataset__set=wrong)
        assert "must be one of sitting, varied" in message


def test_without_captions_there_must_be_an_instance_prompt() -> None:
    message = only_problem(dataset__caption_column=None, dataset__instance_prompt=None)
    assert "dataset.instance_prompt=null: must be given" in message


def test_a_single_file_base_must_be_safetensors() -> None:
    assert "must be a .safetensors file" in only_problem(
        model=Model(path="base.ckpt", single_file=True)
    )


def test_fp16_needs_a_gpu() -> None:
    on_cpu = replace(GOOD.train, device=Device.cpu)
    assert "model.precision=fp16: must be fp32 or bf16" in only_problem(
        model__precision=Precision.fp16, train=on_cpu
    )
    assert problems(having(model__precision=Precision.fp16)) == []


def test_adamw8bit_needs_a_gpu_and_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    on_cpu = replace(GOOD.train, device=Device.cpu)
    assert "needs a GPU" in only_problem(optimizer=AdamW8bit(), train=on_cpu)
    monkeypatch.setattr("lora_sweep.config.rules.find_spec", lambda name: None)
    assert "pip install bitsandbytes" in only_problem(optimizer=AdamW8bit())


@pytest.mark.parametrize("optimizer", [ProdigyPlus(), Adafactor(relative_step=True)])
def test_optimizers_with_a_schedule_of_their_own_take_only_the_constant_one(
    optimizer: Optimizer,
) -> None:
    assert "must be constant" in only_problem(optimizer=optimizer, schedule=Schedule(name="cosine"))
    assert problems(having(optimizer=optimizer)) == []


def test_warm_up_ends_before_training_does() -> None:
    warm = Schedule(name="cosine", warmup_steps=100)
    assert "must be less than train.max_train_steps=100" in only_problem(schedule=warm)


@pytest.mark.parametrize("name", ["dog_emb", "text_encoder", "Pytorch_LoRA_Weights"])
def test_a_name_that_another_file_has_is_refused_before_training(name: str) -> None:
    assert f"results.name={name}: must be none of" in only_problem(results=Results(name=name))


def test_zero_terminal_snr_needs_a_base_that_may_predict_velocity() -> None:
    epsilon = having(model__prediction=Prediction.epsilon)
    settings = replace(epsilon, model=replace(epsilon.model, zero_terminal_snr=True))
    assert "model.zero_terminal_snr=true: must be false" in problems(settings)[0]
    for prediction in (Prediction.auto, Prediction.v_prediction):
        assert problems(having(model=Model(prediction=prediction, zero_terminal_snr=True))) == []


def test_buckets_need_a_resolution_whose_steps_the_unet_can_halve() -> None:
    small = having(dataset__buckets=True, model=Model(name="sdxl", path="a/b", resolution=128))
    assert "dataset.buckets=true: must be false when model.resolution=128" in problems(small)[0]
    assert problems(having(dataset__buckets=True)) == [], "nano's UNet halves once"
