"""Put what came back in order: one dictionary, and from it text, JSON and CSV. Pure.

The JSON is the report; everything else only shows parts of it.
"""

from __future__ import annotations

import csv
import io
import json
import statistics
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loadgen.run import Run
    from loadgen.thresholds import Threshold

FORMAT = 1
MODELS = {
    "closed": "closed model: each user waits for its answer before it asks again, "
    "so slow answers make fewer requests",
    "open": "open model: requests start on time whatever the answers do; latencies "
    "count from the intended start",
}
#: Variants whose single requests differ less than this share their ideal lines.
SAME_SERVICE = 3.0
#: More pairs of ideal lines than this hide what was measured; then it is one for all.
MOST_IDEALS = 2
POINT_COLUMNS = (
    ("users", "users"),
    ("rps", "req/s"),
    ("p50_ms", "p50 ms"),
    ("p95_ms", "p95 ms"),
    ("p99_ms", "p99 ms"),
    ("failures", "failures"),
    ("generator_busy", "generator"),
)


def make_report(
    run: Run,
    environment: Mapping[str, object],
    thresholds: Sequence[Threshold] = (),
    published: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Return the report; `published` are someone else's requests/s by variant."""
    variants: list[dict[str, Any]] = []
    for tally in run.tallies:
        points = tally.points()
        totals = tally.totals()
        variants.append(
            {
                "name": tally.variant.name,
                "totals": totals | {"top": points[-1] if points else None},
                "published_rps": (published or {}).get(tally.variant.name),
                "points": points,
            }
        )
    plan = run.plan
    report: dict[str, Any] = {
        "format": FORMAT,
        "model": plan.shape.model,
        "phase": run.phase,
        "client": run.client,
        "plan": {
            **asdict(plan.shape),
            "window_s": plan.shape.window_s,
            "repeats": plan.repeats,
            "processes": plan.processes,
            "order": [plan.variants[which].name for which in run.turns],
            "seed": plan.seed,
        },
        "environment": {**environment, "client": run.client, "loop": run.loop},
        "totals": _all_totals(variants),
        "points": [point for variant in variants for point in variant["points"]],
        "variants": [
            {name: value for name, value in variant.items() if name != "points"}
            for variant in variants
        ],
        "ideals": ideals(variants),
    }
    report["verdicts"] = [
        {"variant": variant["name"], "condition": threshold.text}
        | dict(
            zip(("holds", "found"), threshold.verdict(variant["totals"]), strict=True)
        )
        for threshold in thresholds
        for variant in variants
    ]
    return report


def ideals(variants: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the service times to draw ideal lines of; those that are alike share one."""
    known = sorted(
        (variant["totals"]["service_ms"], variant["name"])
        for variant in variants
        if variant["totals"]["service_ms"]
    )
    groups: list[list[tuple[float, str]]] = []
    for each in known:
        if groups and each[0] <= SAME_SERVICE * groups[-1][0][0]:
            groups[-1].append(each)
        else:
            groups.append([each])
    if len(groups) > MOST_IDEALS:
        groups = [known]
    return [
        {
            # A line that several share, or the only one, belongs to nobody.
            "variant": group[0][1] if len(group) == 1 < len(groups) else None,
            "service_ms": round(statistics.median(time for time, _ in group), 3),
        }
        for group in groups
    ]


def _all_totals(variants: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what all variants come to; of a single one, all that is known."""
    if len(variants) == 1:
        only: dict[str, Any] = variants[0]["totals"]
        return only
    each = [variant["totals"] for variant in variants]
    kinds: Counter[str] = Counter()
    for totals in each:
        kinds.update(totals["failures_by_kind"])
    return {
        **{
            name: sum(totals[name] for totals in each)
            for name in ("requests", "answers", "failures", "seconds")
        },
        "failures_by_kind": dict(kinds.most_common()),
    }


def to_json(report: Mapping[str, Any]) -> str:
    """Return it as JSON text, for programs and for keeping."""
    return json.dumps(report, indent=2, ensure_ascii=False) + "\n"


def to_csv(report: Mapping[str, Any]) -> str:
    """Return the points as CSV, one a line, as spreadsheets read it."""
    rows = report["points"]
    text = io.StringIO(newline="")
    # Fixed columns, so that a run without a single point is still a table.
    names = [
        *("variant", "users", "rps", "rps_low", "rps_high"),
        *("p50_ms", "p90_ms", "p95_ms", "p99_ms", "max_ms", "mean_ms"),
        *("answers", "failures", "seconds"),
        *("generator_busy", "generator_lag_ms", "generator_limited"),
    ]
    writer = csv.DictWriter(text, names)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def to_text(report: Mapping[str, Any]) -> str:
    """Return what the terminal shows at the end."""
    lines = []
    many = len(report["variants"]) > 1
    if many:
        lines += [*_variants_table(report), ""]
    else:
        lines += [*_points_table(report["points"]), ""]
    for variant in report["variants"]:
        head = f"{variant['name']}: " if many else ""
        lines += [f"{head}{line}" for line in _sentences(variant["totals"])]
    environment = report["environment"]
    lines += [
        "",
        MODELS[report["model"]],
        f"{report['client']}, {environment['loop']} loop, Python "
        f"{environment['python']}, {environment['cores']} cores, "
        f"{_count(report['plan']['processes'], 'generator process', 'generator processes')}",
    ]
    if report["phase"] == "stopped":
        lines.append("stopped early: this is what was measured until then")
    for verdict in report["verdicts"]:
        found = "nothing" if verdict["found"] is None else f"{verdict['found']:g}"
        word = "holds" if verdict["holds"] else "FAILED"
        name = f" ({verdict['variant']})" if many else ""
        lines.append(f"{word}: {verdict['condition']}{name}, found {found}")
    return "\n".join(lines) + "\n"


def _variants_table(report: Mapping[str, Any]) -> list[str]:
    variants = report["variants"]
    first = _top(variants[0], "rps")
    published = [variant["published_rps"] for variant in variants]
    head = ["variant", "users", "req/s", "ratio"]
    if all(published):
        head += ["article", "ratio"]
    head += ["p50 ms", "p95 ms", "p99 ms", "failures", "generator"]
    rows = []
    for variant in variants:
        rps = _top(variant, "rps")
        row = [
            variant["name"],
            _number(_top(variant, "users")),
            _number(rps),
            f"{rps / first:.2f}" if rps is not None and first else "–",
        ]
        if all(published):
            row += [
                _number(variant["published_rps"]),
                f"{variant['published_rps'] / published[0]:.2f}",
            ]
        row += [_number(_top(variant, name)) for name in ("p50_ms", "p95_ms", "p99_ms")]
        row += [_number(variant["totals"]["failures"]), _busy(variant["totals"]["top"])]
        rows.append(row)
    return _table(head, rows)


def _points_table(points: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = [
        [
            *(_number(point[name]) for name, _ in POINT_COLUMNS[:-1]),
            _busy(point),
        ]
        for point in points
    ]
    return _table([title for _, title in POINT_COLUMNS], rows)


def _sentences(totals: Mapping[str, Any]) -> list[str]:
    lines = []
    if not totals["answers"]:
        lines.append("no request was answered")
    if totals["failures"]:
        kinds = ", ".join(
            f"{kind} {count:,}" for kind, count in totals["failures_by_kind"].items()
        )
        share = totals["failure_share"]
        lines.append(f"{totals['failures']:,} failed ({share:.1%}): {kinds}")
    little = totals["little"]
    if little:
        lines.append(
            f"Little's law: {little['users']:g} users ÷ {little['mean_ms']:.4g} ms = "
            f"{little['expected_rps']:.5g} req/s; measured {little['rps']:.5g} "
            f"({little['deviation']:+.1%})"
        )
    if totals["service_ms"]:
        lines.append(f"one request alone takes {totals['service_ms']:.4g} ms")
    if totals["late_starts"]:
        lines.append(f"{totals['late_starts']:,} requests started late")
    return lines


def _top(variant: Mapping[str, Any], name: str) -> float | None:
    top = variant["totals"]["top"]
    value: float | None = top[name] if top else None
    return value


def _busy(point: Mapping[str, Any] | None) -> str:
    if point is None:
        return "–"
    limited = " limit" if point["generator_limited"] else ""
    return f"{point['generator_busy']:.0%}{limited}"


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.4g}" if value < 10 else f"{value:.1f}"


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    return [
        "  ".join(
            cell.ljust(width)
            if column == 0 and head[0] == "variant"
            else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in [head, *rows]
    ]
