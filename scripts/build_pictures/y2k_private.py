"""Layouts of pages that private people and small clubs made."""

# ruff: noqa: E501  HTML is easier to read when its lines are not cut

from __future__ import annotations

import random

from y2k_art import clip_art
from y2k_parts import (
    COMIC,
    TIMES,
    Page,
    badges,
    blend,
    button,
    counter,
    hazard,
    new,
    rainbow_rule,
)
from y2k_words import DATES, NAMES, PLACES, SENTENCES, prose


def home(page: Page, rng: random.Random) -> str:
    """Personal home page: everything centred, a panel with an inset border, a counter."""
    _, panel, accent, _ = page.colors
    art = "".join(f'<td style="padding:0 26px">{clip_art(a, 120)}</td>' for a in page.art)
    items = "".join(
        f"<li>{item}{' ' + new() if i == 1 else ''}</li>" for i, item in enumerate(page.items)
    )
    return (
        f'<center><h1 style="font-size:56px;color:{accent};text-shadow:3px 3px 0 #0006">{page.title}</h1>'
        f"<i>{page.tagline}</i>{rainbow_rule()}<table><tr>{art}</tr></table>"
        f'<table width="800" border="6" cellpadding="16" style="background:{panel};margin-top:14px;border-color:{accent}">'
        f"<tr><td><b>Hello and welcome!!!</b> {prose(rng, 3)}<ul>{items}</ul></td></tr></table>"
        f"<p style='background:{panel};display:inline-block;padding:4px 14px'>{' | '.join(f'<a>{link}</a>' for link in page.links)}</p>"
        f"<p>You are visitor number {counter(rng.randrange(900000))}</p>{rainbow_rule()}{badges(rng.randrange(99))}"
        f"<p style='background:{panel};display:inline-block;padding:2px 10px'><small>Last updated {rng.choice(DATES)}. {prose(rng, 1)}</small></p></center>"
    )


def guestbook(page: Page, rng: random.Random) -> str:
    """Guestbook: a form on top, entries below."""
    _, panel, accent, _ = page.colors
    entries = ""
    for i, item in enumerate(page.items):
        entries += (
            f'<table width="100%" border="2" cellpadding="8" style="background:{panel};margin:7px 0">'
            f'<tr><td width="190" bgcolor="{accent}" style="color:#fff"><b>{NAMES[(i * 3 + 1) % 10]}</b><br><small>from '
            f"{rng.choice(PLACES)}<br>{rng.choice(DATES)}</small></td><td>{clip_art(page.art[i % len(page.art)], 40)} "
            f"{item} {prose(rng, 1)}</td></tr></table>"
        )
    box = (
        'style="border:2px inset #aaa;background:#fff;height:28px;width:300px;display:inline-block"'
    )
    return (
        f'<div style="width:860px;margin:12px auto"><center><h1 style="font-size:46px;color:{accent}">'
        f"~*~ {page.title} ~*~</h1>{page.tagline}</center><hr size=4>"
        f'<table cellpadding="6"><tr><td>Your name:<td><span {box}></span><td rowspan=2>{button("Sign it!")}{button("Clear")}'
        f"<tr><td>Message:<td><span {box}></span></table><hr size=4>{entries}<center>{counter(rng.randrange(9999), 'red')}"
        f"<p>{' - '.join(f'<a>{x}</a>' for x in page.links)}</p></center></div>"
    )


def fansite(page: Page, rng: random.Random) -> str:
    """Fan site: navigation on the left, news and a gallery on the right."""
    ground, panel, accent, _ = page.colors
    nav = "".join(
        f'<div style="border:3px outset {accent};background:{blend(accent, ground, 0.45)};padding:10px;margin:8px 0;'
        f'text-align:center;font-weight:bold">{x}</div>'
        for x in page.links
    )
    gallery = "".join(
        f'<td align="center" style="border:4px ridge {accent};background:{panel};padding:8px">{clip_art(page.art[i % len(page.art)], 120)}'
        f"<br><small>{item}</small></td>{'</tr><tr>' if i == 2 else ''}"
        for i, item in enumerate(page.items)
    )
    return (
        f'<div style="background:{accent};color:{ground};padding:14px 20px;border-bottom:6px double {ground}">'
        f'<span style="font:bold italic 58px {TIMES}">{page.title}</span><br>{page.tagline}</div>'
        f'<table width="100%" cellpadding="16"><tr valign="top"><td width="210">{nav}{counter(rng.randrange(99999), "red")}'
        f'<p><small>Online since {rng.choice(DATES)}</small></p></td><td><h2 style="color:{accent}">&raquo; News {new()}</h2>'
        f'<p style="background:{panel};padding:12px;border:1px solid {accent}">{prose(rng, 3)}</p>'
        f'<h2 style="color:{accent}">&raquo; Gallery</h2><table cellspacing="10"><tr>{gallery}</tr></table>'
        f"<p>{prose(rng, 2)}</p>{badges(rng.randrange(99), 5)}</td></tr></table>"
    )


