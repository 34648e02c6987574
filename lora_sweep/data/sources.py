"""Examples of a dataset: a packaged set, a folder, or a Hugging Face dataset; imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from lora_sweep.config.resolve import with_article
from lora_sweep.config.settings import Dataset, PriorReal
from lora_sweep.data.examples import Example, Examples
from lora_sweep.data.folder import Entry, folder_entries, holds_pictures
from lora_sweep.data.hub import holds_parquet, hub_entries, is_hub_name
from lora_sweep.data.images import PictureFacts, inspect_header, inspect_picture
from lora_sweep.data.packaged_sets import packaged_class_folder, packaged_entries
from lora_sweep.data.problems import raise_if_any
from lora_sweep.data.selection import draw_subset, keep_back, packaged_heldout
from lora_sweep.errors import DataError

CLASS_CAPTION_COLUMN = "text"


def load_examples(settings: Dataset, cache_dir: Path) -> Examples:
    """All pictures of a dataset, each opened once and checked, with captions and split.

    Pictures of a Hugging Face dataset are written below cache_dir. Raises DataError with every
    problem found.
    """
    problems: list[str] = []
    entries = _entries(settings, cache_dir, problems)
    inspect = inspect_header if settings.path is None else inspect_picture
    examples = open_entries(entries, settings.instance_prompt, problems, inspect)
    raise_if_any(problems)
    if settings.path is None:
        train = [example for example in examples if example.split == "train"]
        brought = [example for example in examples if example.split == "heldout"]
        heldout = packaged_heldout(brought, settings.holdout, problems)
    else:
        train, heldout = keep_back(examples, settings.holdout, problems)
    train = draw_subset(train, settings, problems)
    raise_if_any(problems)
    return Examples(settings.name, tuple(train), tuple(heldout))


def real_class_examples(prior: PriorReal, dataset: Dataset) -> tuple[Example, ...]:
    """The first prior.num_class_images class pictures, packaged or of a folder; raises DataError.

    Captions are read as of training pictures; a picture without one has the class prompt.
    """
    if prior.path is None:
        folder = packaged_class_folder(dataset.name)
    else:
        folder = Path(prior.path).expanduser().absolute()
    prompt = prior.class_prompt or with_article(dataset.class_noun)
    return class_examples(folder, prompt, prior.num_class_images)


def class_examples(folder: Path, class_prompt: str, count: int) -> tuple[Example, ...]:
    """The first `count` pictures of a folder, with the class prompt where they have no caption."""
    problems: list[str] = []
    if not folder.is_dir():
        raise DataError([f"prior.path={folder} is not a folder"])
    entries = folder_entries(folder, CLASS_CAPTION_COLUMN, problems)[:count]
    if not entries and not problems:
        problems.append(f"prior.path={folder} holds no pictures")
    examples = open_entries(entries, class_prompt, problems)
    raise_if_any(problems)
    return tuple(examples)


def open_entries(
    entries: Sequence[Entry],
    instance_prompt: str | None,
    problems: list[str],
    inspect: Callable[[Path], PictureFacts] = inspect_picture,
) -> list[Example]:
    """Open every picture; each that is damaged, or has no caption, becomes one problem."""
    examples: list[Example] = []
    for entry in entries:
        caption = entry.caption or (instance_prompt or "").strip()
        if not caption:
            problems.append(
                f"{entry.path} has no caption; add one in metadata.jsonl or in "
                f"{entry.path.with_suffix('.txt').name}, or set dataset.instance_prompt"
            )
        try:
            facts = inspect(entry.path)
        except DataError as error:
            problems += error.problems
            continue
        split = "heldout" if entry.heldout else "train"
        examples.append(Example(entry.path, caption, facts.digest, split, facts.size_HW))
    return examples


def _entries(settings: Dataset, cache_dir: Path, problems: list[str]) -> list[Entry]:
    if settings.path is None:
        return packaged_entries(settings, problems)
    path = Path(settings.path).expanduser().absolute()
    if path.is_dir():
        entries = _local_entries(settings, path, cache_dir, problems)
    elif path.suffix == ".parquet" if path.exists() else is_hub_name(settings.path):
        entries = hub_entries(settings, cache_dir, problems)
    else:
        what = "is a file" if path.exists() else "does not exist"
        problems.append(
            f"dataset.path={settings.path} {what}; allowed are a folder of pictures, a .parquet "
            "file, or the name of a dataset on the Hugging Face hub"
        )
        return []
    if not entries and not problems:
        problems.append(f"dataset.path={settings.path} holds no pictures")
    return entries


def _local_entries(
    settings: Dataset, folder: Path, cache_dir: Path, problems: list[str]
) -> list[Entry]:
    try:
        has_pictures = holds_pictures(folder)
    except OSError as error:
        problems.append(f"dataset.path={folder} cannot be read: {error.strerror or error}")
        return []
    if has_pictures:
        return folder_entries(folder, settings.caption_column, problems)
    if holds_parquet(folder):
        return hub_entries(settings, cache_dir, problems)
    # ImageFolder's layout with a subfolder for each split.
    split = folder / settings.split
    return folder_entries(split if split.is_dir() else folder, settings.caption_column, problems)
