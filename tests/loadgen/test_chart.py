"""The chart and the texts show what the report says, and nothing else."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from loadgen.chart import draw_chart
from loadgen.document import to_html
from loadgen.report import ideals, to_csv, to_text
from loadgen.scale import Linear, Logarithmic, decades

SVG = "{http://www.w3.org/2000/svg}"


def point_of(users, rps, **more):
    """Return one point of a report."""
    return {
        "variant": "one",
        "users": users,
        "rps": rps,
        "rps_low": rps * 0.9,
        "rps_high": rps * 1.1,
        "p50_ms": 100.0,
        "p95_ms": 110.0,
        "p99_ms": 120.0,
        "failures": 0,
        "generator_busy": 0.2,
        "generator_limited": False,
    } | more


def report_of(*lines, model="closed", service_ms=100.0):
    """Return a report with a variant for each list of points."""
    variants = []
    points = []
    for number, line in enumerate(lines):
        name = f"v{number}"
        points += [point | {"variant": name} for point in line]
        totals = {
            "answers": 5,
            "failures": 0,
            "failures_by_kind": {},
            "failure_share": 0.0,
            "service_ms": service_ms * 4**number,
            "little": None,
            "late_starts": 0,
            "top": line[-1] if line else None,
        }
        variants.append({"name": name, "totals": totals, "published_rps": None})
    return {
        "model": model,
        "phase": "over",
        "client": "httpx 0",
        "environment": {
            "loop": "uvloop",
            "python": "3",
            "cores": 2,
            "started": "now",
            "platform": "here",
            "cpu": "<fast>",
            "loopscope": "0",
        },
        "plan": {"processes": 1},
        "points": points,
        "variants": variants,
        "ideals": ideals(variants),
        "verdicts": [],
    }


def drawn(report):
    """Parse the chart."""
    return ElementTree.fromstring(draw_chart(report))


def of_class(svg, name):
    """Return the elements whose classes include this one."""
    return [each for each in svg.iter() if name in each.get("class", "").split()]


def test_marks_are_where_the_numbers_say():
    """Twice the users lie twice as far right, twice the rate twice as high."""
    svg = drawn(report_of([point_of(5, 50), point_of(10, 100)]))

    one, two = of_class(svg, "mark")
    assert (float(two.get("cx")) - 72) == pytest.approx(
        2 * (float(one.get("cx")) - 72), abs=0.3
    )
    assert (390 - float(two.get("cy"))) == pytest.approx(
        2 * (390 - float(one.get("cy"))), abs=0.3
    )


def test_generator_limits_are_grey():
    """Where the generator was the limit, mark and line are grey, and it is said."""
    svg = drawn(report_of([point_of(5, 50), point_of(10, 60, generator_limited=True)]))

    _, mark = of_class(svg, "mark")
    assert "limited" in mark.get("class")
    assert "series-0" not in mark.get("class")
    assert "the generator was the limit" in mark.find(f"{SVG}title").text


def test_failures_are_on_the_chart():
    """A point with failures has a cross, and its number in words."""
    svg = drawn(report_of([point_of(5, 50), point_of(10, 60, failures=3)]))

    assert len(of_class(svg, "failed")) == 1
    assert "3 failed" in of_class(svg, "mark")[1].find(f"{SVG}title").text


def test_ideal_lines():
    """The ideal rises by users over service time; a blocked loop's is flat."""
    svg = drawn(report_of([point_of(5, 10), point_of(10, 12)]))

    words = [each.text for each in of_class(svg, "ideal") if each.text]
    assert words == ["users ÷ 100 ms", "a blocked loop: 1 ÷ 100 ms"]
    rising, flat = (each for each in of_class(svg, "ideal") if not each.text)
    assert flat.get("y1") == flat.get("y2")
    assert float(rising.get("y2")) < float(rising.get("y1"))


