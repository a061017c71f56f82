"""The command line: `python -m loadgen run|compare|seeds`.

Exit codes: 0 done, 2 the flags make no sense, 3 something did not start, 99 a
condition of `--fail` does not hold, 130 interrupted (with the report so far).
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loadgen.errors import LoadError, UsageError
from loadgen.flags import make_parser
from loadgen.plan import (
    Plan,
    Shape,
    Target,
    Variant,
    checked,
    usual_processes,
)
from loadgen.thresholds import parse_threshold

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from loadgen.run import Run

EXIT_USAGE = 2
EXIT_START_FAILED = 3
EXIT_THRESHOLD = 99
EXIT_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code."""
    try:
        options = make_parser().parse_args(argv)
        return _carry_out(options)
    except UsageError as error:
        return _complain(error, EXIT_USAGE)
    except LoadError as error:
        return _complain(error, EXIT_START_FAILED)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _complain(error: LoadError, code: int) -> int:
    print(f"loadgen: {error}", file=sys.stderr)
    return code


def _carry_out(options: argparse.Namespace) -> int:
    thresholds = [parse_threshold(text) for text in options.fail]
    for path in (options.json, options.csv, options.html):
        if path not in (None, "-") and not Path(path).absolute().parent.is_dir():
            raise UsageError(f"there is no folder for {path}")
    with ExitStack() as stack:
        variants = _variants(options, stack)
        plan = checked(_plan(options, variants), allow_remote=options.allow_remote)
        # Heavy from here on: what is wrong with the flags has been said.
        from loadgen import seeds
        from loadgen.environment import describe_environment
        from loadgen.progress import show_progress, tell_json
        from loadgen.report import make_report

        is_seeds = options.command == "seeds"
        if is_seeds:
            seeds.check_offers(_base(variants[0]), variants)
        environment = describe_environment()
        tell: Callable[[Run], None] = tell_json
        if not options.json_lines:
            tell = stack.enter_context(show_progress(quiet=options.quiet))
        run = asyncio.run(_run(plan, tell, verify=not options.insecure))
    published = seeds.PUBLISHED if is_seeds else None
    report = make_report(run, environment, thresholds, published)
    _write(options, report)
    if run.phase == "stopped":
        return EXIT_INTERRUPTED
    holds = all(verdict["holds"] for verdict in report["verdicts"])
    return 0 if holds else EXIT_THRESHOLD


async def _run(plan: Plan, tell: Callable[[Run], None], *, verify: bool) -> Run:
    from loadgen.run import carry_out

    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    return await carry_out(plan, stopping=stopping, tell=tell, verify=verify)


def _variants(options: argparse.Namespace, stack: ExitStack) -> tuple[Variant, ...]:
    """Return what is to be measured; for `seeds` with a demo app that runs."""
    if options.command == "seeds":
        from loadgen import seeds

        seeds.variants("", options.variants)  # to complain before anything starts
        checked(_plan(options, (Variant("", (Target("http://localhost"),)),)))
        base = options.target or stack.enter_context(seeds.demo_app())
        base = base.rstrip("/")
        return seeds.variants(
            base, options.variants, num_chars=options.num_chars, flush=options.flush
        )
    if options.command == "compare":
        names = options.names or [_short(url) for url in options.urls]
        if len(names) != len(options.urls) or len(set(names)) != len(names):
            raise UsageError(
                f"{len(options.urls)} addresses need as many different names, "
                f"got {', '.join(names)[:80]}"
            )
        if options.colours and len(options.colours) != len(options.urls):
            raise UsageError(
                f"{len(options.urls)} addresses need as many colours, "
                f"got {len(options.colours)}"
            )
        return tuple(
            Variant(name, (Target(url),))
            for name, url in zip(names, options.urls, strict=True)
        )
    weights = options.mix or [1.0] * len(options.urls)
    if len(weights) != len(options.urls):
        raise UsageError(
            f"--mix needs a weight for each address: {len(options.urls)}, "
            f"got {len(weights)}"
        )
    targets = zip(options.urls, weights, strict=True)
    return (Variant("run", tuple(Target(url, weight) for url, weight in targets)),)


def _short(url: str) -> str:
    """Name a target by what follows the host."""
    return "/" + url.partition("//")[2].partition("/")[2]


def _base(variant: Variant) -> str:
    return variant.targets[0].url.rpartition("/")[0]


def _plan(options: argparse.Namespace, variants: tuple[Variant, ...]) -> Plan:
    shape = Shape(
        users=options.users,
        spawn_rate=options.spawn_rate,
        run_time_s=options.run_time,
        rate=options.rate,
        warm_up_s=options.warm_up,
        timeout_s=options.timeout,
    )
    return Plan(
        variants,
        shape,
        repeats=options.repeat,
        processes=(
            usual_processes(options.users, os.cpu_count() or 1)
            if options.processes is None
            else options.processes
        ),
        client=options.client,
        loop=options.loop,
        seed=options.seed,
    )


def _write(options: argparse.Namespace, report: dict[str, Any]) -> None:
    from loadgen.document import COLOURS, to_html
    from loadgen.report import to_csv, to_json, to_text

    makers: dict[str, Callable[[], str]] = {
        "json": lambda: to_json(report),
        "csv": lambda: to_csv(report),
        "html": lambda: to_html(
            report, _title(options), getattr(options, "colours", None) or range(COLOURS)
        ),
    }
    shown = False
    for kind, make in makers.items():
        path = getattr(options, kind)
        if path == "-":
            sys.stdout.write(make())
            shown = True
        elif path is not None:
            # CSV's own line ends must stay as they are.
            Path(path).write_text(make(), encoding="utf-8", newline="")
    if options.json_lines:
        line = json.dumps({"event": "report", "report": report}, separators=(",", ":"))
        print(line, flush=True)
    elif not shown:
        sys.stdout.write(to_text(report))


def _title(options: argparse.Namespace) -> str:
    if options.command == "seeds":
        return "Four ways to write a file: throughput against users"
    return f"Throughput against users: {', '.join(map(_short, options.urls))}"


if __name__ == "__main__":
    sys.exit(main())
