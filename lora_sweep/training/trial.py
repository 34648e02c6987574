"""The live state of one trial: what is trained, its optimizer, its step; building, freezing,
saving, undoing it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers.modeling_layers import GradientCheckpointingLayer

from lora_sweep.config.settings import Pivotal, PivotRounding, Settings, TeFull, TeLora
from lora_sweep.data.cache import Cache
from lora_sweep.data.order import Epoch, num_items, pair
from lora_sweep.errors import SettingsError
from lora_sweep.model.adapters import Adapter, add_unet_lora, remove_lora
from lora_sweep.model.base import Base
from lora_sweep.model.main_memory import give_back_between_blocks
from lora_sweep.model.tokens import NewTokens
from lora_sweep.training.conditioning import Conditioner
from lora_sweep.training.flat import FlatGroup
from lora_sweep.training.loss_scale import LossScale
from lora_sweep.training.offload import Offloaded
from lora_sweep.training.optim import TrialOptimizer, build_optimizer
from lora_sweep.training.prepare import Items
from lora_sweep.training.schedule import lr_factor, pivot_step
from lora_sweep.training.text_side import put_text_side

UNET, TEXT = "unet", "text"


@dataclass
class Trial:
    """One trial on a base; `close` gives the base back as it was."""

    base: Base
    settings: Settings
    items: Items
    class_items: Items | None
    epoch: Epoch
    class_rows: tuple[int, ...]  # of class_items, for each row of an epoch; empty without them
    max_train_steps: int
    pivot_step: int  # the first step without text training; 0 when the text side never trains
    adapters: list[Adapter]
    tokens: NewTokens | None
    groups: dict[str, FlatGroup]
    optimizer: TrialOptimizer
    conditioner: Conditioner
    lr_factor: Callable[[int], float]
    alphas_cumprod: Tensor
    loss_scale: LossScale
    text: dict[str, nn.Parameter]  # of the text side, by name, whether or not they train
    text_identity: tuple[Cache, str] | None  # where embeddings are shared, and of which base
    undo: list[Callable[[], None]] = field(default_factory=list)
    step: int = 0  # optimizer steps done
    text_frozen: bool = False

    @property
    def live_groups(self) -> list[FlatGroup]:
        """Groups that still train."""
        return [g for g in self.groups.values() if not (g.name == TEXT and self.text_frozen)]

    def freeze_text(self) -> None:
        """The pivot: the text side leaves the optimizer and every caption is encoded once more, for
        good.
        """
        if TEXT in self.groups:
            self.optimizer.drop(TEXT)
            for parameter in self.groups[TEXT].tensors():
                parameter.requires_grad_(False)
        for encoder in self.base.text_encoders:
            encoder.eval()
        self.text_frozen = True
        cache, identity = self.text_identity or (None, None)
        self.conditioner.fix(cache, identity, self._text_state() if cache and self.text else None)
        self.base.park(*self.base.text_encoders)

    def _text_state(self) -> str:
        """SHA-256 of all that an embedding depends on beside the base."""
        digest = hashlib.sha256(repr((self.settings.te_mode.name, self.settings.lora)).encode())
        for name, parameter in self.text.items():
            values = parameter.detach().cpu().contiguous().view(-1)
            digest.update(f"{name} {values.dtype} {list(parameter.shape)}".encode())
            digest.update(values.view(torch.uint8).numpy().data)
        return digest.hexdigest()

    def snapshot(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """All that later steps depend on, as tensors and JSON values."""
        tensors = {f"group.{n}": g.vector.detach().clone() for n, g in self.groups.items()}
        state, scalars = self.optimizer.snapshot()
        tensors |= {f"optimizer.{name}": value for name, value in state.items()}
        layout = {
            name: [[key, list(p.shape)] for key, p in group.parameters.items()]
            for name, group in self.groups.items()
        }
        meta = {"step": self.step, "text_frozen": self.text_frozen, "layout": layout}
        return tensors, {**meta, "optimizer": scalars, "loss_scale": self.loss_scale.snapshot()}

    def restore(self, tensors: dict[str, Tensor], meta: dict[str, Any]) -> None:
        """Go on from a snapshot of the same settings."""
        for name, group in self.groups.items():
            group.vector.data.copy_(tensors[f"group.{name}"])
        if meta["text_frozen"] and not self.text_frozen:
            self.freeze_text()  # after the rows are back: captions are encoded with them
        state = {
            name.removeprefix("optimizer."): value
            for name, value in tensors.items()
            if name.startswith("optimizer.")
        }
        self.optimizer.restore(state, meta["optimizer"])
        self.loss_scale.restore(meta["loss_scale"])
        self.step = int(meta["step"])

    def close(self) -> None:
        """Take everything of the trial off the base."""
        while self.undo:
            self.undo.pop()()


def build_trial(
    base: Base,
    settings: Settings,
    items: Items,
    class_items: Items | None,
    max_train_steps: int,
    text_identity: tuple[Cache, str] | None = None,
) -> Trial:
    """Put adapters and new tokens on the base, group their parameters, build the optimizer.

    Raises SettingsError when nothing would be trained or a target does not exist.
    """
    undo: list[Callable[[], None]] = []
    try:
        adapters = [add_unet_lora(base, settings.lora, settings.seed)]
        undo.append(lambda: remove_lora(adapters[0]))
        tokens, text = put_text_side(base, settings, adapters, undo)
        groups = _groups(settings, adapters[0].parameters(), text)
        base.unet.train()
        undo.append(lambda: base.unet.eval() and None)
        if settings.train.gradient_checkpointing:
            _checkpoint_gradients(base, bool(text), undo)
        if base.is_large_on_cpu:
            undo.append(give_back_between_blocks(base.unet))
        epoch, class_rows = epoch_of(settings, items, class_items)
        captions = items.captions + (class_items.captions if class_items else ())
        trial = Trial(
            base=base,
            settings=settings,
            items=items,
            class_items=class_items,
            epoch=epoch,
            class_rows=class_rows,
            max_train_steps=max_train_steps,
            pivot_step=_pivot(settings, epoch, max_train_steps) if TEXT in groups else 0,
            adapters=adapters,
            tokens=tokens,
            groups=groups,
            optimizer=_optimizer(base, settings, list(groups.values())),
            conditioner=Conditioner(base, captions, tokens.replacements if tokens else {}),
            lr_factor=lr_factor(settings.schedule, max_train_steps),
            alphas_cumprod=base.alphas_cumprod(),
            loss_scale=LossScale(base.dtype),
            text=text,
            text_identity=text_identity,
            undo=undo,
        )
        _check_something_trains(trial)
        if trial.pivot_step == 0:
            trial.freeze_text()
        return trial
    except BaseException:
        while undo:
            undo.pop()()
        raise


def _optimizer(base: Base, settings: Settings, groups: Sequence[FlatGroup]) -> TrialOptimizer:
    optimizer = build_optimizer(settings.optimizer, groups)
    if settings.train.offload_optimizer and base.device.type != "cpu":
        return Offloaded(optimizer, base.device)
    return optimizer


def _check_something_trains(trial: Trial) -> None:
    if UNET not in trial.groups and trial.pivot_step < trial.max_train_steps:
        raise SettingsError(
            [
                f"optimizer.lr is 0 and the text side trains only until step {trial.pivot_step} of "
                f"{trial.max_train_steps}: then nothing would be trained; allowed: "
                "optimizer.lr above 0, or te_mode.frac=1"
            ]
        )


def _groups(
    settings: Settings, unet: dict[str, nn.Parameter], text: dict[str, nn.Parameter]
) -> dict[str, FlatGroup]:
    chosen = settings.optimizer
    te_lr = chosen.lr if chosen.te_lr is None else chosen.te_lr
    te_decay = chosen.weight_decay if chosen.te_weight_decay is None else chosen.te_weight_decay
    groups: dict[str, FlatGroup] = {}
    for name, parameters, lr, decay in (
        (UNET, unet, chosen.lr, chosen.weight_decay),
        (TEXT, text, te_lr, te_decay),
    ):
        for parameter in parameters.values():
            parameter.requires_grad_(lr > 0)
        if parameters and lr > 0:  # a rate of 0 is a freeze, and costs nothing
            groups[name] = FlatGroup(name, parameters, lr, decay)
    if not groups:
        raise SettingsError(
            [f"optimizer.lr is {chosen.lr} and optimizer.te_lr is {chosen.te_lr} with "
             f"te_mode={settings.te_mode.name}: nothing would be trained; "
             "one that trains must be > 0"]
        )  # fmt: skip
    return groups


def epoch_of(
    settings: Settings, items: Items, class_items: Items | None
) -> tuple[Epoch, tuple[int, ...]]:
    """What an epoch goes through, and the row of class_items beside each of its rows."""
    train, shapes = settings.train, items.shapes
    beside: dict[tuple[int, tuple[int, int]], int] = {}
    if class_items is not None:
        pictures = class_items.pictures or range(len(class_items))
        beside = {
            key: row for row, key in enumerate(zip(pictures, class_items.shapes, strict=True))
        }
    num_classes = len({picture for picture, _ in beside})
    length = num_items(len(items), 1, num_classes)  # items are repeated already
    rows = [pair(row, len(items), num_classes) for row in range(length)] if beside else []
    epoch = Epoch(
        tuple(shapes[row % len(items)] for row in range(length)),
        train.batch_size,
        train.gradient_accumulation_steps,
    )
    class_rows = tuple(beside[row.class_picture, shapes[row.instance_item]] for row in rows)
    return epoch, class_rows


def _pivot(settings: Settings, epoch: Epoch, max_train_steps: int) -> int:
    mode = settings.te_mode
    if not isinstance(mode, Pivotal | TeLora | TeFull):
        return 0
    rounding = mode.pivot_rounding if isinstance(mode, Pivotal) else PivotRounding.exact
    return pivot_step(mode.frac, max_train_steps, rounding, epoch.steps)


def _checkpoint_gradients(base: Base, text: bool, undo: list[Callable[[], None]]) -> None:
    base.unet.enable_gradient_checkpointing()
    undo.append(base.unet.disable_gradient_checkpointing)
    if text:
        # Not by the encoders' own methods: those leave hooks behind that keep the base from being
        # copied.
        layers = [
            layer
            for encoder in base.text_encoders
            for layer in encoder.modules()
            if isinstance(layer, GradientCheckpointingLayer)
        ]
        for layer in layers:
            layer._gradient_checkpointing_func = partial(  # type: ignore[assignment]
                checkpoint, use_reentrant=False
            )
        _set_checkpointing(layers, True)
        undo.append(lambda: _set_checkpointing(layers, False))


def _set_checkpointing(layers: Sequence[GradientCheckpointingLayer], enabled: bool) -> None:
    for layer in layers:
        layer.gradient_checkpointing = enabled


def caption_rows(items: Items, instance: Sequence[int], classes: Sequence[int]) -> list[int]:
    """Rows of the conditioner: instance captions first, class captions after all of them."""
    return [*instance, *(len(items) + index for index in classes)]
