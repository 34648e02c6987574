"""Layouts of pages with many visitors: portals, shops, magazines, forums."""

# ruff: noqa: E501  HTML is easier to read when its lines are not cut

from __future__ import annotations

import random

from y2k_art import clip_art
from y2k_parts import (
    ARIAL,
    MONO,
    TIMES,
    Page,
    badges,
    blend,
    button,
    counter,
    new,
)
from y2k_words import DATES, NAMES, SENTENCES, prose


def portal(page: Page, rng: random.Random) -> str:
    """Portal: a search box and columns full of blue links."""
    ground, panel, accent, _ = page.colors
    cells = ""
    for i, item in enumerate(page.items):
        small = ", ".join(rng.sample(page.links, 3))
        cells += (
            f'<td width="33%" valign="top" style="padding:12px">{clip_art(page.art[i % len(page.art)], 34)} '
            f'<b><a style="font-size:22px;color:#00c">{item}</a></b><br><small style="color:#00c">{small}...</small></td>'
            + ("</tr><tr>" if i % 3 == 2 else "")
        )
    news = "".join(f"<li><a style='color:#00c'>{s}</a></li>" for s in rng.sample(SENTENCES, 4))
    return (
        f'<center style="font-family:{ARIAL}"><h1 style="font:bold 70px {TIMES};color:{accent};letter-spacing:4px">{page.title}'
        f'</h1><b>{page.tagline}</b><p><span style="display:inline-block;width:430px;height:34px;border:2px inset #999;'
        f'background:#fff;vertical-align:middle"></span>{button("Search", "#d4d0c8")}</p>'
        f'<div style="background:{panel};padding:8px;border:1px solid {accent}">{" - ".join(f"<a>{x}</a>" for x in page.links)}</div>'
        f'<table width="97%"><tr><td width="68%"><table width="100%"><tr>{cells}</tr></table></td>'
        f'<td valign="top"><table width="100%" cellpadding="9" style="border:1px solid {accent};background:{ground}">'
        f'<tr><td style="background:{accent};color:#fff"><b>In the news</b><tr><td><small><ul style="padding-left:18px">{news}</ul></small>'
        f'<tr><td style="background:{accent};color:#fff"><b>Weather</b><tr><td>{clip_art("sun", 60)} 21 degrees'
        f'<tr><td style="background:{panel}"><b>Free e-mail!</b><br>{clip_art("mail", 54)} {button("Sign up")}</table></td></tr></table>'
        f'<hr width="95%"><small>About | Help | Add a page | Jobs | Advertise<br>Text-only version available</small></center>'
    )


def shop(page: Page, rng: random.Random) -> str:
    """Shop: a banner, a shelf of products with prices, a basket."""
    ground, panel, accent, _ = page.colors
    goods = ""
    for i, item in enumerate(page.items):
        goods += (
            f'<td align="center" width="33%" style="background:#fff;border:2px solid {accent};padding:12px;color:#222">'
            f'{clip_art(page.art[i % len(page.art)], 128)}<br><b>{item}</b><br><span style="color:#c00;font-size:24px">'
            f"only {rng.randrange(3, 90)}.95</span><br>{button('Add to basket', '#ffcc33')}</td>"
            + ("</tr><tr>" if i % 3 == 2 else "")
        )
    return (
        f'<table width="100%" cellpadding="14" cellspacing="0" style="font-family:{ARIAL}"><tr style="background:linear-gradient('
        f'{accent},{blend(accent, "#000000", 0.6)});color:#fff"><td colspan="2"><span style="font:bold 50px {ARIAL}">{page.title}</span>'
        f'<br>{page.tagline}</td></tr><tr><td colspan="2" style="background:{panel}">{" | ".join(f"<b>{x}</b>" for x in page.links)}</td></tr>'
        f'<tr valign="top"><td width="200" style="background:{blend(accent, "#ffffff", 0.16)}"><b>Your basket</b><p>0 items</p>'
        f'{button("Check out", accent, "#fff")}<hr><b style="color:#c00">SALE!!</b><p><small>{prose(rng, 2)}</small></p>{clip_art("star", 90)}'
        f"<hr><small>Order by phone, fax or mail. Allow 28 days for delivery.</small><p>{counter(rng.randrange(99999), 'white')}</p></td>"
        f'<td style="background:{ground}"><h2 style="color:{accent}">This week\'s specials {new()}</h2><table cellspacing="10"><tr>{goods}</tr></table></td></tr></table>'
    )


