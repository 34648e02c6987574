"""Clip art of the web pages, drawn with hard edges."""

# ruff: noqa: E501  drawings are easier to follow when their lines are not cut

from __future__ import annotations

import math

ART: dict[str, str] = {
    "flower": '<g fill="#f6a">{petals}</g><circle cx="50" cy="42" r="12" fill="#fd0"/>'
    '<path d="M50,66 V98 M50,86 q18,-16 28,-8" stroke="#292" stroke-width="5" fill="none"/>',
    "cat": '<path d="M20,40 L24,10 L42,26 H60 L78,10 L80,40 Q82,84 50,86 Q18,84 20,40Z" fill="#e93"/>'
    '<circle cx="38" cy="46" r="6"/><circle cx="62" cy="46" r="6"/><path d="M45,60 h10 l-5,6Z" fill="#f66"/>'
    '<path d="M6,56 L34,62 M6,70 L34,66 M94,56 L66,62 M94,70 L66,66" stroke="#000" stroke-width="2"/>',
    "dog": '<path d="M24,22 Q50,6 76,22 L82,60 Q74,92 50,92 Q26,92 18,60Z" fill="#c95"/><path d="M24,20 L8,62 L26,58Z '
    'M76,20 L92,62 L74,58Z" fill="#742"/><circle cx="39" cy="46" r="5"/><circle cx="61" cy="46" r="5"/>'
    '<ellipse cx="50" cy="64" rx="9" ry="6"/><path d="M46,74 h10 v14 h-10Z" fill="#f67"/>',
    "guitar": '<path d="M64,40 L92,8" stroke="#742" stroke-width="9"/><circle cx="36" cy="66" r="26" fill="#d52"/>'
    '<circle cx="58" cy="46" r="17" fill="#d52"/><circle cx="44" cy="60" r="9" fill="#300"/>'
    '<path d="M24,78 L90,10" stroke="#ffd" stroke-width="2"/>',
    "planet": '<circle cx="50" cy="50" r="28" fill="#86e"/><path d="M24,40 q30,12 54,2" stroke="#a8f" stroke-width="6" '
    'fill="none"/><ellipse cx="50" cy="52" rx="46" ry="12" fill="none" stroke="#fc6" stroke-width="5" '
    'transform="rotate(-18 50 50)"/>',
    "rocket": '<path d="M50,6 Q74,30 66,74 H34 Q26,30 50,6Z" fill="#eee" stroke="#333"/><circle cx="50" cy="38" r="9" '
    'fill="#4af"/><path d="M34,60 L18,84 H36Z M66,60 L82,84 H64Z" fill="#e33"/><path d="M40,76 L50,98 L60,76Z" fill="#fa0"/>',
    "car": '<path d="M6,64 Q8,48 28,46 L40,30 H66 L80,46 Q96,48 94,64 V70 H6Z" fill="#e22"/><path d="M36,46 L44,35 H52 '
    'V46Z M56,46 V35 H64 L72,46Z" fill="#9df"/><circle cx="26" cy="70" r="11"/><circle cx="74" cy="70" r="11"/>'
    '<circle cx="26" cy="70" r="5" fill="#ccc"/><circle cx="74" cy="70" r="5" fill="#ccc"/>',
    "pizza": '<path d="M50,94 L8,22 Q50,-2 92,22Z" fill="#fc5"/><path d="M8,22 Q50,-2 92,22 L88,32 Q50,10 12,32Z" '
    'fill="#b63"/><circle cx="40" cy="40" r="8" fill="#d22"/><circle cx="60" cy="52" r="8" fill="#d22"/>'
    '<circle cx="50" cy="72" r="6" fill="#d22"/>',
    "fish": '<path d="M10,50 Q40,16 72,50 L94,30 V70 L72,50 Q40,84 10,50Z" fill="#fa3"/><circle cx="30" cy="46" r="5"/>'
    '<path d="M44,34 q10,16 0,32" stroke="#c50" stroke-width="4" fill="none"/>',
    "mountain": '<rect width="100" height="100" fill="#8cf"/><path d="M0,100 L34,30 L58,76 L72,48 L100,100Z" '
    'fill="#567"/><path d="M34,30 L24,50 L34,46 L44,52Z" fill="#fff"/><circle cx="78" cy="22" r="11" fill="#fe4"/>',
    "computer": '<rect x="14" y="10" width="72" height="54" fill="#ccb" stroke="#665" stroke-width="3"/><rect x="22" y="18" '
    'width="56" height="38" fill="#008"/><path d="M28,28 h26 M28,36 h36 M28,44 h16" stroke="#0f0" stroke-width="3"/>'
    '<path d="M36,64 h28 v10 h-28Z" fill="#aa9"/><rect x="8" y="76" width="84" height="16" fill="#ccb" stroke="#665"/>',
    "dragon": '<path d="M12,80 Q10,30 48,34 L40,10 L62,30 Q92,36 88,60 L64,58 Q66,92 12,80Z" fill="#2a5"/>'
    '<circle cx="62" cy="42" r="5" fill="#ff0"/><path d="M88,58 L100,50 L98,66Z" fill="#f50"/>'
    '<path d="M16,74 L2,40 L36,50Z" fill="#175"/>',
    "sword": '<path d="M50,4 L58,16 V66 H42 V16Z" fill="#dde" stroke="#556"/><path d="M26,66 H74 V74 H26Z" fill="#c93"/>'
    '<path d="M45,74 h10 v18 h-10Z" fill="#742"/><circle cx="50" cy="94" r="6" fill="#c93"/>',
    "sun": '<circle cx="50" cy="50" r="22" fill="#fd2"/><path d="M50,6 V20 M50,80 V94 M6,50 H20 M80,50 H94 M18,18 L28,28 '
    'M72,72 L82,82 M82,18 L72,28 M28,72 L18,82" stroke="#f90" stroke-width="6"/>',
    "cloud": '<path d="M18,66 q-14,-22 12,-28 q6,-24 32,-16 q26,-2 22,22 q16,16 -6,22Z" fill="#cde" stroke="#68a" '
    'stroke-width="3"/>',
    "rain": '<path d="M18,52 q-14,-20 12,-26 q6,-22 32,-14 q26,-2 22,20 q16,14 -6,20Z" fill="#89a"/>'
    '<path d="M30,62 l-6,16 M48,62 l-6,16 M66,62 l-6,16 M38,80 l-5,14 M58,80 l-5,14" stroke="#26f" stroke-width="5"/>',
    "shoe": '<path d="M8,40 L40,34 L60,56 L90,62 Q98,78 88,80 H10Z" fill="#fff" stroke="#225" stroke-width="3"/>'
    '<path d="M8,80 H92 V88 H8Z" fill="#e22"/><path d="M36,40 l10,12 M44,38 l10,14" stroke="#22c" stroke-width="4"/>',
    "book": '<path d="M6,20 Q30,10 50,22 Q70,10 94,20 V84 Q70,74 50,86 Q30,74 6,84Z" fill="#fffbe8" stroke="#843" '
    'stroke-width="4"/><path d="M50,22 V86 M16,34 h24 M16,46 h24 M16,58 h20 M60,34 h24 M60,46 h24" stroke="#975" '
    'stroke-width="3"/>',
    "disk": '<path d="M10,10 H80 L92,22 V92 H10Z" fill="#225"/><rect x="28" y="10" width="42" height="28" fill="#bbb"/>'
    '<rect x="56" y="14" width="9" height="20" fill="#225"/><rect x="22" y="52" width="58" height="40" fill="#fff"/>'
    '<path d="M28,62 h46 M28,72 h46 M28,82 h30" stroke="#d33" stroke-width="3"/>',
    "bear": '<circle cx="24" cy="24" r="15" fill="#a63"/><circle cx="76" cy="24" r="15" fill="#a63"/><circle cx="50" cy="54" '
    'r="38" fill="#b74"/><circle cx="37" cy="46" r="5"/><circle cx="63" cy="46" r="5"/><ellipse cx="50" cy="66" rx="15" '
    'ry="12" fill="#ecb"/><ellipse cx="50" cy="61" rx="6" ry="4"/>',
    "star": '<path d="M50,4 L62,38 L98,38 L69,59 L80,94 L50,73 L20,94 L31,59 L2,38 L38,38Z" fill="#fd0" stroke="#c80" '
    'stroke-width="3"/>',
    "mail": '<rect x="6" y="22" width="88" height="58" fill="#ffe" stroke="#336" stroke-width="4"/><path d="M6,22 L50,58 '
    'L94,22" fill="none" stroke="#336" stroke-width="4"/>',
    "train": '<rect x="20" y="30" width="60" height="44" fill="#15a"/><path d="M66,14 h18 v16 h-18Z" fill="#222"/><rect x="26" '
    'y="36" width="20" height="18" fill="#ffc"/><circle cx="34" cy="80" r="10"/><circle cx="66" cy="80" r="10"/>'
    '<path d="M80,60 L98,80 H80Z" fill="#c22"/>',
    "phone": '<rect x="30" y="16" width="40" height="80" rx="9" fill="#46c" stroke="#124" stroke-width="3"/><rect x="36" '
    'y="26" width="28" height="24" fill="#be8"/><path d="M62,16 V2" stroke="#124" stroke-width="5"/>'
    '<g fill="#eef">{keys}</g>',
}  # fmt: skip


def clip_art(name: str, size: int) -> str:
    """A small drawing with hard edges, as a GIF would have them."""
    petals = "".join(
        f'<circle cx="{50 + 20 * math.cos(a):.0f}" cy="{42 + 20 * math.sin(a):.0f}" r="13"/>'
        for a in (k * math.pi / 3 for k in range(6))
    )
    keys = "".join(
        f'<rect x="{37 + 10 * (k % 3)}" y="{57 + 9 * (k // 3)}" width="7" height="6"/>'
        for k in range(12)
    )
    inner = ART[name].replace("{petals}", petals).replace("{keys}", keys)
    return (
        f'<svg width="{size}" height="{size}" viewBox="0 0 100 100" shape-rendering="crispEdges" '
        f'style="vertical-align:middle">{inner}</svg>'
    )
