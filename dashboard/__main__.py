"""The command line: `loopscope`, also `python -m dashboard`.

Decides what to start and says what went wrong in one sentence. Everything heavy
is imported after the flags have been read, so that `--help` answers at once.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

from dashboard import __version__
from dashboard.errors import DashboardError, SettingsError
from dashboard.server.settings import Settings, port_argument

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence
    from types import FrameType

EXIT_USAGE = 2
#: What uvicorn uses when a server cannot start.
EXIT_START_FAILED = 3
EXIT_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code."""
    # Polite ends are all alike: what is open gets closed, the exit code is 0.
    signal.signal(signal.SIGTERM, _leave)
    try:
        settings = Settings.from_env()
        options = _parser(settings).parse_args(argv)
        settings = replace(
            settings,
            host=options.host,
            port=options.port,
            demo_port=options.demo_port,
            demo=options.demo and options.command != "watch",
        )
        return _serve(settings, open_browser=options.open)
    except SettingsError as error:
        print(f"loopscope: {error}", file=sys.stderr)
        return EXIT_USAGE
    except DashboardError as error:
        print(f"loopscope: {error}", file=sys.stderr)
        return EXIT_START_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _serve(settings: Settings, *, open_browser: bool) -> int:
    from dashboard.server import ports

    sockets = _listen_or_none(settings.host, settings.port, flag="--port")
    if sockets is None:
        return EXIT_START_FAILED
    settings = replace(settings, port=ports.port_of(sockets))
    if settings.demo:
        # Tried while we hold ours, so that both cannot be the same.
        trial = _listen_or_none(settings.host, settings.demo_port, flag="--demo-port")
        if trial is None:
            return EXIT_START_FAILED
        settings = replace(settings, demo_port=ports.port_of(trial))
        ports.close(trial)

    import uvicorn

    from dashboard.app import create_app

    config = uvicorn.Config(
        create_app(settings),
        http="httptools",
        log_level="warning",
        access_log=False,
        # Streams end by themselves; this is for a viewer that does not let go.
        timeout_graceful_shutdown=1,
    )
    # From here on a browser can connect, and waits until the server answers.
    _announce(settings)
    if open_browser:
        url = ports.url(settings.host, settings.port)
        threading.Thread(target=_open_when_up, args=[url], daemon=True).start()

    class Server(uvicorn.Server):
        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            # Ending takes half a second; an impatient second Ctrl-C would only
            # turn it into a traceback and leave files behind.
            if not self.should_exit:
                super().handle_exit(sig, frame)

    server = Server(config)
    # In the main thread, where signals arrive: sse-starlette listens for them too.
    server.run(sockets)
    return 0 if server.started else EXIT_START_FAILED


def _listen_or_none(host: str, port: int, *, flag: str) -> list[socket.socket] | None:
    import errno

    from dashboard.server import ports

    try:
        return ports.listen(host, port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            problem = f"port {port} on {host} is in use; choose another with {flag}"
        elif error.errno == errno.EACCES:
            problem = f"port {port} on {host} is not allowed; choose one above 1023 with {flag}"
        else:
            problem = f"cannot listen on {host} ({error.strerror}); choose another with --host"
        print(f"loopscope: {problem}", file=sys.stderr)
        return None


def _announce(settings: Settings) -> None:
    from dashboard.server import ports

    print(f"Loopscope    {ports.url(settings.host, settings.port)}")
    if settings.demo:
        demo = ports.url(settings.host, settings.demo_port)
        print(f"demo app     {demo}")
        print(f"try          curl '{demo}/blocking?seconds=2'")
    else:
        print("showing every recorded process of this user")
    print("stop         Ctrl-C", flush=True)


def _open_when_up(url: str) -> None:
    import http.client
    import webbrowser

    # One request that waits for its answer, so that nobody has to poll.
    connection = http.client.HTTPConnection(url.removeprefix("http://"))
    try:
        connection.request("GET", "/healthz")
        connection.getresponse()
    except OSError:
        return  # It ended before it was up, and has said why.
    finally:
        connection.close()
    webbrowser.open(url)


def _leave(signal_number: int, frame: object) -> NoReturn:
    sys.exit(0)


def _parser(defaults: Settings) -> argparse.ArgumentParser:
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
        open=False,
    )
    _add_server_flags(parser)
    parser.add_argument(
        "--demo-port",
        type=port_argument,
        metavar="PORT",
        default=argparse.SUPPRESS,
        help="port of the demo app, 0 for any free one (default 8001)",
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
    _add_server_flags(watch)
    return parser


def _add_server_flags(parser: argparse.ArgumentParser) -> None:
    # No defaults here: those of a command would overwrite flags given before it.
    parser.add_argument(
        "--host",
        default=argparse.SUPPRESS,
        help="address to listen on (default 127.0.0.1: this machine only)",
    )
    parser.add_argument(
        "--port",
        type=port_argument,
        metavar="PORT",
        default=argparse.SUPPRESS,
        help="port of the page, 0 for any free one (default 8000)",
    )
    parser.add_argument(
        "--open",
        action="store_true",
        default=argparse.SUPPRESS,
        help="open the page in a browser",
    )


if __name__ == "__main__":
    sys.exit(main())