def ezine(page: Page, rng: random.Random) -> str:
    """Magazine: a masthead, a lead story, columns."""
    ground, panel, accent, _ = page.colors
    columns = "".join(
        f'<td width="33%" valign="top" style="border-left:1px solid {accent};padding:0 14px"><h3 style="color:{accent}">{item}</h3>'
        f"<p>{prose(rng, 3)}</p></td>"
        for item in page.items[1:4]
    )
    more = "".join(f"<li><b>{x}</b></li>" for x in page.items[4:])
    return (
        f'<div style="padding:18px 30px"><table width="100%"><tr><td style="font:bold 84px {TIMES};letter-spacing:-3px;color:{accent}">'
        f'{page.title}</td><td align="right"><i>{page.tagline}</i><br>Issue {rng.randrange(3, 40)} - {rng.choice(DATES)}</td></tr></table>'
        f'<div style="background:{accent};color:{ground};padding:6px 12px;font-family:{ARIAL}">{" &bull; ".join(page.links)}</div>'
        f'<table width="100%" cellpadding="14" style="background:{panel};margin:14px 0"><tr><td width="300" align="center">'
        f'{clip_art(page.art[0], 260)}</td><td><h1 style="font-size:44px">{page.items[0]}</h1><p style="font-size:21px">{prose(rng, 4)}</p>'
        f'<a style="color:{accent}"><b>read the whole story</b></a></td></tr></table><table width="100%"><tr>{columns}</tr></table><hr>'
        f'<table width="100%"><tr><td>Also in this issue:<ul>{more}</ul></td><td align="right">{clip_art(page.art[-1], 110)}</td></tr></table></div>'
    )


def downloads(page: Page, rng: random.Random) -> str:
    """Download site: a table of files with sizes and stars."""
    ground, panel, accent, _ = page.colors
    rows = ""
    for i in range(9):
        item = page.items[i % len(page.items)]
        stars = "&#9733;" * rng.randrange(2, 6)
        rows += (
            f'<tr style="background:{panel if i % 2 else ground}"><td>{clip_art(page.art[i % len(page.art)], 40)}<td><b>'
            f'<a style="color:{accent}">{item} {rng.randrange(1, 6)}.{rng.randrange(10)}</a></b><br><small>{rng.choice(SENTENCES)}</small>'
            f'<td align="right">{rng.randrange(90, 2900)} kB<td style="color:#e90;font-size:24px">{stars}<td>{button("Get it")}</tr>'
        )
    return (
        f'<div style="font-family:{ARIAL};font-size:17px"><div style="background:{accent};color:#fff;padding:12px 20px"><span style="font:bold 46px {MONO}">'
        f'{page.title}</span> &nbsp; {page.tagline}</div><div style="background:#c0c0c0;padding:6px;border:2px outset #fff">'
        f'{"".join(button(x) for x in page.links)}</div><table width="97%" align="center" cellpadding="6" border="1" style="margin-top:12px;'
        f'background:{ground};border-collapse:collapse"><tr style="background:#000080;color:#fff"><th><th>File<th>Size<th>Rating<th></tr>{rows}</table>'
        f"<center><p>{counter(rng.randrange(900000))} files served since {rng.choice(DATES)}</p>{badges(rng.randrange(99), 5)}</center></div>"
    )


