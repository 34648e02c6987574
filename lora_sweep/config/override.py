"""Lines of the command line as Hydra's own parser reads them: a key, and the values it takes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override

from lora_sweep.config.sweep import Axis
from lora_sweep.errors import SettingsError

MAX_VALUES = 1_000_000
"""Of one key; more are not listed."""


def parse_axes(loader: ConfigLoader, lines: Sequence[str]) -> list[Axis]:
    """Return the key of each line with its values, as Hydra's basic sweeper expands them.

    Lists (`4,16`), `choice`, `range` and `glob` have several values, all others one. Raises
    SettingsError for what cannot be counted, and Hydra's own errors for what is no override.
    """
    parser = OverridesParser.create(config_loader=loader)
    return [_axis(override) for override in parser.parse_overrides(list(lines))]


def _axis(override: Override) -> Axis:
    line, key = override.input_line, override.get_key_element()
    if not override.is_sweep_override():
        return Axis((key,), ((override.get_value_element_as_str(),),))
    if not override.is_discrete_sweep():
        raise SettingsError(
            [f"{line}: an interval has no values to try one by one; use a list or range(…)"]
        )
    values = list(islice(override.sweep_string_iterator(), MAX_VALUES + 1))
    if len(values) > MAX_VALUES:
        raise SettingsError([f"{line}: more than {MAX_VALUES:,} values"])
    return Axis((key,), tuple((value,) for value in values))
