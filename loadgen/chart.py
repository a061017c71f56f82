"""Draw throughput against users, and latency beneath, as one SVG. Pure.

One line per variant with its own mark, never colour alone. Grey and hollow: there the
generator was the limit. Dashed: what would be ideal, and what a blocked loop allows.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape, quoteattr

from loadgen.scale import Linear, Logarithmic, decades

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WIDTH, HEIGHT = 960, 640
LEFT, RIGHT, TOP = 72, 740, 34
THROUGHPUT_BOTTOM = 390
LATENCY_TOP, LATENCY_BOTTOM = 452, 596
#: Room above the highest measurement, so that the ideal lines can be seen leaving.
HEADROOM = 1.18
LABEL_PX = 17
#: A bold letter at most, on the average of a name, in the widest font of the style.
LETTER_PX = 8.6
#: Of a name beside its line; the table has all of it.
MAX_NAME = 32
#: " 1.23e+04", the longest number beside a name.
NUMBER_LETTERS = 9
MARKS = ("circle", "square", "triangle", "diamond")


def draw_chart(report: Mapping[str, Any]) -> str:
    """Return the SVG text; its colours are classes, `.series-0` and so on."""
    series = _series(report)
    points = [point for _, line in series for point in line]
    is_open = report["model"] == "open"
    # Wider for long names: the picture shrinks a little, and none is cut at its edge.
    longest = max((len(_short(name)) for name, _ in series), default=0)
    width = max(WIDTH, math.ceil(RIGHT + 10 + (longest + NUMBER_LETTERS) * LETTER_PX))
    parts = [
        f'<svg class="chart" viewBox="0 0 {width} {HEIGHT}" role="img" '
        f'xmlns="http://www.w3.org/2000/svg" aria-label={quoteattr(_summary(series))}>'
    ]
    if points:
        most = max(point["users"] for point in points)
        x = Linear(0, most or 1, LEFT, RIGHT)
        parts += _throughput(report, series, x)
        parts += _latency(series, x)
        under = "requests under way" if is_open else "users"
        parts.append(_text((LEFT + RIGHT) / 2, HEIGHT - 6, under, "axis", "middle"))
    else:
        parts.append(_text(WIDTH / 2, 200, "nothing was measured", "axis", "middle"))
    parts.append("</svg>")
    return "\n".join(parts)


def _series(
    report: Mapping[str, Any],
) -> list[tuple[str, list[Mapping[str, Any]]]]:
    names = [variant["name"] for variant in report["variants"]]
    return [
        (name, [point for point in report["points"] if point["variant"] == name])
        for name in names
    ]


def _summary(series: Sequence[tuple[str, Sequence[Mapping[str, Any]]]]) -> str:
    ends = [
        f"{name}: {line[-1]['rps']:.4g} requests a second at {line[-1]['users']:g} users"
        for name, line in series
        if line
    ]
    return "Throughput against users. " + "; ".join(ends)


def _throughput(
    report: Mapping[str, Any],
    series: Sequence[tuple[str, Sequence[Mapping[str, Any]]]],
    x: Linear,
) -> list[str]:
    highest = max(point["rps_high"] for _, line in series for point in line) or 1
    y = Linear(0, highest * HEADROOM, THROUGHPUT_BOTTOM, TOP)
    parts = [_text(LEFT, 18, "requests a second", "axis", "start")]
    parts += _grid(x, y)
    parts += _ideals(report, [name for name, _ in series], x, y)
    labels = []
    for number, (_, line) in enumerate(series):
        if not line:
            continue
        band = [(x.px(point["users"]), y.px(point["rps_high"])) for point in line]
        band += [
            (x.px(point["users"]), y.px(point["rps_low"])) for point in reversed(line)
        ]
        path = [(x.px(point["users"]), y.px(point["rps"])) for point in line]
        parts.append(
            f'<polygon class="band series-{number}" points="{_points(band)}"/>'
        )
        parts += _line(number, line, path)
        parts += [
            _mark(number, point, *place)
            for point, place in zip(line, path, strict=True)
        ]
        parts += [
            _text(place[0], place[1] - 10, "✕", "failed", "middle")
            for point, place in zip(line, path, strict=True)
            if point["failures"]
        ]
        labels.append(
            (path[-1][1], number, f"{_short(series[number][0])}  {line[-1]['rps']:.4g}")
        )
    parts += _end_labels(labels)
    return parts


def _latency(
    series: Sequence[tuple[str, Sequence[Mapping[str, Any]]]], x: Linear
) -> list[str]:
    known = [
        point[name]
        for _, line in series
        for point in line
        for name in ("p50_ms", "p95_ms")
        if point[name]
    ]
    if not known:
        return []
    y = Logarithmic(*decades(min(known), max(known)), LATENCY_BOTTOM, LATENCY_TOP)
    parts = [
        _text(LEFT, LATENCY_TOP - 12, "latency: p50, and p95 dashed", "axis", "start")
    ]
    for tick in y.ticks():
        parts.append(_rule(LEFT, y.px(tick), RIGHT, y.px(tick), "grid"))
        parts.append(_text(LEFT - 8, y.px(tick) + 4, _duration(tick), "tick", "end"))
    labels = []
    for number, (name, line) in enumerate(series):
        line = [point for point in line if point["p50_ms"]]
        for percentile, style in (("p50_ms", "line"), ("p95_ms", "line high")):
            path = [(x.px(p["users"]), y.px(p[percentile])) for p in line]
            if path:
                parts.append(
                    f'<polyline class="{style} series-{number}" points="{_points(path)}"/>'
                )
        if line:
            at = y.px(line[-1]["p50_ms"])
            told = f"{_short(name)}  {_duration(line[-1]['p50_ms'])}"
            labels.append((at, number, told))
    return parts + _end_labels(labels)


def _grid(x: Linear, y: Linear) -> list[str]:
    parts = []
    for tick in y.ticks(5):
        parts.append(_rule(LEFT, y.px(tick), RIGHT, y.px(tick), "grid"))
        parts.append(_text(LEFT - 8, y.px(tick) + 4, f"{tick:,.6g}", "tick", "end"))
    return parts + [
        _text(x.px(tick), bottom + 18, f"{tick:g}", "tick", "middle")
        for tick in x.ticks(10)
        for bottom in (THROUGHPUT_BOTTOM, LATENCY_BOTTOM)
    ]


def _ideals(
    report: Mapping[str, Any], names: Sequence[str], x: Linear, y: Linear
) -> list[str]:
    if report["model"] == "open":
        return []
    parts = []
    for ideal in report["ideals"]:
        service_s = ideal["service_ms"] / 1e3
        which = ideal["variant"]
        style = f" series-{names.index(which)}" if which else ""
        # As far as it stays on the chart.
        end = min(x.high, y.high * service_s)
        parts.append(
            _rule(x.px(0), y.px(0), x.px(end), y.px(end / service_s), f"ideal{style}")
        )
        told = f"÷ {_duration(ideal['service_ms'])}"
        # Beside its end at the top; where it is flatter, above its middle.
        parts.append(
            _text(
                x.px(end) + 6,
                y.px(end / service_s) + 12,
                f"users {told}",
                "ideal",
                "start",
            )
            if end < x.high
            else _text(
                x.px(end * 0.6),
                y.px(end * 0.6 / service_s) - 8,
                f"users {told}",
                "ideal",
                "end",
            )
        )
        flat = y.px(1 / service_s)
        if flat > TOP:
            parts.append(_rule(LEFT, flat, RIGHT, flat, f"ideal{style}"))
            parts.append(
                _text(RIGHT - 4, flat - 6, f"a blocked loop: 1 {told}", "ideal", "end")
            )
    return parts


def _line(
    number: int,
    points: Sequence[Mapping[str, Any]],
    path: Sequence[tuple[float, float]],
) -> list[str]:
    """Draw a series piece by piece: grey where the generator was the limit."""
    return [
        _rule(
            *(*start, *end),
            "line limited"
            if points[i + 1]["generator_limited"]
            else f"line series-{number}",
        )
        for i, (start, end) in enumerate(pairwise(path))
    ]


def _mark(number: int, point: Mapping[str, Any], x: float, y: float) -> str:
    style = "limited" if point["generator_limited"] else f"series-{number}"
    kind, r = MARKS[number % len(MARKS)], 4
    if kind == "circle":
        shape = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r}"'
    elif kind == "square":
        shape = (
            f'<rect x="{x - r:.1f}" y="{y - r:.1f}" width="{2 * r}" height="{2 * r}"'
        )
    else:
        around = (
            [(x, y - r - 1), (x + r + 1, y + r), (x - r - 1, y + r)]
            if kind == "triangle"
            else [(x, y - r - 1), (x + r + 1, y), (x, y + r + 1), (x - r - 1, y)]
        )
        shape = f'<polygon points="{_points(around)}"'
    return f'{shape} class="mark {style}"><title>{escape(_told(point))}</title>{_end(kind)}'


def _end(kind: str) -> str:
    return {"circle": "</circle>", "square": "</rect>"}.get(kind, "</polygon>")


def _told(point: Mapping[str, Any]) -> str:
    words = [f"{point['users']:g} users: {point['rps']:.4g} req/s"]
    words += [
        f"{name} {_duration(point[f'{name}_ms'])}"
        for name in ("p50", "p95", "p99")
        if point[f"{name}_ms"] is not None
    ]
    if point["failures"]:
        words.append(f"{point['failures']} failed")
    if point["generator_limited"]:
        words.append("the generator was the limit")
    return ", ".join(words)


def _end_labels(labels: Sequence[tuple[float, int, str]]) -> list[str]:
    """Name each line at its end, moved apart where they would touch."""
    parts = []
    lowest = float("-inf")
    for y, number, label in sorted(labels):
        lowest = max(y, lowest + LABEL_PX)
        parts.append(
            _text(RIGHT + 10, lowest + 4, label, f"name series-{number}", "start")
        )
    return parts


def _short(name: str) -> str:
    return name if len(name) <= MAX_NAME else f"{name[: MAX_NAME - 1]}…"


def _rule(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    return f'<line class="{style}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, words: str, style: str, anchor: str) -> str:
    return (
        f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
        f"{escape(words)}</text>"
    )


def _points(places: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)


def _duration(ms: float) -> str:
    if ms < 1:
        return f"{ms * 1e3:.3g} µs"
    return f"{ms:.3g} ms" if ms < 999.5 else f"{ms / 1e3:.3g} s"