def weather(page: Page, rng: random.Random) -> str:
    """Weather: today large, a week in boxes, a table of towns."""
    ground, panel, accent, _ = page.colors
    skies = ["sun", "cloud", "rain"]
    days = "".join(
        f'<td align="center" style="background:{panel};border:3px ridge {accent};padding:8px" width="16%"><b>{day}</b><br>'
        f"{clip_art(rng.choice(skies), 84)}<br>{rng.randrange(4, 29)}&deg;</td>"
        for day in ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
    )
    towns = "".join(
        f"<tr style='background:{panel if i % 2 else ground}'><td>{item}<td>{clip_art(rng.choice(skies), 30)}<td align=right>"
        f"{rng.randrange(2, 30)}&deg;<td align=right>{rng.randrange(3, 60)} km/h<td>{rng.choice(['rising', 'falling', 'steady'])}</tr>"
        for i, item in enumerate(page.items)
    )
    return (
        f'<div style="padding:16px 26px;font-family:{ARIAL}"><h1 style="font:bold italic 56px {ARIAL};color:{accent}">{page.title}</h1>{page.tagline}'
        f'<hr color="{accent}" size=5><table cellpadding="12"><tr><td>{clip_art(page.art[0], 230)}</td><td><span style="font-size:90px;color:{accent}">'
        f'{rng.randrange(8, 28)}&deg;</span><br><b>Today:</b> {prose(rng, 2)}</td></tr></table><table cellspacing="9"><tr>{days}</tr></table>'
        f'<h2>Readings this hour</h2><table width="100%" border="1" cellpadding="5" style="border-collapse:collapse"><tr bgcolor="{accent}" style="color:#fff">'
        f"<th>Station<th>Sky<th>Temp.<th>Wind<th>Pressure</tr>{towns}</table><p>{' | '.join(f'<a>{x}</a>' for x in page.links)} &nbsp; "
        f"{counter(rng.randrange(99999), 'white')}</p></div>"
    )


def frames(page: Page, rng: random.Random) -> str:
    """Software page in frames: grey menu, title bar, screenshot of a window."""
    _, panel, accent, _ = page.colors
    menu = "".join(
        f'<p>{clip_art(page.art[i % len(page.art)], 34)} <a style="color:#00c">{x}</a></p>'
        for i, x in enumerate(page.links)
    )
    features = "".join(f"<li>{x}</li>" for x in page.items)
    window = (
        f'<div style="width:600px;border:3px outset #fff;background:#c0c0c0;font-family:{ARIAL};font-size:15px;color:#000"><div style="background:'
        f'linear-gradient(90deg,#000080,#1084d0);color:#fff;padding:4px 8px;font-weight:bold">{page.title}<span style="float:right">_ &#9633; X</span></div>'
        f'<div style="padding:4px 8px">File &nbsp; Edit &nbsp; View &nbsp; Help</div><div style="margin:6px;border:2px inset #fff;background:#fff;height:230px;'
        f'padding:14px">{"".join(clip_art(a, 96) for a in page.art)}<br><br>C:\\&gt; ready _</div><div style="text-align:right;padding:4px">'
        f"{button('OK')}{button('Cancel')}</div></div>"
    )
    return (
        f'<div style="position:absolute;left:0;top:0;width:1024px;height:110px;background:#c0c0c0;border:4px ridge #fff;padding:14px 22px;color:#000080">'
        f'<span style="font:bold 52px {ARIAL}">{page.title}</span> <i>{page.tagline}</i></div><div style="position:absolute;left:0;top:110px;width:220px;'
        f'height:914px;background:#d4d0c8;border:4px ridge #fff;padding:16px;color:#000">{menu}<hr>{counter(rng.randrange(99999))}<hr>{badges(rng.randrange(99), 4)}</div>'
        f'<div style="position:absolute;left:220px;top:110px;width:804px;height:914px;border:4px ridge #fff;padding:20px 30px;font-size:23px">'
        f'<h2 style="color:{accent}">What is it?</h2><p>{prose(rng, 2)}</p><center>{window}</center><h2 style="color:{accent}">Features</h2><ul>{features}</ul>'
        f'<div style="background:{panel};padding:10px;border:1px dashed {accent}">{new()} {prose(rng, 1)} {button("Download now (1.2 MB)")}</div></div>'
    )


