"""Serve the page until somebody stops it, alone or beside a program."""

from __future__ import annotations

import errno
import gc
import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from dashboard.errors import SettingsError
from dashboard.server.programs import ports

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence
    from types import FrameType

    from dashboard.server.programs.program import Program
    from dashboard.server.recordings.opening import Opened
    from dashboard.server.settings import Settings

#: What uvicorn uses when a server cannot start.
EXIT_START_FAILED = 3
#: Who waits longer than this for an end wants to know for what.
PATIENCE_S = 0.7


def serve(
    settings: Settings,
    *,
    open_browser: bool,
    sockets: list[socket.socket] | None = None,
    start_program: Callable[[Callable[[int], None]], Program] | None = None,
    lines: Sequence[str] = (),
    opened: Opened | None = None,
    beside: Opened | None = None,
) -> int:
    """Serve the page until somebody stops us; the program's end may be one reason."""
    sockets = sockets or listen_or_none(settings.host, settings.port, flag="--port")
    if sockets is None:
        return EXIT_START_FAILED
    settings = replace(settings, port=ports.port_of(sockets))
    if settings.demo:
        need_two_ports(settings.port, settings.demo_port, flag="--demo-port")
        # Tried while we hold ours, so that both cannot be the same.
        trial = listen_or_none(settings.host, settings.demo_port, flag="--demo-port")
        if trial is None:
            return EXIT_START_FAILED
        settings = replace(settings, demo_port=ports.port_of(trial))
        ports.close(trial)

    # Modules are no garbage: to look through them again and again takes its time.
    gc.disable()
    try:
        import uvicorn

        from dashboard.app import create_app

        app = create_app(settings, opened, beside)
    finally:
        gc.enable()
    config = uvicorn.Config(
        app,
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

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            # At once; sse-starlette, which ends them elsewhere, looks twice a second.
            app.state.dashboard.let_go()
            await super().shutdown(sockets)

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


def need_two_ports(port: int, other: int, *, flag: str) -> None:
    """Raise `SettingsError` when the page and the app would have the same port."""
    if port == other != 0:
        raise SettingsError(
            f"--port and {flag} are both {port}, but each needs one of its own"
        )


def listen_or_none(
    host: str, port: int, *, flag: str, host_flag: str = "--host"
) -> list[socket.socket] | None:
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
    url = ports.url(settings.host, settings.port)
    return f"{url}/?token={settings.token}" if settings.is_open_to_others else url


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