def construction(page: Page, rng: random.Random) -> str:
    """Under construction: stripes, signs, apologies."""
    _, panel, accent, _ = page.colors
    sign = (
        '<svg width="200" height="200" viewBox="0 0 100 100" shape-rendering="crispEdges"><path d="M50,4 L96,50 L50,96 L4,50Z" fill="#fc0" stroke="#000" '
        'stroke-width="4"/><circle cx="56" cy="28" r="7"/><path d="M52,36 L40,56 L28,72 M44,50 L58,60 L56,76 M48,42 L66,54 M60,46 L76,72" stroke="#000" '
        'stroke-width="6" fill="none"/><path d="M62,76 q12,-14 22,0Z"/></svg>'
    )
    items = "".join(f'<tr><td>{item}<td><div style="width:300px;border:2px inset #999;background:#fff"><div style="width:{rng.randrange(5, 95)}%;height:24px;'
                    f'background:repeating-linear-gradient(90deg,#00a 0 14px,#fff 14px 17px)"></div></div></tr>' for item in page.items)  # fmt: skip
    return (
        f'<center>{hazard()}<h1 style="font-size:60px;color:{accent}">{page.title}</h1><h2>{page.tagline}</h2><table><tr><td>{sign}<td style="padding:0 40px">'
        f"{clip_art(page.art[0], 170)}<td>{sign}</tr></table><p style='width:760px'>{prose(rng, 3)}</p><table cellpadding='8' border='4' style='background:{panel}'>"
        f"{items}</table>{hazard()}<p>{' | '.join(f'<a>{x}</a>' for x in page.links)}</p>{counter(rng.randrange(999), 'red')}<p>{badges(rng.randrange(99), 5)}</p>{hazard()}</center>"
    )


def guild(page: Page, rng: random.Random) -> str:
    """Guild page: parchment in a stone frame, ranks of members."""
    ground, panel, accent, _ = page.colors
    members = "".join(
        f"<tr><td>{clip_art(page.art[i % len(page.art)], 44)}<td><b>{item}</b><td>{rng.choice(['Elf', 'Dwarf', 'Human', 'Gnome'])}"
        f"<td>{rng.choice(['Ranger', 'Mage', 'Cleric', 'Bard'])}<td align=right>{rng.randrange(8, 60)}</tr>"
        for i, item in enumerate(page.items)
    )
    return (
        f'<div style="width:940px;margin:22px auto;border:16px ridge {accent};background:{panel};padding:16px 36px;height:980px;color:#2a1a0a"><center>'
        f'<table><tr><td>{clip_art(page.art[0], 110)}<td style="padding:0 30px;text-align:center"><span style="font:bold 54px {TIMES};color:{blend(accent, "#400000", 0.5)}">'
        f'{page.title}</span><br><i>{page.tagline}</i><td>{clip_art(page.art[-1], 110)}</tr></table><hr color="{accent}">'
        f'{" &#10022; ".join(f"<a>{x}</a>" for x in page.links)}<hr color="{accent}"></center><p><span style="float:left;font:bold 74px/60px {TIMES};color:#8a1c1c;padding:4px 10px 0 0">H</span>'
        f'ail, traveller! {prose(rng, 3)}</p><h2>The roll of the brave</h2><table width="100%" border="1" cellpadding="5" style="border-collapse:collapse;border-color:{accent}">'
        f'<tr bgcolor="{ground}" style="color:#fff"><th><th>Name<th>Race<th>Calling<th>Level</tr>{members}</table><p>{prose(rng, 1)}</p><center>{counter(rng.randrange(9999), "red")}</center></div>'
    )


