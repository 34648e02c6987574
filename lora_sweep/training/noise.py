"""The forward process: noise levels and targets. Pure functions of tensors.

Letters as in DDPM (arXiv 2006.11239): x0 clean latents, eps noise, x_t noised latents, t timestep
index, alpha_bar the cumulative product. Shapes: B batch, C channels, H, W latent size, T number of
timesteps.
"""

from __future__ import annotations

from torch import Tensor


def add_noise(x0_BCHW: Tensor, eps_BCHW: Tensor, alpha_bar_B: Tensor) -> Tensor:
    """x_t = sqrt(alpha_bar) x0 + sqrt(1 - alpha_bar) eps (DDPM, equation 4), in fp32."""
    a = alpha_bar_B.view(-1, 1, 1, 1)
    return a.sqrt() * x0_BCHW + (1 - a).sqrt() * eps_BCHW


def velocity(x0_BCHW: Tensor, eps_BCHW: Tensor, alpha_bar_B: Tensor) -> Tensor:
    """v = sqrt(alpha_bar) eps - sqrt(1 - alpha_bar) x0 (arXiv 2202.00512, section 4)."""
    a = alpha_bar_B.view(-1, 1, 1, 1)
    return a.sqrt() * eps_BCHW - (1 - a).sqrt() * x0_BCHW


def noise_of_velocity(v_BCHW: Tensor, x_t_BCHW: Tensor, alpha_bar_B: Tensor) -> Tensor:
    """eps = sqrt(alpha_bar) v + sqrt(1 - alpha_bar) x_t: the noise that a predicted velocity
    implies.
    """
    a = alpha_bar_B.view(-1, 1, 1, 1)
    return a.sqrt() * v_BCHW + (1 - a).sqrt() * x_t_BCHW


def target(prediction_type: str, x0_BCHW: Tensor, eps_BCHW: Tensor, alpha_bar_B: Tensor) -> Tensor:
    """What the UNet is to predict: eps for "epsilon", v for "v_prediction".

    Raises ValueError for any other prediction type.
    """
    match prediction_type:
        case "epsilon":
            return eps_BCHW
        case "v_prediction":
            return velocity(x0_BCHW, eps_BCHW, alpha_bar_B)
        case _:
            raise ValueError(
                f"prediction_type is {prediction_type!r}; allowed: epsilon, v_prediction"
            )


def offset_noise(eps_BCHW: Tensor, offset_BC: Tensor, strength: float) -> Tensor:
    """eps + strength * offset, one offset per channel (script line 2149)."""
    return eps_BCHW + strength * offset_BC[:, :, None, None]
