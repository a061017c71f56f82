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
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from dashboard import __version__
from dashboard.errors import DashboardError, SettingsError
from dashboard.server.settings import (
    Settings,
    count_argument,
    parse_target,
    port_argument,
    stall_argument,
)

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence
    from types import FrameType

    from dashboard.server.program import Program

EXIT_USAGE = 2
#: What uvicorn uses when a server cannot start.
EXIT_START_FAILED = 3
EXIT_INTERRUPTED = 130
#: Who waits longer than this for an end wants to know for what.
PATIENCE_S = 0.7


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return the exit code."""
    # Polite ends are all alike: what is open gets closed, the exit code is 0.
    signal.signal(signal.SIGTERM, _leave)
    try:
        settings = Settings.from_env()
        own, extra = _split(sys.argv[1:] if argv is None else argv)
        parser = _parser(settings)
        options = parser.parse_args(own)
        settings = replace(
            settings,
            host=options.host,
            port=options.port,
            demo_port=options.demo_port,
            stall_ms=options.stall_ms,
            dumps=options.dumps,
            demo=options.demo and options.command is None,
            allow_hosts=(*settings.allow_hosts, *options.allow_host),
            stories=tuple(options.stories or ()) or settings.stories,
        )
        if settings.is_open_to_others and not settings.token:
            settings = replace(settings, token=_new_token())
        if options.log_stalls:
            _show_stalls()
        if options.command == "run":
            return _run(settings, options, extra)
        if extra:
            parser.error("only `loopscope run` takes something after --")
        return _serve(settings, open_browser=options.open)
    except SettingsError as error:
        print(f"loopscope: {error}", file=sys.stderr)
        return EXIT_USAGE
    except DashboardError as error:
        print(f"loopscope: {error}", file=sys.stderr)
        return EXIT_START_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _split(argv: Sequence[str]) -> tuple[list[str], list[str] | None]:
    """Return our own flags, and what stands after `--`, if that is there."""
    words = list(argv)
    if "--" not in words:
        return words, None
    at = words.index("--")
    return words[:at], words[at + 1 :]


def _run(
    settings: Settings, options: argparse.Namespace, extra: list[str] | None
) -> int:
    """Start the user's app under uvicorn, recorded, and show it."""
    from pathlib import Path

    from dashboard.server import ports, program
    from dashboard.server.folders import make_session_folder

    target = parse_target(options.target)
    _need_two_ports(settings.port, options.app_port, flag="--app-port")
    environ = program.app_environ(target, factory=options.factory, loop=options.loop)
    sockets = _listen_or_none(settings.host, settings.port, flag="--port")
    trial = sockets and _listen_or_none(
        options.app_host, options.app_port, flag="--app-port", host_flag="--app-host"
    )
    if not sockets or not trial:
        return EXIT_START_FAILED
    port = ports.port_of(trial)
    ports.close(trial)
    if options.workers > 1 or options.reload:
        code = program.try_app(environ)
        if code:
            return code
    command = program.uvicorn_command(
        host=options.app_host,
        port=port,
        workers=options.workers,
        reload=options.reload,
        extra=extra or (),
    )
    with make_session_folder() as folder:
        # Of its own, also where LOOPSCOPE_DIR is set: the page shows this app alone.
        ring_dir = Path(folder)

        def start(on_end: Callable[[int], None]) -> Program:
            return program.Program(
                command, environ=environ, ring_dir=ring_dir, on_end=on_end
            )

        return _serve(
            replace(settings, ring_dir=ring_dir),
            open_browser=options.open,
            sockets=sockets,
            start_program=start,
            lines=[f"your app     {ports.url(options.app_host, port)}  ({target})"],
        )


