"""The settings as Hydra needs them: mutable twins of the frozen dataclasses, derived from them.

OmegaConf cannot merge into frozen dataclasses and knows lists but no tuples. A twin has the same
name, the same fields and the twin of its base class as base, so `optimizer=prodigy` is accepted
where an Optimizer is expected.
"""

from __future__ import annotations

import dataclasses
import inspect
import types
from collections.abc import Callable
from functools import cache, partial
from typing import (  # noqa: UP035
    Any,
    Dict,
    List,
    Optional,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from hydra.core.config_store import ConfigStore

from lora_sweep.config import settings as frozen

ROOT_SCHEMA = "settings_schema"
"""Name under which the schema of all settings is registered; `conf/config.yaml` opens with it."""

CHOICE_SCHEMAS = "schema"
"""Group of the schemas of single choices: `conf/optimizer/prodigy.yaml` opens with
`/schema/optimizer@_here_: prodigy`."""

SHORTHANDS = {"rank": "lora.rank"}
"""Settings of the command line and YAML alone, and what they set.

Hydra refuses numbers as names of choices, so `rank=16` is a number and not a file of a group.
"""


SWEEP = "sweep"
"""Section that says which trials a sweep has; beside the settings, and of no trial."""


@dataclasses.dataclass
class Sweep:
    """The section as OmegaConf needs it; `config.sweep` has the frozen one, and checks the rest."""

    name: Optional[str] = None  # noqa: UP045
    params: Optional[Dict[str, Any]] = dataclasses.field(default_factory=lambda: {})  # noqa: UP006, UP045
    tied: Any = None
    exclude: Any = None
    skip_invalid: bool = False
    max_failures: Optional[int] = None  # noqa: UP045


STUDY = "study"
"""Section that says what a search looks for; beside the settings, and of no trial."""


@dataclasses.dataclass
class Study:
    """The section as OmegaConf needs it; `config.study` has the frozen one, and checks the rest."""

    name: Optional[str] = None  # noqa: UP045
    objectives: Any = None
    trials: int = 30
    seed: int = 0
    sampler: Any = "tpe"  # a name, or name and arguments
    pruner: Any = "none"
    rungs: Any = None
    space: Optional[Dict[str, Any]] = dataclasses.field(default_factory=lambda: {})  # noqa: UP006, UP045
    when: Optional[Dict[str, Any]] = dataclasses.field(default_factory=lambda: {})  # noqa: UP006, UP045
    enqueue: Any = None
    storage: Optional[str] = None  # noqa: UP045
    join: bool = False
    heartbeat: int = 15
    pictures: bool = True


@cache
def twin(cls: type) -> type:
    """Return the mutable dataclass that mirrors the frozen dataclass `cls`."""
    base = cls.__mro__[1]
    hints, own = get_type_hints(cls), inspect.get_annotations(cls)
    specs = [
        (f.name, _annotation(hints[f.name]), _default(f, hints[f.name]))
        for f in dataclasses.fields(cls)
        if f.name in own
    ]
    bases = (twin(base),) if dataclasses.is_dataclass(base) else ()
    made = dataclasses.make_dataclass(cls.__name__, specs, bases=bases)
    made.__module__ = (
        __name__  # with __getattr__ below: configs can be pickled to a launcher's workers
    )
    made.__doc__ = cls.__doc__
    return made


def _annotation(hint: Any) -> Any:
    if get_origin(hint) in (Union, types.UnionType):
        (inner,) = (arg for arg in get_args(hint) if arg is not type(None))
        return Optional[_annotation(inner)]  # noqa: UP045 - OmegaConf is given the form that all its versions know
    if get_origin(hint) is tuple:
        return List[get_args(hint)[0]]  # noqa: UP006
    return twin(hint) if dataclasses.is_dataclass(hint) else hint


def _default(field: dataclasses.Field[Any], hint: Any) -> Any:
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        # the declared base, not the frozen default: only a subclass can be merged over it
        return dataclasses.field(default_factory=twin(hint))
    if isinstance(field.default, tuple):
        factory: Callable[[], list[Any]] = partial(list, field.default)
        return dataclasses.field(default_factory=factory)
    return dataclasses.field(default=field.default)


@cache
def _root() -> type:
    short = [
        ("rank", int, frozen.Lora.rank),
        (SWEEP, Sweep, dataclasses.field(default_factory=Sweep)),
        (STUDY, Study, dataclasses.field(default_factory=Study)),
    ]
    made = dataclasses.make_dataclass("Settings", short, bases=(twin(frozen.Settings),))
    made.__module__ = __name__
    return made


def register() -> None:
    """Register the schema of all settings and of every choice in Hydra's ConfigStore."""
    store = ConfigStore.instance()
    store.store(name=ROOT_SCHEMA, node=_root())
    for section, hint in get_type_hints(frozen.Settings).items():
        for choice in frozen.VARIANTS.get(hint, ()):
            name = choice.__dataclass_fields__["name"].default
            store.store(group=f"{CHOICE_SCHEMAS}/{section}", name=name, node=twin(choice))


def __getattr__(name: str) -> type:
    cls = getattr(frozen, name, None)
    if cls is frozen.Settings:
        return _root()
    if isinstance(cls, type) and dataclasses.is_dataclass(cls):
        return twin(cls)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
