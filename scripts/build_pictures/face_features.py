"""Eyes, brows, nose and mouth."""

from __future__ import annotations

from face_parts import Head, Light, Person, Pose, Svg, dark, light, mix


def draw_eye(svg: Svg, person: Person, head: Head, pose: Pose, side: int) -> None:
    """One eye with its lid, iris, lashes."""
    cx, size = side * 71 * person.eye_gap, person.eye_size
    tall = 23 * size * pose.lids
    ink = mix("#2a1618", dark(person.skin, 0.6), 0.2)

    def p(x: float, y: float) -> str:
        return f"{cx + side * x * size:.1f},{y - 2:.1f}"

    if pose.lids < 0.2:
        svg.stroke(head.warp(f"M{p(-36, 4)} Q{p(2, -20)} {p(38, 2)}"), ink, 6.5)
        svg.stroke(head.warp(f"M{p(36, 2)} L{p(47, -4)}"), ink, 4)
        return
    upper = f"{p(-36, 6)} C{p(-24, -tall)} {p(16, -tall * 1.28)} {p(38, -3)}"
    lower = f"C{p(26, tall * 0.78)} {p(-16, tall * 0.85)} {p(-36, 6)}"
    shape = head.warp(f"M{upper} {lower} Z")
    svg.path(shape, "#fdf8f3")
    svg.add(f'<g clip-path="{svg.clip(shape)}">')
    gx, gy = pose.gaze
    x, y = head.at(cx + gx * 13, -4 + gy * 7)
    flat = head.squeeze(cx)
    radius = 19 * size
    iris = svg.radial(
        [(0, light(person.iris, 0.35)), (0.55, person.iris), (1, dark(person.iris, 0.6))], 0.5, 0.65
    )
    svg.ellipse((x, y), radius * flat, radius, iris)
    svg.ellipse((x, y), radius * 0.46 * flat, radius * 0.46, "#140c10")
    svg.path(
        head.warp(
            f"M{upper} L{p(38, -14)} C{p(16, -tall * 0.8)} {p(-20, -tall * 0.5)} {p(-36, 8)}Z"
        ),
        "#3a2230",
        opacity=0.22,
    )
    svg.ellipse((x - 6 * flat, y - 7), 5.4, 5.4, "#ffffff")
    svg.ellipse((x + 6 * flat, y + 7), 2.6, 2.6, "#ffffff", opacity=0.7)
    svg.add("</g>")
    svg.stroke(head.warp(f"M{upper}"), ink, 6.2 if person.lashes else 4.6)
    svg.stroke(
        head.warp(f"M{p(24, tall * 0.5)} Q{p(0, tall * 0.8)} {p(-22, tall * 0.5)}"),
        dark(person.skin, 0.45),
        2,
        opacity=0.6,
    )
    svg.stroke(
        head.warp(f"M{p(-30, -tall * 0.72)} Q{p(6, -tall * 1.75)} {p(42, -tall * 0.55)}"),
        dark(person.skin, 0.4),
        2.6,
        opacity=0.65,
    )
    if person.lashes:
        for at, lift in ((22, 0.72), (31, 0.42), (37, 0.1)):
            svg.stroke(
                head.warp(f"M{p(at, -tall * lift - 1)} L{p(at + 9, -tall * lift - 10)}"), ink, 3.4
            )


def draw_brow(svg: Svg, person: Person, head: Head, pose: Pose, side: int) -> None:
    """One eyebrow; pose.brows raises it."""
    natural = "#3a2822" if person.hair.style in ("hijab", "bald") else person.hair.color
    color = dark(natural, 0.3) if person.age < 0.6 else mix(natural, "#8a8480", 0.4)
    y, thick = -52 - pose.brows * 15, 9.5 * person.brow_weight
    cx = side * 71 * person.eye_gap

    def p(x: float, dy: float) -> str:
        return f"{cx + side * x:.1f},{y + dy:.1f}"

    svg.path(
        head.warp(
            f"M{p(-42, 3)} C{p(-20, -13)} {p(14, -20)} {p(48, 3)} "
            f"C{p(16, -20 + thick)} {p(-16, -9 + thick)} {p(-41, 4 + thick)} Z"
        ),
        color,
    )


