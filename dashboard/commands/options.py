"""The flags that several commands share, by what they are about.

Each may be given once, before or after the command. Standard library and settings
alone, so that `--help` answers at once.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from dashboard.errors import SettingsError
from dashboard.server.settings import (
    parse_collector,
    parse_count,
    parse_port,
    parse_stall_ms,
)

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


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


class Options:
    """Adds flags to the parsers of one command line, which share what was given."""

    def __init__(self) -> None:
        self._given: set[str] = set()

    def once(
        self,
        parser: argparse.ArgumentParser,
        *names: str,
        parse: Callable[[str], Any] = str,
        **more: Any,
    ) -> None:
        """Add a flag with a value."""
        # No default here: a command's would overwrite what was given before it.
        more.setdefault("default", argparse.SUPPRESS)
        parser.add_argument(
            *names, action=Once, given=self._given, type=argument(parse), **more
        )

    def switch(
        self,
        parser: argparse.ArgumentParser,
        name: str,
        *,
        on: bool = True,
        **more: Any,
    ) -> None:
        """Add a flag without one."""
        action = "store_true" if on else "store_false"
        more.setdefault("default", argparse.SUPPRESS)
        parser.add_argument(name, action=action, **more)

    def recording(self, parser: argparse.ArgumentParser) -> None:
        """Add the flags of whoever follows a recording."""
        self.once(
            parser,
            "--stall-ms",
            parse=parse_stall_ms,
            metavar="MS",
            help="how long a step lasts before it is a stall (default 100)",
        )
        self.switch(
            parser,
            "--no-dumps",
            on=False,
            dest="dumps",
            help="never ask a loop that C code holds for its stack by a signal",
        )

    def page(self, parser: argparse.ArgumentParser) -> None:
        """Add the flags of whoever shows the page: where, and who may see it."""
        self.once(
            parser,
            "--host",
            help="address to listen on (default 127.0.0.1: this machine only)",
        )
        self.once(
            parser,
            "--port",
            parse=parse_port,
            metavar="PORT",
            help="port of the page, 0 for any free one (default 8000)",
        )
        self.recording(parser)
        self._handing_on(parser)
        parser.add_argument(
            "--allow-host",
            action="append",
            metavar="NAME",
            default=argparse.SUPPRESS,
            help="another name of this machine in browsers; may be given again",
        )
        self.switch(parser, "--open", help="open the page in a browser")

    def _handing_on(self, parser: argparse.ArgumentParser) -> None:
        """Add where else it goes: a collector, a folder, the console."""
        self.once(
            parser,
            "--otlp",
            parse=parse_collector,
            metavar="URL",
            help="push the metrics to this OpenTelemetry collector, over HTTP",
        )
        self.once(
            parser,
            "--keep",
            parse=Path,
            metavar="FOLDER",
            help="keep 5 s around each long stall, slow request or mark there as recordings",
        )
        for what, default in (("stall", 200), ("request", 1000)):
            self.once(
                parser,
                f"--keep-{what}-ms",
                parse=parse_stall_ms,
                metavar="MS",
                help=f"how long a {what} must last for that (default {default})",
            )
        self.switch(
            parser,
            "--log-stalls",
            help="write a line to the console for each stall that is over",
        )

    def app(self, parser: argparse.ArgumentParser) -> None:
        """Add how the user's app is served."""
        self.once(
            parser,
            "--app-port",
            parse=parse_port,
            metavar="PORT",
            default=8001,
            help="port of your app, 0 for any free one (default 8001)",
        )
        self.once(
            parser,
            "--app-host",
            metavar="HOST",
            default="127.0.0.1",
            help="address of your app (default 127.0.0.1)",
        )
        self.once(
            parser,
            "--workers",
            parse=parse_count,
            default=1,
            help="processes (default 1)",
        )
        self.switch(
            parser, "--reload", default=False, help="restart when a file changes"
        )
        self.once(
            parser,
            "--loop",
            choices=["auto", "asyncio", "uvloop"],
            default="auto",
            help="kind of event loop (default auto: uvloop if it is installed)",
        )
        self.switch(
            parser,
            "--factory",
            default=False,
            help="APP is a function that makes the app",
        )
