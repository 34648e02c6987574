"""The objective, against its formulas and diffusers' compute_snr."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from diffusers.training_utils import compute_snr

from lora_sweep.training.loss import (
    diffusion_loss,
    loss_weights,
    min_snr_weight,
    signal_to_noise,
    squared_error,
)

ALL_T = torch.arange(1000)
SCHEDULER = DDPMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
ALPHA_BAR = SCHEDULER.alphas_cumprod
SNR = compute_snr(SCHEDULER, ALL_T)


def test_signal_to_noise_is_diffusers() -> None:
    torch.testing.assert_close(signal_to_noise(ALPHA_BAR), SNR, rtol=2e-4, atol=0)


@pytest.mark.parametrize("gamma", [1.0, 5.0, 20.0])
def test_epsilon_is_weighted_by_the_smaller_of_snr_and_gamma_over_snr(gamma: float) -> None:
    expected = torch.minimum(SNR, torch.tensor(gamma)) / SNR
    weight = min_snr_weight(ALPHA_BAR, gamma, "epsilon")
    torch.testing.assert_close(weight, expected, rtol=2e-4, atol=0)
    assert weight.max() == 1 and weight.min() < gamma / 1000


@pytest.mark.parametrize("gamma", [1.0, 5.0, 20.0])
def test_velocity_is_weighted_by_the_smaller_of_snr_and_gamma_over_snr_plus_one(
    gamma: float,
) -> None:
    expected = torch.minimum(SNR, torch.tensor(gamma)) / (SNR + 1)
    weight = min_snr_weight(ALPHA_BAR, gamma, "v_prediction")
    torch.testing.assert_close(weight, expected, rtol=2e-4, atol=0)
    assert weight.max() < 1, "the script's weight, min/SNR + 1, lies between 1 and 2"


def test_both_weights_ask_the_same_of_the_clean_picture() -> None:
    # An error in eps is sqrt(SNR), one in v is sqrt(SNR + 1) times that in x0; the paper weights x0
    # by min(SNR, gamma) whatever is predicted.
    of_eps = min_snr_weight(ALPHA_BAR, 5.0, "epsilon") * SNR
    of_v = min_snr_weight(ALPHA_BAR, 5.0, "v_prediction") * (SNR + 1)
    torch.testing.assert_close(of_eps, of_v, rtol=1e-3, atol=0)


def test_class_rows_are_weighted_only_when_asked() -> None:
    a = ALPHA_BAR[[10, 500, 20, 30]]
    plain = min_snr_weight(a, 5.0, "epsilon")
    assert loss_weights(a, None, "epsilon", 2, True) is None
    script = loss_weights(a, 5.0, "epsilon", 2, False)
    assert script is not None
    assert torch.equal(script, torch.cat([plain[:2], torch.ones(2)]))
    asked = loss_weights(a, 5.0, "epsilon", 2, True)
    assert asked is not None and torch.equal(asked, plain)
    alone = loss_weights(a, 5.0, "epsilon", 0, False)
    assert alone is not None and torch.equal(alone, plain)


@pytest.fixture
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 6, 4, 8, 8, generator=g)
    return a, b


def test_without_weights_the_loss_is_the_mean_squared_error(
    pair: tuple[torch.Tensor, torch.Tensor],
) -> None:
    prediction, wanted = pair
    torch.testing.assert_close(diffusion_loss(prediction, wanted, None), F.mse_loss(*pair))
    rows = F.mse_loss(*pair, reduction="none").mean(dim=(1, 2, 3))
    torch.testing.assert_close(squared_error(prediction, wanted), rows)


def test_the_error_of_16_bit_predictions_is_taken_in_fp32(
    pair: tuple[torch.Tensor, torch.Tensor],
) -> None:
    prediction, wanted = pair[0].bfloat16(), pair[1]
    assert diffusion_loss(prediction, wanted, None).dtype == torch.float32
    torch.testing.assert_close(
        diffusion_loss(prediction, wanted, None), F.mse_loss(prediction.float(), wanted)
    )


def test_prior_preservation_adds_the_class_mean_times_its_weight(
    pair: tuple[torch.Tensor, torch.Tensor],
) -> None:
    # Lines 2294 to 2323 of the script: both halves are reduced by themselves, then summed.
    prediction, wanted = pair
    weight = torch.tensor([0.5, 0.25, 1.0, 1.0, 1.0, 1.0])
    halves = zip(prediction.chunk(2), wanted.chunk(2), strict=True)
    (model_pred, instance), (model_pred_prior, prior) = halves
    loss = F.mse_loss(model_pred, instance, reduction="none")
    loss = (loss.mean(dim=(1, 2, 3)) * weight[:3]).mean()
    expected = loss + 0.3 * F.mse_loss(model_pred_prior, prior, reduction="mean")
    found = diffusion_loss(prediction, wanted, weight, num_class_rows=3, prior_weight=0.3)
    torch.testing.assert_close(found, expected)