def draw_nose(svg: Svg, person: Person, head: Head, lamp: Light) -> None:
    """Nose: shading on the side away from the light, tip, nostrils."""
    wide, tip = 27 * person.nose_width, 66 + person.nose_length
    shade, line = dark(person.skin, 0.28), dark(person.skin, 0.5)
    far = -1 if lamp.side > 0 else 1
    x0, y0 = head.at(far * 8, -22, 6)
    x1, y1 = head.at(far * wide * 0.5, tip - 8, 26)
    x2, y2 = head.at(far * wide * 0.95, tip + 8, 6)
    x3, y3 = head.at(0, tip, 36)
    svg.path(
        f"M{x0:.1f},{y0:.1f} Q{x1:.1f},{(y0 + y1) / 2:.1f} {x2:.1f},{y2:.1f} "
        f"Q{x3:.1f},{y3 + 16:.1f} {x3:.1f},{y3:.1f} Z",
        shade,
        opacity=0.42,
        filter=svg.blur(5),
    )
    svg.ellipse((x3, y3 - 6), 10, 9, "#fff6e6", opacity=0.5, filter=svg.blur(3.5))
    bx, by = head.at(0, -10, 16)
    svg.ellipse((bx, by), 6, 34, "#fff6e6", opacity=0.25, filter=svg.blur(4))
    for side in (-1, 1):
        a = head.at(side * wide * 0.92, tip - 8, 10)
        b = head.at(side * wide * 1.25, tip + 6, 6)
        c = head.at(side * wide * 0.72, tip + 17, 12)
        svg.stroke(
            f"M{a[0]:.1f},{a[1]:.1f} Q{b[0]:.1f},{b[1]:.1f} {c[0]:.1f},{c[1]:.1f}",
            line,
            3.2,
            opacity=0.7,
        )
        svg.ellipse(
            head.at(side * wide * 0.42, tip + 14, 20),
            6.5 * head.squeeze(side * 20),
            3.6,
            line,
            opacity=0.85,
        )
    a, b, c = (head.at(x, tip + d, 24) for x, d in ((-wide * 0.3, 16), (0, 24), (wide * 0.3, 16)))
    svg.stroke(
        f"M{a[0]:.1f},{a[1]:.1f} Q{b[0]:.1f},{b[1]:.1f} {c[0]:.1f},{c[1]:.1f}",
        line,
        2.6,
        opacity=0.6,
    )


def draw_teeth(
    svg: Svg, head: Head, cavity: str, half: float, top: float, teeth: float, tongue: float
) -> None:
    """The inside of an open mouth; top, teeth and tongue are heights, half its half width."""
    out = 8.0
    svg.path(cavity, "#5d1f2b")
    svg.add(f'<g clip-path="{svg.clip(cavity)}">')
    svg.path(
        head.warp(
            f"M{-half * 0.9},{top - 8} L{half * 0.9},{top - 8} "
            f"L{half * 0.8},{teeth - 8} Q0,{teeth + 8} {-half * 0.8},{teeth - 8} Z",
            out,
        ),
        "#fffaf4",
    )
    svg.ellipse(head.at(0, tongue, out), 30, 15, "#d9646c")
    svg.add("</g>")


def draw_mouth(svg: Svg, person: Person, head: Head, pose: Pose) -> None:
    """Mouth: lips, and teeth when it is open."""
    y, half = 122 + person.nose_length * 0.5, 44 + 15 * max(0.0, pose.smile)
    lift, full = 13 * pose.smile, person.lip_fullness
    drop = 46 * pose.open
    left, right = f"{-half},{y - lift}", f"{half},{y - lift}"
    sag = 9 * pose.smile
    inner_top = f"C{-half * 0.5},{y + sag * 0.7 - 2} {half * 0.5},{y + sag * 0.7 - 2} {right}"
    inner_low = (
        f"C{half * 0.62},{y + sag + drop * 1.25} {-half * 0.62},{y + sag + drop * 1.25} {left}"
    )
    out = 8.0
    if pose.open > 0.05:
        cavity = head.warp(f"M{left} {inner_top} {inner_low} Z", out)
        draw_teeth(svg, head, cavity, half, y - lift, y + sag * 0.7 + 13, y + sag + drop * 1.05)
    bow = 11 * full
    upper = (
        f"M{left} C{-half * 0.55},{y - lift * 0.3 - bow * 0.5} -16,{y - bow - 2} "
        f"-9,{y - bow - 1} Q0,{y - bow + 5} 9,{y - bow - 1} C16,{y - bow - 2} "
        f"{half * 0.55},{y - lift * 0.3 - bow * 0.5} {right} "
        f"C{half * 0.5},{y + sag * 0.7 - 2} {-half * 0.5},{y + sag * 0.7 - 2} {left} Z"
    )
    low = y + sag + drop * 1.25
    lower = (
        f"M{left} C{-half * 0.62},{low} {half * 0.62},{low} {right} "
        f"C{half * 0.66},{low + 20 * full} {-half * 0.66},{low + 20 * full} {left} Z"
    )
    svg.path(head.warp(upper, out), mix(person.lips, "#5c1f2c", 0.22))
    svg.path(head.warp(lower, out), person.lips)
    svg.ellipse(
        head.at(0, y + sag + drop + 9 * full, out),
        17,
        3.6,
        "#ffffff",
        opacity=0.35,
        filter=svg.blur(2.4),
    )
    line = dark(person.lips, 0.5)
    if pose.open <= 0.05:
        svg.stroke(head.warp(f"M{left} {inner_top}", out), line, 3.2)
    for side in (-1, 1):
        svg.stroke(
            head.warp(
                f"M{side * half},{y - lift + 2} L{side * (half + 6)},{y - lift * 1.25 - 2}", out
            ),
            dark(person.skin, 0.45),
            3,
            opacity=0.7,
        )
    svg.stroke(
        head.warp(f"M-18,{low + 24 * full} Q0,{low + 29 * full} 18,{low + 24 * full}"),
        dark(person.skin, 0.35),
        3,
        opacity=0.45,
    )
