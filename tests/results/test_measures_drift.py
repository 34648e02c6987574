"""drift of adapters on the embedded base."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DDPMScheduler

from lora_sweep.config.settings import Lora, Pivotal, Settings, TeLora, TeMode
from lora_sweep.data.cache import Cache
from lora_sweep.draws import normal
from lora_sweep.model.base import Base
from lora_sweep.model.sample import SamplerSettings
from lora_sweep.model.text import encode_captions
from lora_sweep.randomness import Stream
from lora_sweep.results.measure import drift as module
from lora_sweep.results.measure.drift import DriftReference, make_drift_reference, measure_drift
from lora_sweep.training.prepare import Items
from lora_sweep.training.trial import Trial, build_trial

PROMPTS = ("an emoji", "an emoji in space")
SAMPLER = SamplerSettings(32, 2, 5.0, 4)


@contextmanager
def put_on(base: Base, te_mode: TeMode, seed: int = 0) -> Iterator[Trial]:
    items = Items(torch.randn(1, 8, 8, 8), torch.zeros(1, 6, dtype=torch.long), ("a TOK",))
    settings = Settings(te_mode=te_mode, seed=seed, lora=Lora(rank=2, dropout=0.5))
    trial = build_trial(base, settings, items, None, 10)
    try:
        yield trial
    finally:
        trial.close()


def reference(base: Base, folder: Path) -> DriftReference:
    return make_drift_reference(base, PROMPTS, 3, SAMPLER, Cache(folder), "nano")


@pytest.mark.parametrize("te_mode", [TeMode(), TeLora(), Pivotal()], ids=lambda mode: mode.name)
@pytest.mark.parametrize("seed", [0, 1])
def test_an_untrained_adapter_has_drifted_nowhere(
    base: Base, te_mode: TeMode, seed: int, tmp_path: Path
) -> None:
    known = reference(base, tmp_path)
    with put_on(base, te_mode, seed):
        assert measure_drift(base, known, 4) == 0


def test_drift_grows_with_the_change_and_sees_no_dropout(base: Base, tmp_path: Path) -> None:
    known = reference(base, tmp_path)
    found = []
    with put_on(base, TeLora()) as trial:
        for size in (0.01, 0.02, 0.04):
            for group in trial.groups.values():
                group.vector.data.fill_(size)
            found.append(measure_drift(base, known, 4))
            assert measure_drift(base, known, 4) == found[-1]
            assert measure_drift(base, known, 3) == pytest.approx(found[-1], rel=1e-3)
    assert 0 < found[0] < found[1] < found[2]


@torch.no_grad()
def test_the_reference_is_the_bases_noise_on_its_own_noised_pictures(
    base: Base, tmp_path: Path
) -> None:
    known = reference(base, tmp_path)
    assert known.timesteps == (166, 500, 833) and known.x0_PCHW.shape == (2, 4, 8, 8)
    scheduler: Any = DDPMScheduler.from_config(base.scheduler.config)
    p, k = 1, 2
    eps = normal((4, 8, 8), 0, Stream.measure, "drift", p, k)[None]
    t = torch.tensor([known.timesteps[k]])
    text = encode_captions(base, [PROMPTS[p]])
    added = {
        "text_embeds": text.pooled_BP,
        "time_ids": torch.tensor([[32, 32, 0, 0, 32, 32]]),
    }
    x_t = scheduler.add_noise(known.x0_PCHW[p : p + 1], eps, t)
    expected = base.unet(x_t, t, text.prompt_BLD, added_cond_kwargs=added).sample
    torch.testing.assert_close(
        known.eps_NCHW[3 * p + k : 3 * p + k + 1], expected, rtol=1e-4, atol=1e-5
    )


def test_the_reference_is_made_once_and_read_from_the_cache(
    base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = reference(base, tmp_path)

    def fail(*arguments: object) -> None:
        raise AssertionError("it draws again")

    monkeypatch.setattr(module, "draw_pictures", fail)
    again = reference(base, tmp_path)
    assert torch.equal(again.eps_NCHW, first.eps_NCHW)
    with pytest.raises(AssertionError, match="draws again"):
        make_drift_reference(base, PROMPTS, 3, SAMPLER, Cache(tmp_path), "another base")
