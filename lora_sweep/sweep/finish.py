"""What a trial leaves: measures, validation pictures, the adapter in three formats, its card."""

from __future__ import annotations

from pathlib import Path

import torch

from lora_sweep.config import lora_alpha
from lora_sweep.config.settings import Pivotal, TeFull
from lora_sweep.results.card import write_card
from lora_sweep.results.card_facts import card_facts, trigger_of
from lora_sweep.results.evaluate import evaluate_trial
from lora_sweep.results.export import (
    About,
    Adapter,
    Embeddings,
    export_adapter,
    export_embeddings,
    export_text_encoder,
)
from lora_sweep.results.kohya import has_sdxl_layout
from lora_sweep.results.names import without_path
from lora_sweep.results.samples import Sample, read_samples
from lora_sweep.sweep.prepare import Prepared
from lora_sweep.sweep.trial_log import TrialLog
from lora_sweep.training.trial import Trial


class Finisher:
    """Evaluates a trial at any step and exports it at the last."""

    def __init__(self, log: TrialLog, prepared: Prepared) -> None:
        self.log = log
        self.request = log.request
        self.folder = log.folder
        self.prepared = prepared

    def evaluate(self, trial: Trial) -> dict[str, float | None]:
        """Measure the trial and draw its validation pictures; changes nothing in it."""
        found = evaluate_trial(trial, self.request.settings, self.folder, self.prepared.yardstick)
        if found.scores:
            self.log.emit({"step": trial.step, **found.scores})
        self.log.show(trial.step, found.samples)
        return dict(found.scores)

    def export(self, trial: Trial, scores: dict[str, float | None]) -> None:
        """Write the adapter for diffusers and kohya tools, the new tokens, and the card."""
        name = self.request.settings.results.name
        with trial.optimizer.final_weights():
            states = {adapter.name: adapter.state_dict() for adapter in trial.adapters}
            lora = self.request.settings.lora
            adapter = Adapter(
                unet=states["unet"],
                rank=lora.rank,
                alpha=lora_alpha(self.request.settings),
                use_rslora=lora.use_rslora,
                text_encoder=states.get("text_encoder"),
                text_encoder_2=states.get("text_encoder_2"),
            )
            layout = has_sdxl_layout(trial.base.unet.config)
            export_adapter(self.folder, name, adapter, self._about(trial), sdxl_layout=layout)
            if trial.tokens is not None:
                rows = [rows.detach().clone() for rows in trial.tokens.rows]
                export_embeddings(self.folder, name, Embeddings(*rows))
            if isinstance(self.request.settings.te_mode, TeFull):
                self._export_text_encoders(trial)
        samples = self._last_samples(trial)
        write_card(self.folder, card_facts(self.request.settings, self.folder, scores, samples))

    def _export_text_encoders(self, trial: Trial) -> None:
        first, second = trial.base.text_encoders
        dtype: torch.dtype = trial.base.dtype
        export_text_encoder(self.folder, "text_encoder", first.state_dict(), dtype)
        export_text_encoder(self.folder, "text_encoder_2", second.state_dict(), dtype)

    def paths(self) -> dict[str, Path]:
        """What to look at, by a word for each."""
        name = self.request.settings.results.name
        paths = {
            "folder": self.folder.path,
            "diffusers": self.folder.diffusers_weights,
            "kohya": self.folder.kohya_weights(name),
        }
        if isinstance(self.request.settings.te_mode, Pivotal):
            paths["embeddings"] = self.folder.embeddings(name)
        if self.request.settings.evaluate.prompts:
            paths["pictures"] = self.folder.samples
        return {**paths, "card": self.folder.card}

    def _about(self, trial: Trial) -> About:
        settings = self.request.settings
        return About(
            title=settings.results.name,
            base_model=without_path("model.path", settings.model.path),
            resolution=settings.model.resolution,
            steps=trial.step,
            trigger=trigger_of(settings),
            trial_id=self.request.id,
            optimizer=settings.optimizer.name,
            learning_rate=settings.optimizer.lr,
            seed=settings.seed,
            num_train_images=len(self.request.examples.train),
            clip_skip=settings.model.clip_skip,
            v_prediction=trial.base.prediction_type == "v_prediction",
        )

    def _last_samples(self, trial: Trial) -> list[Sample]:
        return [sample for sample in read_samples(self.folder) if sample.step == trial.step]
