"""The flags of every command, read into settings.

Light: the standard library and the settings, so that `--help` answers at once.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from dashboard import __version__
from dashboard.errors import SettingsError
from dashboard.server.settings import (
    Settings,
    parse_collector,
    parse_count,
    parse_port,
    parse_stall_ms,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")
#: Flags of uvicorn that we give it ourselves, and by which of ours.
SAID_BEFORE = {
    "--host": "--app-host",
    "--port": "--app-port",
    "--workers": "--workers",
    "--reload": "--reload",
    "--loop": "--loop",
    "--factory": "--factory",
}


def read_flags(
    argv: Sequence[str],
) -> tuple[Settings, argparse.Namespace, list[str]]:
    """Return the settings, what the command itself needs, and the words after `--`.

    Raises:
        SettingsError: flags or variables make no sense together.
        SystemExit: a flag makes no sense, or `--help` has been answered.
    """
    settings = Settings.from_env()
    own, extra = _split(argv)
    parser = _make_parser(settings)
    options = parser.parse_args(own)
    if extra is not None and options.command not in ("run", "record"):
        parser.error("only `loopscope run` and `record` take something after --")
    for word in extra or () if options.command == "run" else ():
        flag = word.partition("=")[0]
        if flag in SAID_BEFORE:
            parser.error(f"{flag} after -- is what {SAID_BEFORE[flag]} before it says")
    settings = replace(
        settings,
        host=options.host,
        port=options.port,
        demo_port=options.demo_port,
        stall_ms=options.stall_ms,
        keep=options.keep,
        keep_stall_ms=options.keep_stall_ms,
        keep_request_ms=options.keep_request_ms,
        dumps=options.dumps,
        otlp=options.otlp,
        demo=options.demo and options.command is None,
        allow_hosts=(*settings.allow_hosts, *options.allow_host),
        stories=tuple(options.stories or ()) or settings.stories,
    )
    for path in settings.stories:
        if not path.is_file():
            raise SettingsError(f"there is no file {str(path)!r} to read stories from")
    if settings.is_open_to_others and not settings.token:
        import secrets

        settings = replace(settings, token=secrets.token_urlsafe(16))
    return settings, options, extra or []


def argument(parse: Callable[[str], T]) -> Callable[[str], T]:
    """Make of what raises `SettingsError` what argparse shows as it is."""

    def parse_argument(text: str) -> T:
        try:
            return parse(text)
        except SettingsError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parse_argument


class Once(argparse.Action):
    """Keep the value of a flag that may be given once, before or after the command."""

    def __init__(self, *args: Any, given: set[str], **more: Any) -> None:
        super().__init__(*args, **more)
        self._given = given

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        """Keep it, or refuse the second."""
        if self.dest in self._given:
            raise argparse.ArgumentError(self, "given twice; give it once")
        self._given.add(self.dest)
        setattr(namespace, self.dest, values)


def _split(argv: Sequence[str]) -> tuple[list[str], list[str] | None]:
    """Return our own flags, and what stands after `--`, if that is there."""
    words = list(argv)
    if "--" not in words:
        return words, None
    at = words.index("--")
    return words[:at], words[at + 1 :]


def _make_parser(defaults: Settings) -> argparse.ArgumentParser:
    given: set[str] = set()
    parser = argparse.ArgumentParser(
        prog="loopscope",
        description="Show live what the event loop of a FastAPI app is doing.",
        epilog="Without a command: starts the demo app and shows it.",
    )
    parser.add_argument(
        "--version", action="version", version=f"loopscope {__version__}"
    )
    parser.set_defaults(
        host=defaults.host,
        port=defaults.port,
        demo_port=defaults.demo_port,
        demo=defaults.demo,
        stall_ms=defaults.stall_ms,
        keep=defaults.keep,
        keep_stall_ms=defaults.keep_stall_ms,
        keep_request_ms=defaults.keep_request_ms,
        dumps=defaults.dumps,
        otlp=defaults.otlp,
        open=False,
        log_stalls=False,
        allow_host=[],
    )
    _add_server_flags(parser, given)
    parser.add_argument(
        "--demo-port",
        action=Once,
        given=given,
        type=argument(parse_port),
        metavar="PORT",
        default=argparse.SUPPRESS,
        help="port of the demo app, 0 for any free one (default 8001)",
    )
    parser.add_argument(
        "--stories",
        type=Path,
        action="append",
        metavar="FILE",
        help="a Python file with stories of your own; may be given several times",
    )
    parser.add_argument(
        "--no-demo",
        dest="demo",
        action="store_false",
        default=argparse.SUPPRESS,
        help="do not start the demo app",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    watch = commands.add_parser(
        "watch",
        help="show every recorded process of this user, start nothing",
        description="Show every process of this user that is being recorded.",
    )
    _add_server_flags(watch, given)
    _add_run(commands, given)
    _add_record(commands, given)
    opening = commands.add_parser(
        "open",
        help="show a recording, or what a process that is gone has left",
        description="Show a recording, or the ring of a process, as it was.",
    )
    opening.add_argument("file", metavar="FILE", help="a recording or a ring")
    _add_server_flags(opening, given)
    comparing = commands.add_parser(
        "compare",
        help="show two recordings on one axis, and what differs",
        description="Show two recordings, such as of before and after, on one axis.",
    )
    comparing.add_argument("one", metavar="BEFORE", help="a recording or a ring")
    comparing.add_argument("other", metavar="AFTER", help="the one beside it")
    _add_server_flags(comparing, given)
    return parser


def _add_record(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], given: set[str]
) -> None:
    record = commands.add_parser(
        "record",
        help="run a command and write what its loops do into a file",
        usage="loopscope record -o FILE [flags] -- COMMAND …",
        description="Run a Python program, unchanged, and record every loop of it.",
        epilog="Example: loopscope record -o shop.loopscope -- uvicorn main:app",
    )
    record.add_argument(
        "-o",
        "--output",
        action=Once,
        given=given,
        metavar="FILE",
        required=True,
        help="the file to write; it can be opened while it is being written",
    )
    _add_recording_flags(record, given)


def _add_run(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], given: set[str]
) -> None:
    run = commands.add_parser(
        "run",
        help="start your app under uvicorn, recorded, and show it",
        usage="loopscope run MODULE:APP [flags] [-- flags of uvicorn]",
        description="Start an ASGI app under uvicorn, unchanged but recorded, and show it.",
        epilog="Example: loopscope run main:app --reload -- --root-path /api",
    )
    run.add_argument("target", metavar="MODULE:APP", help="what uvicorn would get")
    run.add_argument(
        "--app-port",
        action=Once,
        given=given,
        type=argument(parse_port),
        metavar="PORT",
        default=8001,
        help="port of your app, 0 for any free one (default 8001)",
    )
    run.add_argument(
        "--app-host",
        action=Once,
        given=given,
        metavar="HOST",
        default="127.0.0.1",
        help="address of your app (default 127.0.0.1)",
    )
    run.add_argument(
        "--workers",
        action=Once,
        given=given,
        type=argument(parse_count),
        default=1,
        help="processes (default 1)",
    )
    run.add_argument(
        "--reload", action="store_true", help="restart when a file changes"
    )
    run.add_argument(
        "--loop",
        action=Once,
        given=given,
        choices=["auto", "asyncio", "uvloop"],
        default="auto",
        help="kind of event loop (default auto: uvloop if it is installed)",
    )
    run.add_argument(
        "--factory", action="store_true", help="APP is a function that makes the app"
    )
    _add_server_flags(run, given)


def _add_server_flags(parser: argparse.ArgumentParser, given: set[str]) -> None:
    """Add the flags of the page; `given` is shared by the parsers of one command line."""
    # No defaults here: those of a command would overwrite flags given before it.
    parser.add_argument(
        "--host",
        action=Once,
        given=given,
        default=argparse.SUPPRESS,
        help="address to listen on (default 127.0.0.1: this machine only)",
    )
    parser.add_argument(
        "--port",
        action=Once,
        given=given,
        type=argument(parse_port),
        metavar="PORT",
        default=argparse.SUPPRESS,
        help="port of the page, 0 for any free one (default 8000)",
    )
    _add_recording_flags(parser, given)
    parser.add_argument(
        "--otlp",
        action=Once,
        given=given,
        type=argument(parse_collector),
        metavar="URL",
        default=argparse.SUPPRESS,
        help="push the metrics to this OpenTelemetry collector, over HTTP",
    )
    parser.add_argument(
        "--keep",
        action=Once,
        given=given,
        type=Path,
        metavar="FOLDER",
        default=argparse.SUPPRESS,
        help="keep 5 s around each long stall, slow request or mark there as recordings",
    )
    for what, default in (("stall", 200), ("request", 1000)):
        parser.add_argument(
            f"--keep-{what}-ms",
            action=Once,
            given=given,
            type=argument(parse_stall_ms),
            metavar="MS",
            default=argparse.SUPPRESS,
            help=f"how long a {what} must last for that (default {default})",
        )
    parser.add_argument(
        "--log-stalls",
        action="store_true",
        default=argparse.SUPPRESS,
        help="write a line to the console for each stall that is over",
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        metavar="NAME",
        default=argparse.SUPPRESS,
        help="another name of this machine in browsers; may be given again",
    )
    parser.add_argument(
        "--open",
        action="store_true",
        default=argparse.SUPPRESS,
        help="open the page in a browser",
    )


def _add_recording_flags(parser: argparse.ArgumentParser, given: set[str]) -> None:
    """Add the flags of whoever follows a recording."""
    parser.add_argument(
        "--stall-ms",
        action=Once,
        given=given,
        type=argument(parse_stall_ms),
        metavar="MS",
        default=argparse.SUPPRESS,
        help="how long a step lasts before it is a stall (default 100)",
    )
    parser.add_argument(
        "--no-dumps",
        dest="dumps",
        action="store_false",
        default=argparse.SUPPRESS,
        help="never ask a loop that C code holds for its stack by a signal",
    )