def test_ideals_of_different_variants():
    """Variants that are alike share their lines; more than two pairs are never drawn."""
    line = [point_of(5, 10)]
    two = report_of(line, line)
    assert two["ideals"] == [
        {"variant": "v0", "service_ms": 100.0},
        {"variant": "v1", "service_ms": 400.0},
    ]
    alike = [{"name": n, "totals": {"service_ms": n * 10.0}} for n in (10, 12, 29)]
    assert ideals(alike) == [{"variant": None, "service_ms": 120.0}]

    three = report_of(line, line, line)
    assert three["ideals"] == [{"variant": None, "service_ms": 400.0}]

    only = report_of(line)
    assert only["ideals"] == [{"variant": None, "service_ms": 100.0}]


def test_open_model_has_no_ideal():
    """With an open model users are a result, and no ideal is drawn."""
    svg = drawn(report_of([point_of(5, 10)], model="open"))

    assert of_class(svg, "ideal") == []


def test_nothing_measured():
    """A report without points is a chart that says so, and a text."""
    report = report_of([])

    assert "nothing was measured" in draw_chart(report)
    assert to_text(report)
    assert to_csv(report).startswith("variant,users,rps")
    assert "nothing was measured" in to_html(report, "x")


def test_nothing_answered():
    """Points without a single answer are drawn at zero."""
    empty = dict.fromkeys(("p50_ms", "p95_ms", "p99_ms"))
    svg = drawn(report_of([point_of(5, 0.0, failures=9, **empty)]))

    assert len(of_class(svg, "mark")) == 1
    assert not of_class(svg, "high")


def test_labels_do_not_touch():
    """Names at the ends of lines that meet are moved apart."""
    svg = drawn(report_of(*([point_of(10, 100 + n / 10)] for n in range(4))))

    heights = sorted(
        float(each.get("y"))
        for each in of_class(svg, "name")
        if float(each.get("y")) < 400
    )
    assert all(b - a >= 16.9 for a, b in pairwise(heights))


@pytest.mark.parametrize("name", ["time.sleep in async def", "/a/" + "long/" * 20])
def test_names_are_not_cut(name):
    """The picture is wide enough for names beside their lines; very long ones are shortened."""
    report = report_of([point_of(60, 622.5, p50_ms=999.4)])
    report["variants"][0]["name"] = report["points"][0]["variant"] = name
    svg = drawn(report)
    width = float(svg.get("viewBox").split()[2])

    labels = of_class(svg, "name")
    assert len(labels) == 2
    for label in labels:
        assert label.text.startswith(name[:20])
        # DejaVu Sans Bold, the widest of the style, has some 0.65 of its size a letter.
        assert float(label.get("x")) + len(label.text) * 0.65 * 13 <= width


def test_names_are_text():
    """What targets call themselves is escaped, in the chart and in the file."""
    report = report_of([point_of(5, 10)])
    report["variants"][0]["name"] = report["points"][0]["variant"] = "<script>"

    html = to_html(report, "<title>")
    assert "<script>" not in html
    assert "&lt;fast&gt;" in html
    assert html.count("<title>") == 1 + len(re.findall("<title>5 users", html))


def test_table_has_ratios():
    """Several variants are compared with the first, and with published numbers."""
    report = report_of([point_of(10, 200)], [point_of(10, 50)])
    report["variants"][0]["published_rps"] = 550.0
    report["variants"][1]["published_rps"] = 205.0

    text = to_text(report)
    assert re.search(r"v0 +10\.0 +200 +1\.00 +550 +1\.00", text)
    assert re.search(r"v1 +10\.0 +50\.0 +0\.25 +205 +0\.37", text)


def test_scales():
    """Ticks are round, in range, and about as many as asked for."""
    assert list(Linear(0, 100, 0, 1).ticks(5)) == [0, 20, 40, 60, 80, 100]
    assert Linear(0, 10, 100, 0).px(5) == 50
    assert decades(0.3, 45) == (0.1, 100)
    assert decades(10, 10) == (10, 100)
    assert list(Logarithmic(0.1, 100, 0, 1).ticks()) == pytest.approx([0.1, 1, 10, 100])
    assert Logarithmic(1, 100, 0, 2).px(10) == pytest.approx(1)


def test_chosen_colours():
    """In the file each line has the colour that was chosen for it."""
    html = to_html(report_of([point_of(5, 10)], [point_of(5, 9)]), "x", [3, 0])

    assert ".series-0 { --c: var(--s3); }\n.series-1 { --c: var(--s0); }\n" in html
