"""The door of `loopscope record`: every loop of a program is recorded, unchanged.

Python imports `started/sitecustomize.py` before the program, and that calls `install`.
From then on a loop is recorded from its first task until it is closed, and an app that
uvicorn serves is observed.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from contextlib import suppress
from functools import wraps
from typing import TYPE_CHECKING, Any

from dashboard.recorder.attach import default_title, observe, start_recording

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger("loopscope")


def install() -> None:
    """Stand in the doors of every kind of loop, for as long as the process lives."""
    for kind in kinds_of_loop():
        # A task may be made before its loop runs.
        for name in ("create_task", "run_forever"):
            setattr(kind, name, _door(getattr(kind, name)))


def kinds_of_loop() -> list[type]:
    """Return the classes of loops that a program may use here."""
    kinds: list[type] = [asyncio.BaseEventLoop]
    # Also where it is not imported yet: the program may do so.
    with suppress(ImportError):
        import uvloop

        kinds.append(uvloop.Loop)
    return kinds


def _door(stock: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(stock)
    def through(loop: Any, *args: Any, **options: Any) -> Any:
        if not hasattr(loop, "_loopscope_met"):
            _begin(loop)
        return stock(loop, *args, **options)

    return through


def _begin(loop: Any) -> None:
    try:
        loop._loopscope_met = True
        start_recording(loop, title=default_title())
        _watch_uvicorn()
    except Exception:
        logger.exception("not recording; the program goes on without it")


def _watch_uvicorn() -> None:
    """See to it that uvicorn, if it is what runs, serves an observed app.

    It makes its app in the loop, so that this comes in time.
    """
    config = getattr(sys.modules.get("uvicorn.config"), "Config", None)
    if config is None or hasattr(config.load, "__wrapped__"):
        return
    stock = config.load

    @wraps(stock)
    def load(self: Any) -> None:
        stock(self)
        if str(getattr(self, "interface", "")).startswith("asgi"):
            self.loaded_app = observe(self.loaded_app, title=default_title())

    config.load = load
