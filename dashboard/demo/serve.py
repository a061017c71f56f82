"""Serve the demo app with uvicorn: on one loop, or on one in each of several workers."""

from __future__ import annotations

import inspect
import multiprocessing
import threading
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.supervisors import Multiprocess

from dashboard.demo import lifeline, warming

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from multiprocessing.synchronize import Semaphore

#: Longer than a presenter talks between two clicks: a connection that is closed
#: and opened again is noise on the timeline.
KEEP_ALIVE_S = 300


def serve(
    sockets: list[socket.socket],
    *,
    loop: str,
    announce: Callable[[], None],
    workers: int = 1,
) -> None:
    """Serve on these sockets; call `announce` when the first request can come."""
    config = _Config(
        "dashboard.demo.app:create_app",
        factory=True,
        # Its guard is no async function, by which uvicorn would tell.
        interface="asgi3",
        loop=loop,
        http="httptools",
        log_level="warning",
        access_log=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=1,
        workers=workers,
    )
    if workers == 1:
        _Server(config, announce).run(sockets)
        return
    lifeline.end_quietly()
    config.up = multiprocessing.get_context("spawn").Semaphore(0)
    threading.Thread(
        target=_announce_when_up, args=[config.up, workers, announce], daemon=True
    ).start()
    # Any: what is to be told depends on the version.
    told: dict[str, Any] = {}
    if "target" in inspect.signature(Multiprocess).parameters:
        # Before 0.51 uvicorn did not know by itself what its workers run.
        told["target"] = uvicorn.Server(config).run
    Multiprocess(config, sockets=sockets, **told).run()


class _Config(uvicorn.Config):
    """Travels to each worker's process, the only part of ours that does."""

    up: Semaphore | None = None

    def load(self) -> None:
        if self.up is not None:
            lifeline.end_with_parent()
        # Here and not in the app, which it is no part of: recording begins in there.
        warming.warm_up()
        super().load()
        if self.up is not None:
            self.up.release()


class _Server(uvicorn.Server):
    """One that says when it is up."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], object]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._announce()


def _announce_when_up(
    up: Semaphore, workers: int, announce: Callable[[], None]
) -> None:
    for _ in range(workers):
        up.acquire()
    announce()
