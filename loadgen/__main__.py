"""The command line: `python -m loadgen run|compare|seeds`.

Exit codes: 0 done, 2 the flags make no sense, 3 something did not start, 99 a
condition of `--fail` does not hold, 130 interrupted (with the report so far).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from dashboard import __version__
from loadgen.errors import LoadError, UsageError
from loadgen.plan import (
    CLIENTS,
    USERS_PER_PROCESS,
    Plan,
    Shape,
    Target,
    Variant,
    checked,
    parse_rate,
    usual_processes,
)
from loadgen.thresholds import parse_threshold
from loadgen.units import parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from loadgen.run import Run

EXIT_USAGE = 2
EXIT_START_FAILED = 3
EXIT_THRESHOLD = 99
EXIT_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code."""
    try:
        options = _parser().parse_args(argv)
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


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; --help shows what there is")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m loadgen",
        description="Send load, and draw throughput against users.",
        epilog="Exit codes: 0 done, 2 usage, 3 nothing could start, 99 a --fail "
        "condition does not hold, 130 interrupted (with a report).",
    )
    parser.add_argument("--version", action="version", version=f"loadgen {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    run = commands.add_parser(
        "run",
        help="load one address, or several at once",
        description="Load addresses.",
    )
    run.add_argument("urls", nargs="+", metavar="URL")
    run.add_argument(
        "--mix",
        type=_typed(_weights),
        metavar="W,W…",
        help="how often each URL is asked for, such as 3,1 (default: alike)",
    )
    _add_flags(run, users=10, spawn_rate=1.0, run_time="30s", repeat=1)
    compare = commands.add_parser(
        "compare",
        help="load addresses one after the other, on one chart",
        description="Load addresses one after the other: there, back, and again.",
    )
    compare.add_argument("urls", nargs="+", metavar="URL")
    compare.add_argument(
        "--names", type=_names, metavar="N,N…", help="what to call each on the chart"
    )
    compare.add_argument(
        "--colours",
        type=_typed(_colours),
        metavar="N,N…",
        help="which colour each has in the HTML file, of 0 to 4 (default: in order)",
    )
    _add_flags(compare, users=10, spawn_rate=1.0, run_time="30s", repeat=2)
    seeds = commands.add_parser(
        "seeds",
        help="the article's experiment: /hello and four ways to write a file",
        description="100 users, one more each second, on /hello and one of four writes.",
    )
    seeds.add_argument(
        "--target", metavar="URL", help="a demo app that runs (default: start one)"
    )
    seeds.add_argument(
        "--variants",
        type=_names,
        default=[],
        metavar="N,N…",
        help="only some, such as write,write_bad",
    )
    seeds.add_argument(
        "--num-chars",
        type=int,
        default=8_000_000,
        metavar="N",
        help="bytes that each write flushes to the disk (default %(default)s)",
    )
    seeds.add_argument(
        "--no-flush",
        dest="flush",
        action="store_false",
        help="leave them in the system's memory, as a plain write does",
    )
    _add_flags(seeds, users=100, spawn_rate=1.0, run_time="120s", repeat=1)
    return parser


def _add_flags(
    parser: argparse.ArgumentParser,
    *,
    users: int,
    spawn_rate: float,
    run_time: str,
    repeat: int,
) -> None:
    add = parser.add_argument
    add(
        "-u",
        "--users",
        type=int,
        default=users,
        metavar="N",
        help="users at the height (default %(default)s); with --rate the most connections",
    )
    add(
        "-r",
        "--spawn-rate",
        type=float,
        default=spawn_rate,
        metavar="N",
        help="users that come each second (default %(default)g)",
    )
    add(
        "-t",
        "--run-time",
        type=_typed(parse_duration),
        default=run_time,
        metavar="TIME",
        help="how long, the coming included: 90, 1m30s (default %(default)s)",
    )
    add(
        "--rate",
        type=_typed(parse_rate),
        metavar="R",
        help="open model: start so many requests a second, 500 or rising 10..500",
    )
    add(
        "--repeat",
        type=int,
        default=repeat,
        metavar="N",
        help="measure each variant so many times, in turns (default %(default)s)",
    )
    add(
        "--warm-up",
        type=_typed(parse_duration),
        default="1s",
        metavar="TIME",
        help="load before it counts (default %(default)s)",
    )
    add(
        "--timeout",
        type=_typed(parse_duration),
        default="30s",
        metavar="TIME",
        help="an answer later than this is a failure (default %(default)s)",
    )
    add(
        "--client",
        choices=CLIENTS,
        default="httpx",
        help="httpx's own transport, or a fast one with a fifth of the computing (default %(default)s)",
    )
    add(
        "--processes",
        type=int,
        metavar="N",
        help="share the users among so many generator processes "
        f"(default: one per {USERS_PER_PROCESS} users, at most one per core)",
    )
    add(
        "--loop",
        choices=["auto", "asyncio", "uvloop"],
        default="auto",
        help="event loop of the generator (default: uvloop if installed)",
    )
    add(
        "--seed",
        type=int,
        default=1,
        metavar="N",
        help="of the random choice among several URLs",
    )
    add(
        "--fail",
        action="append",
        default=[],
        metavar="COND",
        help="exit with 99 unless this holds: 'p95<200ms', 'rps>=500', 'failures<1%%'",
    )
    add("--json", metavar="FILE", help="write the whole report; - is stdout")
    add("--csv", metavar="FILE", help="write the points as a table")
    add(
        "--html",
        metavar="FILE",
        help="write one file with the chart, to open or to send",
    )
    add(
        "--json-lines",
        action="store_true",
        help="tell progress and report as JSON lines on stdout",
    )
    add("-q", "--quiet", action="store_true", help="show no progress")
    add(
        "--allow-remote",
        action="store_true",
        help="load another machine: only one that you may load",
    )
    add("--insecure", action="store_true", help="do not check TLS certificates")


def _typed(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Let argparse show our sentence rather than the function's name."""

    def convert(text: str) -> Any:
        try:
            return read(text)
        except UsageError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return convert


def _weights(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise UsageError(f"weights look like 3,1, got {text[:40]!r}") from None


def _colours(text: str) -> list[int]:
    numbers = [int(part) if part.isdecimal() else -1 for part in text.split(",")]
    if not all(0 <= number <= 4 for number in numbers):
        raise UsageError(
            f"colours look like 3,0,1, each from 0 to 4, got {text[:40]!r}"
        )
    return numbers


def _names(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]


if __name__ == "__main__":
    sys.exit(main())
