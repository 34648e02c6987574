"""Captions: short lower-case phrases in varied order, each naming some of the attributes."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from lora_sweep.errors import SettingsError

Attributes = Mapping[str, str]

_MOOD_ADJECTIVES: Mapping[str, Sequence[str]] = {
    "happy": ("happy", "happy", "smiling"), "sad": ("sad",), "angry": ("angry",),
    "surprised": ("surprised",), "sleepy": ("sleepy", "sleeping"), "winking": ("winking",),
    "laughing": ("laughing",), "crying": ("crying",), "cool": ("cool",), "bored": ("bored",),
    "scared": ("scared",), "kissing": ("kissing",), "in love": (), "tongue out": (),
}  # fmt: skip
_MOOD_TAILS: Mapping[str, Sequence[str]] = {
    "in love": ("in love", "with heart eyes"),
    "tongue out": ("with its tongue out", "sticking its tongue out"),
    "cool": ("with sunglasses", "wearing sunglasses"),
    "crying": ("crying", "with tears"),
    "laughing": ("laughing",),
    "winking": ("winking",),
}
_PROP_PHRASES: Mapping[str, Sequence[str]] = {
    "hands": ("with open hands", "with hands", "hugging"),
    "heart": ("holding a heart", "with a heart"),
    "flower": ("holding a flower", "with a flower"),
    "book": ("holding a book", "with a book"),
    "ice cream": ("holding an ice cream", "with ice cream"),
    "star": ("holding a star", "with a star"),
    "cup": ("holding a cup", "with a cup of coffee"),
    "balloon": ("with a balloon", "holding a balloon"),
}
_STYLE_PHRASES: Mapping[str, Sequence[str]] = {
    "flat": ("flat style", "flat"), "outlined": ("outlined", "with outlines"),
    "shaded": ("shaded", "soft shading"), "pastel": ("pastel colors", "pastel"),
    "watercolor": ("watercolor",), "sketch": ("sketch", "pencil sketch"),
    "pixel art": ("pixel art",), "3d render": ("3d render",), "neon": ("neon", "neon glow"),
}  # fmt: skip
_ALWAYS_SAID = ("watercolor", "sketch", "pixel art", "3d render", "neon")


def article(phrase: str) -> str:
    """Return the phrase with a or an before it."""
    return ("an " if phrase[0] in "aeiou" else "a ") + phrase


def background_phrase(attributes: Attributes, rng: random.Random) -> str:
    """Return the background of an emoji as words, without a preposition."""
    name, pattern = attributes["background"], attributes.get("pattern", "plain")
    words = {
        "gradient": f"{name} gradient background",
        "stripes": f"{name} striped background",
        "dots": f"{name} dotted background",
        "night sky": rng.choice(("night sky", "starry night sky")),
        "grass": rng.choice(("green grass", "grass under a blue sky")),
    }
    return words.get(pattern, f"{name} background")


def emoji_caption(attributes: Attributes, rng: random.Random) -> str:
    """Return a caption of an emoji; both colours are named in about 85 % of them."""
    say_body, say_background = rng.random() < 0.92, rng.random() < 0.92
    say_mood = rng.random() < 0.9
    mood, hat, prop, style = (attributes[k] for k in ("mood", "hat", "prop", "style"))
    head = attributes.get("head", "round")
    noun = rng.choice(("emoji", "emoji", "emoji", "emoji face", "emoji character"))
    if head != "round" and rng.random() < 0.9:
        noun = f"{head} emoji"
    adjectives = _MOOD_ADJECTIVES[mood]
    adjective = rng.choice(adjectives) if adjectives and say_mood else ""
    tails = _MOOD_TAILS.get(mood, ())
    tail = rng.choice(tails) if say_mood and tails and (not adjective or rng.random() < 0.2) else ""
    if tail.split(" ")[0] == adjective:
        tail = ""
    body = attributes["body"] if say_body else ""
    said_hat = hat if hat != "none" and rng.random() < 0.92 else ""
    said_prop = rng.choice(_PROP_PHRASES[prop]) if prop != "none" and rng.random() < 0.9 else ""
    back = background_phrase(attributes, rng) if say_background else ""
    said_style = ""
    if style in _STYLE_PHRASES and (style in _ALWAYS_SAID or rng.random() < 0.25):
        said_style = rng.choice(_STYLE_PHRASES[style])
    if rng.random() < 0.2:
        tags = [adjective or tail, body, said_hat, said_prop, back, said_style]
        kept = [tag for tag in tags if tag]
        rng.shuffle(kept)
        return ", ".join([noun, *kept] if rng.random() < 0.7 else [*kept, noun])
    first = [w for w in ((adjective, body) if rng.random() < 0.85 else (body, adjective)) if w]
    subject = " ".join([*first, noun])
    text = article(subject) if rng.random() < 0.85 else subject
    wearing = ""
    if said_hat:
        worn = said_hat if said_hat in ("horns", "headphones") else article(said_hat)
        wearing = f"{rng.choice(('wearing', 'with'))} {worn}"
    clauses = [c for c in (tail, wearing, said_prop) if c]
    if rng.random() < 0.3:
        rng.shuffle(clauses)
    text = " ".join([text, *clauses])
    if back:
        text = _with_background(text, back, attributes.get("pattern", "plain"), rng)
    return _with_style(text, said_style, rng)


def _with_background(text: str, back: str, pattern: str, rng: random.Random) -> str:
    if pattern == "night sky":
        return f"{text} {rng.choice(('in front of', 'under'))} a {back}"
    if pattern == "grass":
        return f"{text} on {back}"
    roll = rng.random()
    if roll < 0.72:
        return f"{text} on {article(back)}"
    return f"{text}, {back}" if roll < 0.92 else f"{text} in front of {article(back)}"


def _with_style(text: str, style: str, rng: random.Random) -> str:
    if not style:
        return text
    if style in ("watercolor", "sketch", "3d render") and rng.random() < 0.4:
        return f"{article(style)} of {text}"
    return f"{text}, {style}" if rng.random() < 0.8 else f"{style}, {text}"


def shape_caption(attributes: Attributes, rng: random.Random) -> str:
    """Return a caption of a scene of shapes."""
    names = [
        attributes[k] for k in ("first", "second", "third") if attributes.get(k, "none") != "none"
    ]
    relation = attributes["relation"]
    if len(names) == 1:
        size = attributes["size"]
        text = article(
            f"{size} {names[0]}" if size != "medium" and rng.random() < 0.8 else names[0]
        )
    elif len(names) == 2:
        text = f"{article(names[0])} {relation} {article(names[1])}"
    else:
        text = f"{article(names[0])}, {article(names[1])} and {article(names[2])}"
        if rng.random() < 0.4:
            text += f" {relation}"
    if rng.random() < 0.15:
        text = f"{rng.choice(('a drawing of', 'a picture of', 'simple shapes:'))} {text}"
    if rng.random() < 0.88:
        back = f"{attributes['background']} background"
        if attributes["texture"] != "plain":
            back = f"{attributes['background']} {attributes['texture']} background"
        text += f" on {article(back)}" if rng.random() < 0.8 else f", {back}"
    return _with_style(text, _render_style(attributes, rng), rng)


def _render_style(attributes: Attributes, rng: random.Random) -> str:
    style = attributes.get("style", "plain")
    return rng.choice(_STYLE_PHRASES[style]) if style in _ALWAYS_SAID else ""


def portrait_caption(attributes: Attributes, rng: random.Random) -> str:
    """Return a caption of a portrait, opening with "a portrait of" or "a photo of"."""
    a = attributes
    style, hair = a["hair style"], f"{a['hair style']} {a['hair']} hair"
    if style == "bald":
        hair = ""
    elif style in ("bun", "ponytail", "bob"):
        hair = f"{a['hair']} hair in {article(style)}" if style != "bob" else f"a {a['hair']} bob"
    traits = [t for t in (
        hair if rng.random() < 0.92 else "",
        _glasses(a["glasses"], rng),
        "a beard" if a["beard"] == "beard" else "",
        "freckles" if a["freckles"] == "freckles" and rng.random() < 0.8 else "",
        f"{a['skin']} skin" if rng.random() < 0.25 else "",
    ) if t]  # fmt: skip
    if rng.random() < 0.25:
        rng.shuffle(traits)
    who = a["person"]
    if (a["expression"] != "serious" and rng.random() < 0.7) or rng.random() < 0.3:
        who = f"{a['expression']} {who}"
    if style == "bald" and rng.random() < 0.9:
        who = f"bald {who}"
    text = f"{rng.choice(('a portrait of', 'a portrait of', 'a photo of'))} {article(who)}"
    if traits:
        text += " with " + " and ".join(
            [", ".join(traits[:-1]), traits[-1]] if len(traits) > 1 else traits
        )
    if rng.random() < 0.8:
        comma, wearing = rng.choice((",", "")), rng.choice(("wearing", "in"))
        text += f"{comma} {wearing} {article(a['clothes colour'])} {a['clothes']}"
    if rng.random() < 0.85:
        place = {"indoors": "indoors", "outdoors": "outdoors", "beach": "at the beach"}.get(
            a["background"]
        )
        text += f", {place}" if place else f", on {article(a['background'])} background"
    if a["framing"] != "portrait" and rng.random() < 0.7:
        text += f", {a['framing']}"
    said = _render_style(a, rng)
    return f"{text}, {said}" if said else text


def _glasses(glasses: str, rng: random.Random) -> str:
    if glasses == "none":
        return ""
    return f"{glasses} glasses" if rng.random() < 0.5 else "glasses"


def page_caption(attributes: Attributes, rng: random.Random) -> str:
    """Return a caption of a web page."""
    a = attributes
    noun = rng.choice(("web page", "web page", "website", "webpage"))
    style, words = a["style"], article(noun)
    lead = rng.random() < 0.35
    if lead and style not in _ALWAYS_SAID:
        words = article(f"{style} {noun}")
    text = f"{words} about {a['topic']}" if rng.random() < 0.85 else words
    columns = {"1": "one column", "2": "two columns", "3": "three columns"}[a["columns"]]
    parts = [p for p in (
        f"a {a['header']} header" if rng.random() < 0.88 else "",
        f"a {a['sidebar']} sidebar" if a["sidebar"] != "none" and rng.random() < 0.85 else "",
        columns if rng.random() < 0.6 else "",
        "a navigation bar" if a["nav"] == "bar" and rng.random() < 0.5 else "",
        f"{a['buttons']} buttons" if a["buttons"] != "none" and rng.random() < 0.6 else "",
        f"{article(a['background'])} background" if rng.random() < 0.5 else "",
    ) if p]  # fmt: skip
    if rng.random() < 0.4:
        rng.shuffle(parts)
    if parts:
        text += " with " + " and ".join(
            [", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts
        )
    if style in _ALWAYS_SAID:
        return f"{text}, {style}"
    return text if lead or rng.random() < 0.15 else f"{text}, {style} style"


def caption_variants(kind: str, attributes: Attributes, rng: random.Random) -> str:
    """Return one of many phrasings of the attributes of a scene of the given kind."""
    writers = {
        "emoji": emoji_caption,
        "shape": shape_caption,
        "portrait": portrait_caption,
        "page": page_caption,
    }
    if kind not in writers:
        raise SettingsError([f"kind is {kind!r}; allowed are {', '.join(writers)}"])
    return writers[kind](attributes, rng)
