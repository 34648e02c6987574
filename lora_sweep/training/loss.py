"""The training objective: squared error of the prediction, weighted by timestep. Pure functions of
tensors.
"""

from __future__ import annotations

import torch
from torch import Tensor


def signal_to_noise(alpha_bar_B: Tensor) -> Tensor:
    """SNR(t) = alpha_bar / (1 - alpha_bar), shape (B,)."""
    return alpha_bar_B / (1 - alpha_bar_B)


def min_snr_weight(alpha_bar_B: Tensor, gamma: float, prediction_type: str) -> Tensor:
    """Min-SNR weights (arXiv 2303.09556, section 3.4), shape (B,).

    epsilon: min(SNR, gamma) / SNR. v: min(SNR, gamma) / (SNR + 1); the script has min(SNR, gamma) /
    SNR + 1.
    """
    snr = signal_to_noise(alpha_bar_B)
    clipped = snr.clamp(max=gamma)
    return clipped / (snr + 1) if prediction_type == "v_prediction" else clipped / snr


def squared_error(prediction_BCHW: Tensor, target_BCHW: Tensor) -> Tensor:
    """Mean squared error of each row, fp32, shape (B,)."""
    return (prediction_BCHW.float() - target_BCHW.float()).square().mean(dim=(1, 2, 3))


def diffusion_loss(
    prediction_BCHW: Tensor,
    target_BCHW: Tensor,
    weight_B: Tensor | None,
    num_class_rows: int = 0,
    prior_weight: float = 1.0,
) -> Tensor:
    """Mean weighted error of the subject's rows plus prior_weight times that of the class rows.

    Class rows are the last `num_class_rows`, as in the script (lines 2294-2323): the two means are
    added, not averaged, so that the subject counts as without prior preservation (arXiv 2208.12242,
    equation 2).
    """
    error_B = squared_error(prediction_BCHW, target_BCHW)
    if weight_B is not None:
        error_B = error_B * weight_B
    if num_class_rows == 0:
        return error_B.mean()
    subject, prior = error_B[:-num_class_rows], error_B[-num_class_rows:]
    return subject.mean() + prior_weight * prior.mean()


def loss_weights(
    alpha_bar_B: Tensor,
    gamma: float | None,
    prediction_type: str,
    num_class_rows: int,
    weight_class_rows: bool,
) -> Tensor | None:
    """Weights of all rows, or None when none is weighted; class rows only where asked (script:
    never).
    """
    if gamma is None:
        return None
    weight_B = min_snr_weight(alpha_bar_B, gamma, prediction_type)
    if num_class_rows and not weight_class_rows:
        ones = torch.ones_like(weight_B[-num_class_rows:])
        weight_B = torch.cat([weight_B[:-num_class_rows], ones])
    return weight_B