def chrome(page: Page, rng: random.Random) -> str:
    """Silver millennium look: metal panels, glass pills, rings."""
    _, panel, accent, _ = page.colors
    metal = "background:linear-gradient(#fff,#b8c0c8 45%,#8b949e 50%,#dfe5ea)"
    pills = "".join(
        f'<div style="border-radius:30px;padding:11px 22px;margin:12px 0;color:#fff;font-weight:bold;border:1px solid #456;background:linear-gradient('
        f'{blend(accent, "#ffffff", 0.35)},{accent} 50%,{blend(accent, "#000000", 0.7)} 52%,{blend(accent, "#ffffff", 0.7)})">{x}</div>'
        for x in page.links
    )
    cards = "".join(
        f'<div style="{metal};border-radius:22px;padding:18px;width:320px;height:238px;display:inline-block;margin:8px;vertical-align:top;border:2px solid #fff;'
        f'box-shadow:0 3px 8px #0007;color:#223">{clip_art(page.art[i % len(page.art)], 64)} <b style="font-size:21px">{item}</b><p style="font-size:19px">{prose(rng, 2)}</p></div>'
        for i, item in enumerate(page.items[:6])
    )
    rings = "".join(
        f'<circle cx="870" cy="90" r="{r}" fill="none" stroke="{accent}" stroke-width="{w}" opacity=".6"/>'
        for r, w in ((50, 3), (80, 12), (120, 2), (160, 6))
    )
    return (
        f'<svg width="1024" height="260" style="position:absolute;left:0;top:0">{rings}</svg><div style="position:relative;font-family:{ARIAL}">'
        f'<div style="{metal};margin:18px;border-radius:50px;padding:18px 44px;border:3px solid #fff;box-shadow:0 4px 10px #0008"><span style="font:italic bold 56px {ARIAL};'
        f'letter-spacing:6px;color:#334;text-shadow:0 2px 0 #fff">{page.title}</span><br><span style="color:#345;letter-spacing:3px">{page.tagline}</span></div>'
        f'<table cellpadding="10"><tr valign="top"><td width="250" style="padding-left:24px">{pills}<div style="background:{panel};border-radius:16px;padding:14px;font-size:16px">'
        f"{prose(rng, 2)}</div></td><td>{cards}</td></tr></table></div>"
    )


def board(page: Page, rng: random.Random) -> str:
    """Message board: topics with replies in a blue-grey table."""
    ground, panel, accent, _ = page.colors
    rows = ""
    for i in range(11):
        item = page.items[i % len(page.items)]
        opening = ["", "Re: ", "Question: ", "Help!! "][i % 4]
        rows += (
            f'<tr style="background:{panel if i % 2 else ground}"><td align=center>{clip_art(page.art[i % len(page.art)], 34)}<td><b>{opening}{item}</b>'
            f"{' ' + new() if i == 2 else ''}<td>{NAMES[i % 10]}<td align=center>{rng.randrange(80)}<td align=center>{rng.randrange(900)}<td><small>{rng.choice(DATES)}</small></tr>"
        )
    return (
        f'<div style="padding:16px 24px;font-family:{ARIAL};font-size:17px"><table width="100%"><tr><td><span style="font:bold 48px {ARIAL};color:{accent}">{page.title}</span><br>{page.tagline}'
        f'<td align="right">{"".join(clip_art(a, 90) for a in page.art)}</tr></table><div style="background:{accent};color:#fff;padding:9px">{" | ".join(page.links)}</div>'
        f'<p>{button("New topic", accent, "#fff")}{button("Search")}{button("Log in")}</p><table width="100%" cellpadding="7" cellspacing="1" style="background:{accent}">'
        f'<tr style="color:#fff"><th><th align=left>Topic<th align=left>Author<th>Replies<th>Views<th align=left>Last post</tr>{rows}</table>'
        f"<p>Page [1] 2 3 4 5 ... 12</p><small>There are {rng.randrange(3, 30)} members and {rng.randrange(3, 90)} guests online. {prose(rng, 1)}</small></div>"
    )
