"""What stopped a trial, in its record and in words."""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Sequence

from lora_sweep.errors import LoraSweepError
from lora_sweep.results.progress import say
from lora_sweep.results.trial_record import TrialState
from lora_sweep.sweep.out_of_memory import is_out_of_memory, memory_message, release_memory
from lora_sweep.sweep.trial_log import TrialLog
from lora_sweep.sweep.watch import Watch


def note_fault(
    logs: Sequence[TrialLog], error: Exception, watch: Watch, aloud: bool
) -> dict[str, Exception]:
    """Record what stopped trials; returns it by trial. A fault of ours comes with its traceback."""
    out_of_memory = is_out_of_memory(error)
    # The frames hold tensors: after this there may be memory again.
    trace = "".join(traceback.format_exception(error))
    release_memory(error)
    for log in logs:
        reason = f"{type(error).__name__}: {error}"
        if out_of_memory:
            reason = memory_message(error, log.request)
        with contextlib.suppress(LoraSweepError):  # a full disk takes no record either
            log.note(TrialState.failed, reason, name=log.request.name)
        watch.changed(log.request.id, TrialState.failed, log.record.steps, reason)
        if aloud:
            say(f"{log.request.name}: failed: {reason}")
    if not isinstance(error, LoraSweepError) and not out_of_memory:
        print(trace, end="", file=sys.stderr)
    return {log.request.id: error for log in logs}
