"""LoRA on the UNet and the text encoders, through PEFT, with initial values that depend on the seed
alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from peft import LoraConfig, get_peft_model_state_dict, set_peft_model_state_dict
from torch import Tensor, nn

from lora_sweep.config.settings import Lora
from lora_sweep.draws import normal
from lora_sweep.errors import SettingsError
from lora_sweep.model.base import Base
from lora_sweep.randomness import Stream


@dataclass(frozen=True)
class Adapter:
    """A LoRA on one module of the base."""

    name: str  # "unet", "text_encoder" or "text_encoder_2"
    module: nn.Module

    def parameters(self) -> dict[str, nn.Parameter]:
        """The adapter's own parameters by module path, in module order."""
        return {name: p for name, p in self.module.named_parameters() if "lora_" in name}

    def state_dict(self) -> dict[str, Tensor]:
        """PEFT's state dict: `...attn1.to_k.lora_A.weight` (r, in), `lora_B.weight` (out, r)."""
        state = get_peft_model_state_dict(self.module)
        return {key: value.detach() for key, value in state.items()}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Put values from `state_dict` back."""
        set_peft_model_state_dict(self.module, dict(state))


def add_unet_lora(base: Base, settings: Lora, seed: int) -> Adapter:
    """LoRA on the UNet's attention projections (script lines 1581-1616)."""
    targets = _unet_targets(_layers(base.unet), settings)
    return _add("unet", base.unet, settings, targets, seed, base.device)


def add_text_lora(base: Base, settings: Lora, seed: int) -> tuple[Adapter, Adapter]:
    """LoRA on both text encoders' attention projections."""
    one, two = base.text_encoders
    # Both before either is added, so that a refusal leaves the base as it was.
    targets, targets_2 = (_text_targets(_layers(encoder), settings) for encoder in (one, two))
    return (
        _add("text_encoder", one, settings, targets, seed, base.device),
        _add("text_encoder_2", two, settings, targets_2, seed, base.device),
    )


def remove_lora(adapter: Adapter) -> None:
    """Take the adapter off, so that the module is the base's again."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    for name, module in list(adapter.module.named_modules()):
        if isinstance(module, BaseTunerLayer):
            parent, _, child = name.rpartition(".")
            setattr(adapter.module.get_submodule(parent), child, module.get_base_layer())
    del adapter.module.peft_config
    # diffusers and transformers both ask it.
    adapter.module._hf_peft_config_loaded = False  # type: ignore[assignment]


def check_targets(base: Base, settings: Lora, text_encoders: bool) -> None:
    """Raise SettingsError with every layer and block that the settings name and the base has not
    got.
    """
    encoders = [_layers(encoder) for encoder in base.text_encoders] if text_encoders else []
    if problems := unknown_targets(settings, _layers(base.unet), encoders):
        raise SettingsError(problems)


def unknown_targets(
    settings: Lora, unet: Sequence[str], encoders: Sequence[Sequence[str]]
) -> list[str]:
    """The same by the names of the layers; encoders: of those that get a LoRA."""
    problems: list[str] = []
    for names, find in ((unet, _unet_targets), *((each, _text_targets) for each in encoders)):
        try:
            find(names, settings)
        except SettingsError as error:
            problems += error.problems
    return list(dict.fromkeys(problems))


def _unet_targets(names: Sequence[str], settings: Lora) -> list[str]:
    targets = _matching(names, settings.target_modules, "lora.target_modules")
    return targets if settings.blocks is None else _in_blocks(targets, settings.blocks)


def _text_targets(names: Sequence[str], settings: Lora) -> list[str]:
    return _matching(names, settings.te_target_modules, "lora.te_target_modules")


def _add(
    name: str,
    module: nn.Module,
    settings: Lora,
    targets: list[str],
    seed: int,
    device: torch.device,
) -> Adapter:
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.rank if settings.alpha is None else settings.alpha,  # type: ignore[arg-type]
        lora_dropout=settings.dropout,
        use_rslora=settings.use_rslora,
        use_dora=settings.use_dora,
        init_lora_weights="gaussian",
        target_modules=targets,
    )
    with torch.random.fork_rng(devices=[]):  # PEFT draws initial values that are replaced below
        module.add_adapter(config)  # type: ignore[operator]
    adapter = Adapter(name, module)
    for path, parameter in adapter.parameters().items():
        # fp32 whatever the base's precision: bf16 swallows small updates.
        parameter.data = parameter.data.to(device=device, dtype=torch.float32)
        if "lora_A" in path:
            values = normal(parameter.shape, seed, Stream.adapter_init, name, path)
            parameter.data.copy_(values / settings.rank)  # PEFT's "gaussian": N(0, 1/r)
    return adapter


def _layers(module: nn.Module) -> list[str]:
    """Names of all layers that PEFT can put a LoRA on."""
    kinds = (nn.Linear, nn.Conv2d)
    return [name for name, layer in module.named_modules() if isinstance(layer, kinds)]


def _matching(names: Iterable[str], endings: Iterable[str], setting: str) -> list[str]:
    names = list(names)
    unknown = [e for e in endings if not any(n == e or n.endswith(f".{e}") for n in names)]
    if unknown:
        last = sorted({_ending(name) for name in names})
        raise SettingsError(
            [
                f"{setting} holds {e!r}, which no layer's name ends in; there are {', '.join(last)}"
                for e in unknown
            ]
        )
    return [n for n in names if any(n == e or n.endswith(f".{e}") for e in endings)]


def _ending(name: str) -> str:
    """What one would call a layer: to_k, and to_out.0 where the last part is only a number."""
    *_, before, last = ("", *name.split("."))
    return f"{before}.{last}" if last.isdigit() else last


def _in_blocks(targets: list[str], blocks: Iterable[str]) -> list[str]:
    blocks = [block.removeprefix("unet.") for block in blocks]
    unknown = [b for b in blocks if not any(t.startswith(f"{b}.") for t in targets)]
    if unknown:
        known = sorted({target.split(".transformer_blocks.")[0] for target in targets})
        raise SettingsError(
            [
                f"lora.blocks holds {b!r}, in which there is nothing to train; there are "
                f"{', '.join(known)}"
                for b in unknown
            ]
        )
    return [t for t in targets if any(t.startswith(f"{b}.") for b in blocks)]