def webring(page: Page, rng: random.Random) -> str:
    """Web ring: a navigation box and a long list of member sites."""
    _, panel, accent, _ = page.colors
    sites = "".join(
        f'<tr><td>{clip_art(page.art[i % len(page.art)], 50)}<td><a style="color:{accent}"><b>{item}</b></a> by {NAMES[(i * 7) % 10]}<br><small>{rng.choice(SENTENCES)}</small></tr>'
        for i, item in enumerate(page.items)
    )
    box = (
        f'<table border="8" cellpadding="12" style="background:{panel};border-color:{accent}"><tr><td>{clip_art(page.art[0], 100)}<td align="center"><b>This site is part of<br>'
        f'<span style="font-size:30px;color:{accent}">{page.title}</span></b><br>[ <a>Previous</a> | <a>Random</a> | <a>List all</a> | <a>Next</a> ]<td>{clip_art(page.art[-1], 100)}</tr></table>'
    )
    return (
        f'<center><h1 style="font-size:50px;color:{accent}">{page.title}</h1>{page.tagline}<br><br>{box}{rainbow_rule()}'
        f'<table width="820" cellpadding="7" style="background:{panel};border:3px double {accent}">{sites}</table>{rainbow_rule()}'
        f"{''.join(button(x) for x in page.links)}<p>{counter(rng.randrange(99999))} {badges(rng.randrange(99), 4)}</p></center>"
    )


def kids(page: Page, rng: random.Random) -> str:
    """Club for children: big coloured letters, round panels, games."""
    _, panel, accent, _ = page.colors
    tints = ["#ff3b3b", "#ff9d00", "#12a80e", "#0a7bff", "#b31cd6"]
    letters = "".join(
        f'<span style="color:{tints[i % 5]};display:inline-block;transform:rotate({rng.randrange(-12, 13)}deg);margin:0 1px">{c if c != " " else "&nbsp;"}</span>'
        for i, c in enumerate(page.title)
    )
    games = "".join(
        f'<td align="center" width="280" style="background:{panel};border:6px solid {tints[i % 5]};border-radius:28px;padding:14px">{clip_art(page.art[i % len(page.art)], 160)}'
        f"<br><b>{item}</b></td>{'</tr><tr>' if i == 2 else ''}"
        for i, item in enumerate(page.items)
    )
    return (
        f'<center><div style="font:bold 74px {COMIC};margin:14px">{letters}</div><b>{page.tagline}</b><br><table cellspacing="16"><tr>{games}</tr></table>'
        f'<p>{"".join(button(x, tints[i % 5], "#fff") for i, x in enumerate(page.links))}</p><div style="background:{panel};width:820px;padding:14px;border:4px dotted {accent}">'
        f"{prose(rng, 2)}</div><p>Friends who came to play: {counter(rng.randrange(99999), 'white')}</p></center>"
    )


def band(page: Page, rng: random.Random) -> str:
    """Band page: black, neon type, dates and songs."""
    _, panel, accent, _ = page.colors
    dates = "".join(
        f'<tr><td style="color:{accent}">{rng.choice(DATES)}<td>{item}<td>{rng.choice(["sold out", "tickets", "free entry"])}</tr>'
        for item in page.items
    )
    songs = "".join(
        f"<li>{x} <small>({rng.randrange(2, 6)}:{rng.randrange(10, 59)})</small></li>"
        for x in page.links
    )
    return (
        f'<center><h1 style="font:italic bold 92px {TIMES};color:#fff;margin:10px 0;text-shadow:0 0 8px {accent},0 0 22px {accent},0 0 40px {accent}">{page.title}</h1>'
        f'<div style="border:2px solid {accent};width:900px;padding:8px;letter-spacing:5px;color:{accent}">{page.tagline}</div>'
        f'<table width="920" cellpadding="16" style="margin-top:16px;font-size:23px"><tr valign="top"><td width="300" style="border:1px solid {accent};background:{panel}">'
        f'<h2 style="color:{accent}">The songs</h2><ol>{songs}</ol><center>{clip_art(page.art[0], 180)}</center></td><td style="border:1px solid {accent};background:{panel}">'
        f'<h2 style="color:{accent}">On stage</h2><table width="100%" cellpadding="7">{dates}</table><h2 style="color:{accent}">Diary</h2><p>{prose(rng, 4)}</p></td></tr></table>'
        f"<p>{''.join(clip_art(a, 90) for a in page.art * 2)}</p><p>{counter(rng.randrange(99999), 'red')}</p>[ enter the gallery ] [ mailing list ] [ guestbook ]</center>"
    )
