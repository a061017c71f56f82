"""Run the demo app in a process of its own: `python -m dashboard.demo`.

Prints its address on the first line once it listens. It never outlives a
dashboard that asked it to die along.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

from dashboard.server import ports
from dashboard.server.settings import port_argument

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

PR_SET_PDEATHSIG = 1
#: Longer than a presenter talks between two clicks: a connection that is closed
#: and opened again is noise on the timeline.
KEEP_ALIVE_S = 300


def main(argv: list[str] | None = None) -> int:
    """Serve the demo app until somebody stops it."""
    options = _parser().parse_args(argv)
    if options.die_with_parent:
        die_with_parent()
    try:
        sockets = ports.listen(options.host, options.port)
    except OSError as error:
        print(
            f"cannot listen on {options.host}:{options.port}: {error}", file=sys.stderr
        )
        return 3
    url = ports.url(options.host, ports.port_of(sockets))

    def announce() -> None:
        print(url, flush=True)
        if options.die_with_parent:
            # The pipe has said all it had to say; nobody would empty it. What
            # handlers print goes to the terminal from here on.
            os.dup2(2, 1)

    try:
        serve(sockets, loop=options.loop, announce=announce)
    except KeyboardInterrupt:
        return 130
    return 0


def serve(
    sockets: list[socket.socket], *, loop: str, announce: Callable[[], None]
) -> None:
    """Serve on these sockets; call `announce` when the first request can come."""
    import uvicorn

    from dashboard.demo.app import create_app

    config = uvicorn.Config(
        create_app(),
        loop=loop,
        http="httptools",
        log_level="warning",
        access_log=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=1,
    )

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            announce()

    Server(config).run(sockets)


def die_with_parent() -> None:
    """End this process as soon as the one that started it is gone.

    Two ways, because each has a hole. The pipe on stdin closes on any system, but
    reading it takes a thread, which cannot run while C code holds the
    interpreter's lock. Linux can send a signal that needs no Python at all, but
    the parent may have died before we asked for it.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    threading.Thread(target=_exit_at_end_of_stdin, daemon=True).start()


def _exit_at_end_of_stdin() -> None:
    while os.read(0, 1024):
        pass
    # Nobody is left to be told, and a blocked loop could not shut down anyway.
    os._exit(0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m dashboard.demo",
        description="An ordinary FastAPI app that makes mistakes on purpose.",
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=port_argument, default=8001)
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio")
    parser.add_argument(
        "--die-with-parent",
        action="store_true",
        help="end as soon as stdin is closed or the parent process is gone",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
