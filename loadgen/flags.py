"""The flags of every command: what each is called, takes and is worth if nobody says.

Light, so that `--help` answers at once.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, NoReturn

from dashboard import __version__
from loadgen.errors import UsageError
from loadgen.plan import CLIENTS, USERS_PER_PROCESS, parse_rate
from loadgen.units import parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; --help shows what there is")


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; what it cannot read is a `UsageError`."""
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