def _serve(
    settings: Settings,
    *,
    open_browser: bool,
    sockets: list[socket.socket] | None = None,
    start_program: Callable[[Callable[[int], None]], Program] | None = None,
    lines: Sequence[str] = (),
) -> int:
    """Serve the page until somebody stops us; the program's end may be one reason."""
    from dashboard.server import ports

    sockets = sockets or _listen_or_none(settings.host, settings.port, flag="--port")
    if sockets is None:
        return EXIT_START_FAILED
    settings = replace(settings, port=ports.port_of(sockets))
    if settings.demo:
        _need_two_ports(settings.port, settings.demo_port, flag="--demo-port")
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
    _announce(settings, lines)
    if open_browser:
        url = _presenter_url(settings)
        threading.Thread(target=_open_when_up, args=[url], daemon=True).start()
    program: Program | None = None
    codes: list[int] = []

    class Server(uvicorn.Server):
        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            # Ending takes half a second; an impatient second Ctrl-C would only
            # turn it into a traceback and leave files behind.
            if not self.should_exit:
                super().handle_exit(sig, frame)
                if program is not None:
                    program.signal(sig)
            elif program is not None:
                program.kill()

    server = Server(config)

    def ended(code: int) -> None:
        # A program that failed has told why; of one that ran, the page still tells.
        if code > 0:
            codes.append(code)
            server.should_exit = True
        else:
            how = f"killed by signal {-code}" if code else "exit code 0"
            print(f"loopscope: it has ended ({how}); Ctrl-C ends the page", flush=True)

    try:
        if start_program is not None:
            program = start_program(ended)
        # In the main thread, where signals arrive: sse-starlette listens, too.
        server.run(sockets)
    finally:
        if program is not None:
            if not program.wait(PATIENCE_S):
                print("waiting for your app to end; Ctrl-C ends it now", flush=True)
            program.stop()
    if codes:
        return codes[0]
    return 0 if server.started else EXIT_START_FAILED


def _need_two_ports(port: int, other: int, *, flag: str) -> None:
    """Raise `SettingsError` when the page and the app would have the same port."""
    if port == other != 0:
        raise SettingsError(
            f"--port and {flag} are both {port}, but each needs one of its own"
        )


def _listen_or_none(
    host: str, port: int, *, flag: str, host_flag: str = "--host"
) -> list[socket.socket] | None:
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
            problem = f"cannot listen on {host} ({error.strerror}); choose another with {host_flag}"
        print(f"loopscope: {problem}", file=sys.stderr)
        return None


def _announce(settings: Settings, lines: Sequence[str]) -> None:
    from dashboard.server import ports

    print(f"Loopscope    {ports.url(settings.host, settings.port)}")
    if settings.is_open_to_others:
        print(f"to present   {_presenter_url(settings)}  (others may only watch)")
    for line in lines:
        print(line)
    if settings.demo:
        demo = ports.url("127.0.0.1", settings.demo_port)
        print(f"demo app     {demo}")
        print(f"try          curl '{demo}/blocking?seconds=2'")
    elif not lines:
        print("showing every recorded process of this user")
    print("stop         Ctrl-C", flush=True)


def _presenter_url(settings: Settings) -> str:
    from dashboard.server import ports

    url = ports.url(settings.host, settings.port)
    return f"{url}/?token={settings.token}" if settings.is_open_to_others else url


def _new_token() -> str:
    import secrets

    return secrets.token_urlsafe(16)


def _open_when_up(url: str) -> None:
    import http.client
    import webbrowser
    from urllib.parse import urlsplit

    # One request that waits for its answer, so that nobody has to poll.
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    try:
        connection.request("GET", "/healthz")
        connection.getresponse()
    except OSError:
        return  # It ended before it was up, and has said why.
    finally:
        connection.close()
    webbrowser.open(url)


def _show_stalls() -> None:
    """Show on the console what the dashboard logs of each stall."""
    import logging

    console = logging.StreamHandler()
    console.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    stalls = logging.getLogger("loopscope.stalls")
    stalls.addHandler(console)
    stalls.setLevel(logging.INFO)


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
        stall_ms=defaults.stall_ms,
        dumps=defaults.dumps,
        open=False,
        log_stalls=False,
        allow_host=[],
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
    _add_server_flags(watch)
    _add_run(commands)
    return parser


def _add_run(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
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
        type=port_argument,
        metavar="PORT",
        default=8001,
        help="port of your app, 0 for any free one (default 8001)",
    )
    run.add_argument(
        "--app-host",
        metavar="HOST",
        default="127.0.0.1",
        help="address of your app (default 127.0.0.1)",
    )
    run.add_argument(
        "--workers", type=count_argument, default=1, help="processes (default 1)"
    )
    run.add_argument(
        "--reload", action="store_true", help="restart when a file changes"
    )
    run.add_argument(
        "--loop",
        choices=["auto", "asyncio", "uvloop"],
        default="auto",
        help="kind of event loop (default auto: uvloop if it is installed)",
    )
    run.add_argument(
        "--factory", action="store_true", help="APP is a function that makes the app"
    )
    _add_server_flags(run)


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
        "--stall-ms",
        type=stall_argument,
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


if __name__ == "__main__":
    sys.exit(main())
