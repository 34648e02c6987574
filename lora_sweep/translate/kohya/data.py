"""Keys of the base and the pictures as settings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from lora_sweep.errors import SettingsError
from lora_sweep.translate.kohya.given import Keys, read_keys
from lora_sweep.translate.result import Note, Translation

INTERPOLATIONS = {
    "lanczos": "lanczos",
    "bilinear": "bilinear",
    "linear": "bilinear",
    "bicubic": "bicubic",
    "cubic": "bicubic",
}
REPEATS_AND_WORDS = re.compile(r"(\d+)_(.+)")


def only_subset(keys: Keys, subsets: Sequence[Keys], to: Translation) -> Keys:
    """The one folder of training pictures, with the training's own keys where it has none.

    Raises SettingsError where there are several: a data set here is one folder.
    """
    if keys.has("in_json") or any(subset.has("metadata_file") for subset in subsets):
        raise SettingsError(
            ["metadata_file, in_json: captions come from metadata.jsonl or .txt files here"]
        )
    subjects = [subset for subset in subsets if not subset["is_reg"]]
    if len(subjects) > 1:
        folders = ", ".join(str(subset["image_dir"]) for subset in subjects)
        raise SettingsError(
            [
                f"{len(subjects)} folders of pictures ({folders}): a data set is one folder here; "
                "put them together, with a metadata.jsonl that has file_name and text"
            ]
        )
    own = subjects[0].table if subjects else {}
    subset = read_keys({**keys.table, **own})
    if not subset.has("image_dir") and subset.has("train_data_dir"):
        _concept_folder(subset, "train_data_dir", to)
    if not subset.has("image_dir"):
        raise SettingsError(
            ["neither image_dir nor train_data_dir: give the data set's TOML as second file"]
        )
    return subset


def pictures(keys: Keys, subset: Keys, subsets: Sequence[Keys], to: Translation) -> None:
    """Set model, dataset and prior."""
    _base(keys, subset, to)
    to.choose("dataset", "folder")
    to.set("dataset.path", subset["image_dir"])
    to.set("dataset.repeats", subset["num_repeats"] or subset["dataset_repeats"])
    to.set("dataset.instance_prompt", subset["class_tokens"])
    to.set("dataset.holdout", 0)
    to.set("dataset.crop", "random" if subset["random_crop"] else "center")
    to.set("dataset.flip", subset["flip_aug"])
    to.set("dataset.abstractions", [])
    extension = subset["caption_extension"]
    if extension != ".txt" and _may_have(Path(subset["image_dir"]).expanduser(), extension):
        to.note(
            Note.settle,
            f"caption_extension={extension}: captions are read from .txt files or metadata.jsonl; "
            "rename them",
        )
    interpolation = subset["resize_interpolation"]
    if interpolation in INTERPOLATIONS:
        to.set("dataset.interpolation", INTERPOLATIONS[interpolation])
    elif interpolation is not None:
        to.note(Note.missing, f"resize_interpolation={interpolation}: lanczos is taken")
    if subset["validation_split"]:
        to.note(
            Note.said,
            f"validation_split={subset['validation_split']}: dataset.holdout takes the number of "
            "pictures that are kept back; auto keeps one in eight",
        )
    else:
        to.note(
            Note.advice,
            "dataset.holdout=auto in place of 0 keeps one picture in eight back for val_loss",
        )
    to.note(
        Note.advice,
        "dataset.abstractions=[…] names the trigger word in your captions, dataset.class_noun=… "
        "what it is, for measures and the card",
    )
    _regularization(keys, subsets, to)


def _may_have(folder: Path, extension: str) -> bool:
    """Whether a folder has files that end so, or cannot be seen from here."""
    return not folder.is_dir() or any(folder.glob(f"*{extension}"))


def _base(keys: Keys, subset: Keys, to: Translation) -> None:
    base = keys["pretrained_model_name_or_path"]
    single_file = re.search(r"\.(safetensors|ckpt|pt)$", base) is not None
    to.choose("model", "sdxl_file" if single_file else "sdxl")
    to.set("model.path", base)
    vae = keys["vae"]
    if vae is not None and vae.endswith((".pt", ".ckpt")):
        to.note(
            Note.missing,
            f"vae={vae}: files of this kind can run code when they are loaded; the base's own VAE "
            "is taken, in fp32",
        )
        vae = None
    to.set("model.vae", vae)
    precision = {"no": "fp32"}.get(keys["mixed_precision"], keys["mixed_precision"])
    to.set("model.precision", precision)
    to.set("train.gradient_checkpointing", keys["gradient_checkpointing"])
    width, height = subset["resolution"] or (1024, 1024)
    to.set("model.resolution", min(width, height))
    if width != height:
        to.note(
            Note.missing,
            f"resolution={width},{height}: model.resolution is the side of a square; "
            f"{min(width, height)} is taken",
        )
    to.set("dataset.buckets", subset["enable_bucket"])
    if keys["v_parameterization"]:
        to.set("model.prediction", "v_prediction")
    if keys["zero_terminal_snr"]:
        to.set("model.zero_terminal_snr", True)


def _concept_folder(subset: Keys, key: str, to: Translation) -> None:
    """Find the folder `<repeats>_<words>` in train_data_dir or reg_data_dir."""
    parent = Path(subset[key]).expanduser()
    found = [path for path in sorted(parent.glob("*_*")) if path.is_dir()]
    matches = [(path, REPEATS_AND_WORDS.fullmatch(path.name)) for path in found]
    concepts = [(path, match) for path, match in matches if match]
    if len(concepts) > 1:
        names = ", ".join(path.name for path, _ in concepts)
        raise SettingsError(
            [f"{key}={parent}: {len(concepts)} folders ({names}); one is read here"]
        )
    if not concepts:
        subset.values["image_dir"] = subset[key]
        to.note(
            Note.settle,
            f"{key}={parent}: its folder <repeats>_<words> is not here to be seen; add it to "
            "the path, and dataset.repeats and dataset.instance_prompt as its name says",
        )
        return
    path, match = concepts[0]
    subset.values.update(image_dir=f"{subset[key].rstrip('/')}/{path.name}")
    subset.values.update(num_repeats=int(match[1]), class_tokens=match[2].replace("_", " "))
    to.note(Note.said, f"{key}: {path.name} is {match[1]} repeats of {match[2]!r}")


def _regularization(keys: Keys, subsets: Sequence[Keys], to: Translation) -> None:
    classes = [subset for subset in subsets if subset["is_reg"]]
    if keys.has("reg_data_dir") and not subsets:
        holder = read_keys({**keys.table})
        holder.values.pop("image_dir", None)
        _concept_folder(holder, "reg_data_dir", to)
        classes = [holder]
    if not classes:
        if keys.has("prior_loss_weight"):
            to.note(Note.idle, "prior_loss_weight: there are no regularization pictures")
        return
    if len(classes) > 1:
        raise SettingsError(
            [f"{len(classes)} folders of regularization pictures; one is read here"]
        )
    to.choose("prior", "real")
    to.set("prior.path", classes[0]["image_dir"])
    to.set("prior.class_prompt", classes[0]["class_tokens"])
    to.set("prior.weight", keys["prior_loss_weight"])
    to.note(
        Note.differs,
        "Every batch has class pictures beside train.batch_size of the subject's; in sd-scripts "
        "both share the batches.",
    )
