"""The flags of every command, read into settings.

Light: the standard library and the settings, so that `--help` answers at once.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dashboard import __version__
from dashboard.commands.options import Options
from dashboard.errors import SettingsError
from dashboard.server.settings import Settings, parse_port

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Settings that a flag of the same name overrides.
GIVEN = (
    "host",
    "port",
    "demo_port",
    "stall_ms",
    "keep",
    "keep_stall_ms",
    "keep_request_ms",
    "dumps",
    "otlp",
)
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
    parsers = _Parsers(settings)
    options = parsers.parse(own)
    parser = parsers.of(options)
    if extra is not None and options.command not in ("run", "record"):
        parser.error("only `loopscope run` and `record` take something after --")
    for word in extra or () if options.command == "run" else ():
        flag = word.partition("=")[0]
        if flag in SAID_BEFORE:
            parser.error(f"{flag} after -- is what {SAID_BEFORE[flag]} before it says")
    settings = replace(
        settings,
        **{name: getattr(options, name) for name in GIVEN},
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


def _split(argv: Sequence[str]) -> tuple[list[str], list[str] | None]:
    """Return our own flags, and what stands after `--`, if that is there."""
    words = list(argv)
    if "--" not in words:
        return words, None
    at = words.index("--")
    return words[:at], words[at + 1 :]


class _Parsers:
    """The whole command line, and each command's own part of it."""

    def __init__(self, defaults: Settings) -> None:
        self._options = Options()
        self.whole = argparse.ArgumentParser(
            prog="loopscope",
            description="Show live what the event loop of a FastAPI app is doing.",
            epilog="Without a command: starts the demo app and shows it.",
        )
        self._add_whole(defaults)
        self._commands = self.whole.add_subparsers(dest="command", metavar="COMMAND")
        self._own: dict[str | None, argparse.ArgumentParser] = {None: self.whole}
        self._add_watch()
        self._add_run()
        self._add_record()
        self._add_open()
        self._add_compare()

    def parse(self, words: list[str]) -> argparse.Namespace:
        """Return what was given; exit with the command's own usage if that is wrong."""
        options, unknown = self.whole.parse_known_args(words)
        if unknown:
            self.of(options).error(f"unrecognized arguments: {' '.join(unknown)}")
        return options

    def of(self, options: argparse.Namespace) -> argparse.ArgumentParser:
        """Return the parser of the command that was given."""
        return self._own[options.command]

    def _add(self, name: str, **texts: Any) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = self._commands.add_parser(name, **texts)
        self._own[name] = parser
        return parser

    def _add_whole(self, defaults: Settings) -> None:
        parser, options = self.whole, self._options
        parser.add_argument(
            "--version", action="version", version=f"loopscope {__version__}"
        )
        parser.set_defaults(
            **{name: getattr(defaults, name) for name in GIVEN},
            demo=defaults.demo,
            open=False,
            log_stalls=False,
            allow_host=[],
        )
        options.page(parser)
        options.once(
            parser,
            "--demo-port",
            parse=parse_port,
            metavar="PORT",
            help="port of the demo app, 0 for any free one (default 8001)",
        )
        parser.add_argument(
            "--stories",
            type=Path,
            action="append",
            metavar="FILE",
            help="a Python file with stories of your own; may be given several times",
        )
        options.switch(
            parser,
            "--no-demo",
            on=False,
            dest="demo",
            help="do not start the demo app",
        )

    def _add_watch(self) -> None:
        watch = self._add(
            "watch",
            help="show every recorded process of this user, start nothing",
            description="Show every process of this user that is being recorded.",
        )
        self._options.page(watch)

    def _add_run(self) -> None:
        run = self._add(
            "run",
            help="start your app under uvicorn, recorded, and show it",
            usage="loopscope run MODULE:APP [flags] [-- flags of uvicorn]",
            description=(
                "Start an ASGI app under uvicorn, unchanged but recorded, and show it."
            ),
            epilog="Example: loopscope run main:app --reload -- --root-path /api",
        )
        run.add_argument("target", metavar="MODULE:APP", help="what uvicorn would get")
        self._options.app(run)
        self._options.page(run)

    def _add_record(self) -> None:
        record = self._add(
            "record",
            help="run a command and write what its loops do into a file",
            usage="loopscope record -o FILE [flags] -- COMMAND …",
            description="Run a Python program, unchanged, and record every loop of it.",
            epilog="Example: loopscope record -o shop.loopscope -- uvicorn main:app",
        )
        self._options.once(
            record,
            "-o",
            "--output",
            metavar="FILE",
            required=True,
            help="the file to write; it can be opened while it is being written",
        )
        self._options.recording(record)

    def _add_open(self) -> None:
        opening = self._add(
            "open",
            help="show a recording, or what a process that is gone has left",
            description="Show a recording, or the ring of a process, as it was.",
        )
        opening.add_argument("file", metavar="FILE", help="a recording or a ring")
        self._options.page(opening)

    def _add_compare(self) -> None:
        comparing = self._add(
            "compare",
            help="show two recordings on one axis, and what differs",
            description="Show two recordings, such as of before and after, on one axis.",
        )
        comparing.add_argument("one", metavar="BEFORE", help="a recording or a ring")
        comparing.add_argument("other", metavar="AFTER", help="the one beside it")
        self._options.page(comparing)
