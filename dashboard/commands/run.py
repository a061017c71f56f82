"""Start the user's app under uvicorn, unchanged but recorded, and show it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dashboard.commands.serve import (
    EXIT_START_FAILED,
    listen_or_none,
    need_two_ports,
    serve,
)
from dashboard.errors import SettingsError, TargetError
from dashboard.recorder.target import need_module
from dashboard.server.programs import ports, program
from dashboard.server.reading.folders import make_session_folder
from dashboard.server.settings import parse_target

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from dashboard.server.settings import Settings


def run(settings: Settings, options: argparse.Namespace, extra: list[str]) -> int:
    """Start the app and the page; return the exit code.

    `extra` is given to uvicorn as it is.

    Raises:
        SettingsError: there is no such module, or flags make no sense together.
    """
    target = parse_target(options.target)
    _need_module(target, extra)
    need_two_ports(settings.port, options.app_port, flag="--app-port")
    environ = program.app_environ(target, factory=options.factory, loop=options.loop)
    sockets = listen_or_none(settings.host, settings.port, flag="--port")
    trial = sockets and listen_or_none(
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
        extra=extra,
    )
    with make_session_folder() as folder:
        # Of its own, also where LOOPSCOPE_DIR is set: the page shows this app alone.
        ring_dir = Path(folder)

        def start(on_end: Callable[[int], None]) -> program.Program:
            return program.Program(
                command, environ=environ, ring_dir=ring_dir, on_end=on_end
            )

        return serve(
            replace(settings, ring_dir=ring_dir),
            open_browser=options.open,
            sockets=sockets,
            start_program=start,
            lines=[f"your app     {ports.url(options.app_host, port)}  ({target})"],
        )


def _need_module(target: str, extra: list[str]) -> None:
    """Say at once that a name is misspelt, before an address is printed.

    The rest, such as the variable in it, is known once the server has imported it.
    """
    if any(word.partition("=")[0] == "--app-dir" for word in extra):
        return
    try:
        need_module(target)
    except TargetError as error:
        raise SettingsError(str(error)) from None
