"""A command of diffusers' advanced SDXL script as the equal command here."""

from __future__ import annotations

from collections.abc import Mapping

from lora_sweep.errors import SettingsError
from lora_sweep.translate.diffusers.arguments import Given, read_arguments
from lora_sweep.translate.diffusers.base import base_and_data, text_side_and_adapter
from lora_sweep.translate.diffusers.call import Call, read_call
from lora_sweep.translate.diffusers.checks import refused_by_script
from lora_sweep.translate.diffusers.notes import add_notes
from lora_sweep.translate.diffusers.run import validation_and_output
from lora_sweep.translate.diffusers.training import Geometry, training
from lora_sweep.translate.result import Note, Translation, settled

FOOTER = "Numbers in brackets are entries of docs/semantics.md."


def translate_command(
    text: str, environment: Mapping[str, str], images: int | None = None
) -> Translation:
    """Translate a pasted command; `images` is the number of training pictures, if known.

    Raises SettingsError with every reason why there is nothing to translate.
    """
    call = read_call(text, environment)
    given = read_arguments(call.words)
    problems = [*given.problems, *(refused_by_script(given) if not given.problems else ())]
    if problems:
        raise SettingsError(problems)
    geometry = _geometry(given, call, images)
    to = Translation()
    to.note_all(Note.read, [*call.remarks, *given.remarks])
    base_and_data(given, call.launcher.get("mixed_precision"), to)
    text_side_and_adapter(given, to)
    training(given, geometry, to)
    validation_and_output(given, geometry, to)
    add_notes(given, geometry, to)
    settled(to)
    return to


def _geometry(given: Given, call: Call, images: int | None) -> Geometry:
    told = call.launcher.get("num_processes") or call.launcher.get("nproc_per_node") or "1"
    if not told.isdigit() or int(told) < 1:
        raise SettingsError([f"--num_processes={told}: must be a whole number of at least 1"])
    return Geometry(given, int(told), images)
