"""What a base predicts and how its noise levels lie: by its files, or by the settings."""

from __future__ import annotations

from typing import Any, cast

from diffusers import EulerDiscreteScheduler

from lora_sweep.config.settings import Model, Prediction
from lora_sweep.errors import ModelError

PREDICTIONS = ("epsilon", "v_prediction")


def build_scheduler(config: dict[str, Any], settings: Model) -> EulerDiscreteScheduler:
    """The scheduler that pictures are drawn with and training takes its noise levels from.

    With zero terminal SNR (arXiv 2305.08891) betas are rescaled, and samples start at the last
    timestep. Raises ModelError for a kind of noise that is not trained here.
    """
    check_kind(config)
    prediction = str(config.get("prediction_type", "epsilon"))
    if settings.prediction is not Prediction.auto:
        prediction = settings.prediction.value
    if prediction not in PREDICTIONS:
        raise ModelError(f"it predicts {prediction!r}; allowed: {', '.join(PREDICTIONS)}")
    zero_snr = bool(config.get("rescale_betas_zero_snr", False))
    if settings.zero_terminal_snr is not None:
        zero_snr = settings.zero_terminal_snr
    if zero_snr and prediction == "epsilon":
        # The last level is noise alone: it tells nothing of the picture, whose SNR would be 0/0.
        raise ModelError(
            "with zero terminal SNR it must predict velocity; set model.prediction=v_prediction, "
            "or model.zero_terminal_snr=false"
        )
    changed: dict[str, Any] = {"prediction_type": prediction, "rescale_betas_zero_snr": zero_snr}
    if zero_snr:
        changed["timestep_spacing"] = "trailing"
    # Of what stands in this list, which a loaded config has, diffusers takes its own default.
    changed["_use_default_values"] = []
    return cast(EulerDiscreteScheduler, EulerDiscreteScheduler.from_config({**config, **changed}))


def check_kind(config: dict[str, Any]) -> None:
    """Raise ModelError for the config of a scheduler whose noise is another than DDPM's."""
    kind = str(config.get("_class_name", ""))
    if kind.startswith("EDM") or config.get("timestep_type") == "continuous":
        raise ModelError(
            f"its noise is of the EDM kind ({kind}), as that of Playground 2.5 and CosXL, which is "
            "not supported"
        )
    if kind.startswith("FlowMatch"):
        raise ModelError(f"it is a flow-matching model ({kind}), which is not supported")
