"""Texts that would run, if anything took them for markup, and a sweep that has them everywhere."""

from __future__ import annotations

import json
from pathlib import Path

from made_sweeps import Made, make_sweep

from lora_sweep.results.trial_record import TrialRecord, TrialState

# window.hit is set by whichever of them is executed.
HOSTILE = (
    "<script>window.hit = 1</script>",
    "</script><script>window.hit = 2</script>",
    '"><img src=x onerror="window.hit = 3">',
    "' onmouseover='window.hit = 4' x='",
    "<svg onload=window.hit=5>",
    "javascript:window.hit=6",
    "</title></style><!--<script>",
    "{id} ${title} $title %s \\u003cscript>",
    "`${window.hit = 7}`",
    "</textarea>]]>&lt;b&gt;\u2028\u202e",
)


def make_hostile(root: Path) -> Made:
    """A sweep with such texts as prompts, names, axes, values, reasons, settings and tree."""
    folder, store = make_sweep(
        root, ranks=(4, 16), seeds=(0, 1), failed=0, prompts=HOSTILE[:2], name=HOSTILE[2]
    )
    content = json.loads(folder.sweep.read_text("utf-8"))
    for k, row in enumerate(content["trials"]):
        row["overrides"].append(f"prompt<b>={HOSTILE[k % len(HOSTILE)]}")
    content["name"] = HOSTILE[0] + HOSTILE[2]
    content["fixed"] = list(HOSTILE)
    content["left_out"] = [{"overrides": list(HOSTILE), "problems": list(HOSTILE)}]
    folder.sweep.write_text(json.dumps(content), "utf-8")
    failed = store.trial("000000000001")
    reason = " ".join(HOSTILE)
    failed.write_record(
        TrialRecord(failed.id, TrialState.failed, HOSTILE[1], 5, 1.0, 0.0, error=reason)
    )
    for trial in store.trials():
        text = trial.config.read_text("utf-8")
        trial.config.write_text(
            text.replace("class_noun: woman", f"class_noun: {json.dumps(HOSTILE[1])}"), "utf-8"
        )
        card = "".join(f"print({one!r})\n" for one in HOSTILE)
        trial.card.write_text(f"## diffusers\n\n```python\n{card}```\n", "utf-8")
    return Made(folder, store, folder.report)
