"""Show how a run goes: a live table for people, JSON lines for the dashboard.

Progress goes to stderr, so that what is printed at the end can be piped.
"""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from loadgen.report import ideals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from loadgen.run import Run


@contextmanager
def show_progress(*, quiet: bool) -> Iterator[Callable[[Run], None]]:
    """Give what is to be called with the run, again and again."""
    console = Console(stderr=True)
    if quiet:
        yield lambda run: None
    elif not console.is_terminal:
        yield _Lines()
    else:
        with Live(console=console, refresh_per_second=8, transient=True) as live:
            yield lambda run: live.update(_picture(run))


def tell_json(run: Run) -> None:
    """Write all that is known so far as one JSON line on stdout."""
    sys.stdout.write(json.dumps(describe(run), separators=(",", ":")) + "\n")
    sys.stdout.flush()


def describe(run: Run) -> dict[str, Any]:
    """Return the state of a run: complete each time, a reader may miss some."""
    variants = [
        {
            "name": tally.variant.name,
            "points": tally.points(),
            "totals": {"service_ms": tally.service_ms},
        }
        for tally in run.tallies
    ]
    return {
        "event": "progress",
        "phase": run.phase,
        "variant": run.variant,
        "turn": run.turn + 1,
        "turns": len(run.turns),
        "elapsed_s": round(run.elapsed_s, 2),
        "run_time_s": run.plan.shape.run_time_s,
        "left_s": round(run.left_s, 1),
        "users": run.plan.shape.users,
        "model": run.plan.shape.model,
        "client": run.client,
        "variants": variants,
        "ideals": ideals(variants),
    }


class _Lines:
    """One line whenever a variant's turn begins: for logs."""

    def __init__(self) -> None:
        self._last: tuple[int, str] | None = None

    def __call__(self, run: Run) -> None:
        if run.phase == "loading" and self._last != (run.turn, run.phase):
            sys.stderr.write(f"{run.turn + 1} of {len(run.turns)}: {run.variant}\n")
            sys.stderr.flush()
        self._last = run.turn, run.phase


def _picture(run: Run) -> Group:
    shape = run.plan.shape
    done_s = run.turn * shape.run_time_s + run.elapsed_s
    head = Text.assemble(
        (f"{run.variant}  ", "bold"),
        f"{run.phase}, {run.turn + 1} of {len(run.turns)}, {shape.model} model, "
        f"about {run.left_s:.0f} s left  ",
        ("Ctrl-C ends it with a report", "dim"),
    )
    table = Table(box=None, pad_edge=False)
    table.add_column("variant")
    for name in (
        "users",
        "req/s",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "failures",
        "generator",
    ):
        table.add_column(name, justify="right")
    for tally in run.tallies:
        points = tally.points()
        if not points:
            table.add_row(tally.variant.name, *["–"] * 7, style="dim")
            continue
        last = points[-1]
        failures = sum(point["failures"] for point in points)
        table.add_row(
            tally.variant.name,
            f"{last['users']:.0f}",
            f"{last['rps']:,.1f}",
            *(_ms(last[name]) for name in ("p50_ms", "p95_ms", "p99_ms")),
            Text(f"{failures:,}", style="red" if failures else ""),
            Text(
                f"{last['generator_busy']:.0%}",
                style="yellow" if last["generator_limited"] else "",
            ),
        )
    bar = ProgressBar(
        total=shape.run_time_s * len(run.turns), completed=done_s, width=72
    )
    return Group(head, bar, table)


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:,.1f}"
